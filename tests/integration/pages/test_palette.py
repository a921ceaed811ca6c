"""The palette: each kind of id finds its page, by role; actions by name; nothing is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from conversations.models import SavedLine
from echoadmin.accounts.keys import create_key
from echoadmin.actors import SYSTEM
from echoadmin.alerts.models import Alert, Rule, SavedView
from echoadmin.deliveries.models import Delivery, Subscription
from echoadmin.log.models import Entry
from echoadmin.log.writer import Draft, append
from echoadmin.runs.models import Run
from tests import make

Visitor = Callable[[str | None], Client]

pytestmark = pytest.mark.django_db


def hits(client: Client, text: str) -> list[dict[str, Any]]:
    answer = client.get("/admin/palette/", {"q": text})
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()["hits"]
    return found


def first(client: Client, text: str) -> str:
    found = hits(client, text)
    return str(found[0]["address"]) if found else ""


def logged(**facts: Any) -> Entry:
    draft = Draft(stream="account", kind="operator", event_type="tested", family="other", message={}, **facts)
    append([draft])
    return Entry.objects.latest("id")


def test_every_mirrored_row_is_found_by_either_id(visitor: Visitor) -> None:
    client = visitor("auditor")
    for row, page in (
        (make.persona(), "personas/persona"),
        (make.replica(), "personas/replica"),
        (make.conversation(), "conversations/conversation"),
    ):
        for any_id in (row.public_id, row.upstream_id):
            assert first(client, any_id) == f"/admin/{page}/{row.public_id}/change/"
            assert first(client, f"  {any_id}\n") == f"/admin/{page}/{row.public_id}/change/"


def test_a_rooms_address_finds_its_conversation(visitor: Visitor) -> None:
    row = make.conversation()
    assert row.public_id in first(visitor("auditor"), f"{row.conversation_url}?t=secret")


def test_views_rules_alerts_subscriptions_and_deliveries_are_found_by_id(visitor: Visitor) -> None:
    view = SavedView.objects.create(name="Errors", filters={}, owner_id=1, shared=True)
    rule = Rule.objects.create(name="Too many", view=view, created_by="ana")
    at = timezone.now()
    alert = Alert.objects.create(
        rule=rule, rule_name="Too many", count=1, first_entry=1, last_entry=1, first_at=at, last_at=at
    )
    subscription = Subscription.objects.create(url="https://example.com/hook", created_by="ana")
    delivery = Delivery.objects.create(subscription=subscription, event_type="echo.spoken", body="{}")
    client = visitor("auditor")
    for row in (view, rule, alert, subscription, delivery):
        label = f"{row._meta.app_label}/{row._meta.model_name}"
        assert first(client, row.public_id) == f"/admin/{label}/{row.public_id}/change/"


def test_an_echo_is_found_by_its_inference_id_with_its_case_kept(visitor: Visitor) -> None:
    echo = make.echo(inference_id="Intro-Line-7", text="Hello.")
    client = visitor("auditor")
    assert first(client, "Intro-Line-7") == f"/admin/conversations/echo/{echo.pk}/change/"
    assert all(hit["kind"] != "echo" for hit in hits(client, "intro-line-7"))


def test_an_old_echo_is_found_by_what_the_log_knows(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conversations.finding.NEWEST", 0)
    echo = make.echo(inference_id="old-one")
    client = visitor("auditor")
    assert all(hit["kind"] != "echo" for hit in hits(client, "old-one"))
    logged(inference_id="old-one", echo_id=echo.pk)
    kinds = {hit["kind"]: hit["address"] for hit in hits(client, "old-one")}
    assert kinds["echo"] == f"/admin/conversations/echo/{echo.pk}/change/"
    assert kinds["log"] == "/admin/log/entry/?inference_id=old-one"


def test_entries_are_found_by_number_and_by_request(visitor: Visitor) -> None:
    entry = logged(request_id="req-4711")
    client, page = visitor("auditor"), f"/admin/log/entry/{entry.pk}/change/"
    for text in (str(entry.pk), f"#{entry.pk}", f"account/{entry.n}", "req-4711"):
        assert page in [hit["address"] for hit in hits(client, text)], text


def test_workers_by_name_and_runs_by_id(visitor: Visitor) -> None:
    worker, client = make.worker(name="studio-a1"), visitor("auditor")
    assert f"/worker/{worker.pk}/change/" in first(client, "studio-a1")
    assert f"/worker/{worker.pk}/change/" in next(hit["address"] for hit in hits(client, "studio"))
    run = Run.objects.create(kind="export", actor="ana", created_at=worker.started_at)
    assert first(client, run.public_id) == f"/admin/echoadmin/run/{run.public_id}/change/"


def test_a_key_is_found_by_its_owner_and_an_admin_alone_and_its_secret_goes_nowhere(visitor: Visitor) -> None:
    owner = make.user("operator")
    key, text = create_key(user=owner, label="tts", scopes=["read"], actor=SYSTEM)
    own = Client()
    own.force_login(owner)
    page = f"/admin/accounts/apikey/{key.prefix}/change/"
    assert first(own, key.prefix) == first(visitor("admin"), key.prefix) == page
    assert page not in [hit["address"] for hit in hits(visitor("manager"), key.prefix)]
    answer = own.get("/admin/palette/", {"q": text})
    assert answer.json()["hits"][0]["address"] == page


def test_users_are_found_by_admins_alone(visitor: Visitor) -> None:
    make.user("operator", "zebedee")
    assert "user" in [hit["kind"] for hit in hits(visitor("admin"), "zebed")]
    assert hits(visitor("manager"), "zebed")[:-1] == []  # but for: search the log


def test_an_others_own_line_is_not_shown(visitor: Visitor) -> None:
    line = SavedLine.objects.create(name="Secret greeting", text="Hi.", owner_id=10**6)
    assert "Secret greeting" not in str(hits(visitor("admin"), line.public_id))


ACTIONS = {
    "Start talking": "manager",
    "New conversation": "manager",
    "New persona": "manager",
    "Stop everything…": "operator",
    "Log": "auditor",
    "Users": "admin",
}
ROLES = ("auditor", "operator", "manager", "admin")


@pytest.mark.parametrize("role", ROLES)
def test_actions_are_offered_by_role(role: str, visitor: Visitor) -> None:
    client = visitor(role)
    for words, least in ACTIONS.items():
        offered = words in [hit["words"] for hit in hits(client, words)]
        assert offered == (ROLES.index(role) >= ROLES.index(least)), words


def test_who_has_no_role_finds_nothing(visitor: Visitor) -> None:
    assert visitor(None).get("/admin/palette/", {"q": "log"}).status_code == 403
    assert Client().get("/admin/palette/").status_code == 302


def test_nothing_is_kept(visitor: Visitor) -> None:
    assert visitor("auditor").get("/admin/palette/", {"q": "x"})["Cache-Control"].startswith("no-store")


ODD = ["", "\0", "%", "'", '"', "#", "9" * 200, "cv_", "💥", "a" * 5000, "#99999999999999999999"]


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
def test_nothing_that_is_typed_breaks_it(text: str, visitor: Visitor) -> None:
    hits(visitor("admin"), text)


def test_it_asks_as_much_for_many_rows_as_for_few(visitor: Visitor) -> None:
    client = visitor("admin")

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            hits(client, "Same name")
        return len(seen)

    def more(count: int) -> None:
        for factory in (make.persona, make.replica, make.conversation):
            factory.create_batch(count, name="Same name")

    more(1)
    few = queries()
    more(20)
    assert queries() == few
    assert few <= 25
