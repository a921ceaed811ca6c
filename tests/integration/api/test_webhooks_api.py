"""Webhooks in over REST: listed with what became of them, processed anew; and the secret of their address."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from conversations.models import WebhookReceived
from conversations.services import mirroring
from conversations.webhooks.runs import KIND
from echoadmin.actors import Actor
from echoadmin.installation import OldWebhookSecret, stamp
from echoadmin.log.models import Entry
from echoadmin.runs import Run
from tests import make
from tests.twin_process import TwinProcess

ClientOf = Callable[..., APIClient]
PATH = "/api/v1/webhooks/"

pytestmark = pytest.mark.django_db


def test_they_are_found_by_state_type_and_conversation(client_of: ClientOf) -> None:
    one = make.webhook()
    other = make.webhook(state="ignored", event_type="system.replica_joined", duplicate_of=one)
    auditor = client_of("auditor")

    def found(query: str = "") -> list[str]:
        return [row["id"] for row in auditor.get(PATH + query).json()["results"]]

    assert found() == [other.public_id, one.public_id]
    assert found("?state=failed") == [one.public_id]
    assert found("?event_type=system.replica_joined") == [other.public_id]
    assert found(f"?conversation={one.conversation.public_id}") == [one.public_id]
    assert found("?state=never_heard_of") == []
    told = auditor.get(f"{PATH}{other.public_id}/").json()
    assert (told["state"], told["duplicate_of"], told["attempts"]) == ("ignored", one.public_id, 6)
    assert auditor.get(f"{PATH}wh_nowhere/").status_code == 404


def test_a_list_has_their_bodies_only_where_they_are_asked_for(
    client_of: ClientOf, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    rows = [make.webhook(body={"transcript": "x" * 1_000, "n": number}) for number in range(3)]
    auditor = client_of("auditor")
    with django_assert_max_num_queries(8) as asked:
        plain = auditor.get(PATH).json()["results"]
    assert [row["id"] for row in plain] == [row.public_id for row in reversed(rows)]
    assert not any("message" in row for row in plain)
    assert not any('"conversations_webhookreceived"."body"' in query["sql"] for query in asked.captured_queries)
    whole = auditor.get(f"{PATH}?expand=message&fields=message").json()["results"]
    assert [row["message"]["n"] for row in whole] == [2, 1, 0]
    assert auditor.get(f"{PATH}{rows[0].public_id}/").json()["message"]["n"] == 0


@pytest.mark.django_db(transaction=True)
def test_one_is_processed_anew_and_the_answer_says_what_became_of_it(client_of: ClientOf, twin: TwinProcess) -> None:
    made = mirroring.create_conversation(
        actor=Actor("ana"), body={"persona_id": "pipecat0", "replica_id": "re8e740a42"}
    )
    row = make.webhook(conversation=made)
    manager = client_of("manager")
    told = manager.post(f"{PATH}{row.public_id}/process/")
    assert (told.status_code, told.json()["state"], told.json()["error"]) == (200, "processed", "")
    twin.fault("status", status=500, method="GET")
    told = manager.post(f"{PATH}{row.public_id}/process/").json()
    assert (told["state"], told["attempts"]) == ("received", 1) and "Tavus" in told["error"]
    assert client_of("operator").post(f"{PATH}{row.public_id}/process/").status_code == 403


def test_a_repeat_is_not_processed_apart_from_its_first(client_of: ClientOf) -> None:
    first = make.webhook()
    repeat = make.webhook(duplicate_of=first, state="ignored")
    refused = client_of("manager").post(f"{PATH}{repeat.public_id}/process/")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "duplicate")
    assert first.public_id in refused.json()["error"]["message"]
    assert WebhookReceived.objects.get(pk=repeat.pk).state == "ignored"


@pytest.mark.parametrize(
    ("params", "field"),
    [({"ids": []}, "ids"), ({"ids": ["x"]}, "ids"), ({"state": "received"}, "state"), ({"colour": 1}, "colour")],
)
def test_many_are_asked_for_as_a_run_and_a_wrong_wish_is_named(
    client_of: ClientOf, params: dict[str, Any], field: str
) -> None:
    make.webhook()
    manager = client_of("manager")
    made = manager.post("/api/v1/runs/", {"kind": KIND, "params": {"state": "failed"}})
    assert made.status_code == 202 and Run.objects.get().params["state"] == "failed"
    refused = manager.post("/api/v1/runs/", {"kind": KIND, "params": params})
    assert (refused.status_code, list(refused.json()["error"]["fields"])) == (400, [field])
    assert client_of("operator").post("/api/v1/runs/", {"kind": KIND, "params": {}}).status_code == 403


def test_only_an_admin_who_signed_in_replaces_the_secret_and_nobody_is_shown_it(
    client_of: ClientOf, person: Callable[..., Any]
) -> None:
    old = stamp("sandbox").webhook_secret
    for role in ("manager", "admin"):
        assert client_of(role).post(f"{PATH}secret/rotate/").status_code == 403
    browser = APIClient()
    browser.force_login(person("admin", "root"))
    assert browser.post(f"{PATH}secret/rotate/", {"at_once": "yes"}).status_code == 400
    answer = browser.post(f"{PATH}secret/rotate/", {"at_once": False})
    assert answer.status_code == 200
    [kept] = answer.json()["old"]
    for _ in range(2):
        again = browser.post(f"{PATH}secret/rotate/", {"at_once": False}, HTTP_IDEMPOTENCY_KEY="one")
        assert again.status_code == 200
    assert OldWebhookSecret.objects.count() == 2, "the same wish twice is one"
    assert (kept["counts"], kept["uses"], kept["conversations"]) == (True, 0, 0)
    shown = client_of("auditor").get(f"{PATH}secret/")
    new = stamp("sandbox").webhook_secret
    assert new != old
    for secret in (old, new):
        assert secret not in answer.content.decode() + shown.content.decode()
    assert {one.actor for one in Entry.objects.filter(event_type="webhook_secret.rotated")} == {"root"}
