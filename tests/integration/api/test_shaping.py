"""Sparse fields, expansion and ETags of reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from conversations.models import Conversation
from echoadmin.alerts.models import Alert, Rule, SavedView
from echoadmin.deliveries.models import Delivery, Subscription
from tests import make

pytestmark = pytest.mark.django_db
ClientOf = Callable[..., APIClient]


@pytest.fixture
def client(client_of: ClientOf) -> APIClient:
    return client_of("auditor")


@pytest.fixture
def conversation(db: None) -> Conversation:
    return Conversation.objects.get(pk=make.room().conversation.pk)


def test_only_the_fields_that_were_asked_for_come_in_that_order(client: APIClient, conversation: Conversation) -> None:
    one = client.get(f"/api/v1/conversations/{conversation.public_id}/?fields=status,id").json()
    assert list(one.items()) == [("status", "active"), ("id", conversation.public_id)]
    page = client.get("/api/v1/conversations/?fields=id&fields=room").json()
    assert list(page) == ["results", "next", "previous"]
    assert [set(row) for row in page["results"]] == [{"id", "room"}]


def test_entries_are_cut_too(client: APIClient, conversation: Conversation) -> None:
    page = client.get("/api/v1/entries/?fields=id,kind").json()
    assert page["results"]  # the key that was made
    assert {tuple(row) for row in page["results"]} == {("id", "kind")}


@pytest.mark.parametrize("path", ["conversations/", "conversations/{id}/"])
@pytest.mark.parametrize(
    ("query", "name", "known"),
    [
        ("fields=id,nope", "fields", "conversation_url"),
        ("fields=", "fields", "conversation_url"),
        ("expand=room", "expand", "persona, replica"),
        ("expand=%2C", "expand", "persona, replica"),
    ],
)
def test_a_name_that_there_is_not_is_refused_and_those_there_are_named(
    client: APIClient, conversation: Conversation, path: str, query: str, name: str, known: str
) -> None:
    response = client.get(f"/api/v1/{path.format(id=conversation.public_id)}?{query}")
    assert response.status_code == 400
    assert known in response.json()["error"]["fields"][name][0]


def test_what_can_not_be_expanded_says_so(client: APIClient) -> None:
    response = client.get("/api/v1/personas/?expand=layers")
    assert "none here" in response.json()["error"]["fields"]["expand"][0]


def test_ids_become_objects_on_one_and_on_many(client: APIClient, conversation: Conversation) -> None:
    persona = client.get(f"/api/v1/personas/{conversation.persona.public_id}/").json()  # type: ignore[union-attr]
    replica = client.get(f"/api/v1/replicas/{conversation.replica.public_id}/").json()  # type: ignore[union-attr]
    for path in (f"conversations/{conversation.public_id}/", "conversations/"):
        told = client.get(f"/api/v1/{path}?expand=persona,replica").json()
        told = told["results"][0] if "results" in told else told
        assert (told["persona"], told["replica"]) == (persona, replica)


def test_an_echo_has_its_conversation_within(client: APIClient, conversation: Conversation) -> None:
    echo = make.echo(conversation=conversation)
    path = f"/api/v1/conversations/{conversation.public_id}/echoes/"
    plain = client.get(f"{path}{echo.inference_id}/").json()
    told = client.get(f"{path}{echo.inference_id}/?expand=conversation&fields=conversation").json()
    assert plain["conversation"] == conversation.public_id
    assert told["conversation"]["room"]["wanted"] == "joined"
    assert told["conversation"]["persona"] == conversation.persona.public_id  # type: ignore[union-attr]


def test_what_is_not_there_stays_null(client: APIClient) -> None:
    made = make.conversation(persona=None, replica=None)
    told = client.get(f"/api/v1/conversations/{made.public_id}/?expand=persona,replica").json()
    assert (told["persona"], told["replica"]) == (None, None)


def _alert(rule: Rule) -> None:
    now = timezone.now()
    times = {"first_at": now, "last_at": now, "raised_at": now}
    Alert.objects.create(rule=rule, rule_name=rule.name, filters={}, first_entry=1, last_entry=1, count=1, **times)


def _delivery(number: int) -> None:
    hook = Subscription.objects.create(url=f"https://hooks.example.com/{number}", created_by="ana")
    Delivery.objects.create(subscription=hook, event_type="ping", body="{}")


def _rule(number: int) -> Rule:
    view = SavedView.objects.create(name=f"View {number}", filters={}, shared=True, owner="ana", owner_id=0)
    rule: Rule = Rule.objects.create(view=view, name=f"Rule {number}", threshold=1, window=60, created_by="ana")
    return rule


EXPANDED: dict[str, tuple[Callable[[Conversation, int], Any], str]] = {
    "conversations/?expand=persona,replica": (lambda one, n: make.room(), "persona"),
    "conversations/{id}/echoes/?expand=conversation": (lambda one, n: make.echo(conversation=one), "conversation"),
    "entries/gaps/?expand=conversation": (
        lambda one, n: make.gap(conversation=make.room().conversation),
        "conversation",
    ),
    "alerts/?expand=rule": (lambda one, n: _alert(_rule(n)), "rule"),
    "deliveries/?expand=subscription": (lambda one, n: _delivery(n), "subscription"),
    "rules/?expand=view": (lambda one, n: _rule(n), "view"),
}


@pytest.mark.parametrize("path", EXPANDED)
def test_expanding_many_asks_the_database_as_often_as_expanding_one(
    client: APIClient, conversation: Conversation, path: str, django_assert_num_queries: Any
) -> None:
    add, name = EXPANDED[path]
    url = f"/api/v1/{path.format(id=conversation.public_id)}"
    add(conversation, 0)
    client.get(url)
    extra = 1 if "{id}" in path else 0  # the conversation of the address
    with django_assert_num_queries(3 + extra):
        client.get(url)
    for number in range(1, 5):
        add(conversation, number)
    with django_assert_num_queries(3 + extra):
        rows = client.get(url).json()["results"]
    assert len(rows) >= 5
    assert all(isinstance(row[name], dict) for row in rows)


# --- ETags ------------------------------------------------------------------------------------------------------------


READS = ["personas/", "personas/{persona}/", "conversations/{id}/echoes/", "conversations/{id}/entries/", "entries/"]


@pytest.mark.parametrize("path", READS)
def test_a_read_that_still_holds_is_304_without_a_body(
    client: APIClient, conversation: Conversation, path: str
) -> None:
    url = "/api/v1/" + path.format(id=conversation.public_id, persona=conversation.persona.public_id)  # type: ignore[union-attr]
    first = client.get(url)
    etag = first["ETag"]
    assert first["Cache-Control"] == "private, no-cache"
    assert "Authorization" in first["Vary"]
    for given in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = client.get(url, HTTP_IF_NONE_MATCH=given)
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)
        assert "Content-Type" not in again
        assert again["X-Request-Id"]
        assert again["RateLimit"]
    assert client.get(url, HTTP_IF_NONE_MATCH='"other"').status_code == 200


def test_what_changes_has_another_tag(client: APIClient, conversation: Conversation) -> None:
    echo = make.echo(conversation=conversation, state="queued")
    url = f"/api/v1/conversations/{conversation.public_id}/echoes/{echo.inference_id}/"
    etag = client.get(url)["ETag"]
    type(echo).objects.filter(pk=echo.pk).update(state="sending")
    changed = client.get(url, HTTP_IF_NONE_MATCH=etag)
    assert (changed.status_code, changed.json()["state"]) == (200, "sending")
    assert changed["ETag"] != etag


def test_other_fields_are_another_answer(client: APIClient, conversation: Conversation) -> None:
    url = f"/api/v1/personas/{conversation.persona.public_id}/"  # type: ignore[union-attr]
    assert client.get(url)["ETag"] != client.get(f"{url}?fields=id")["ETag"]


def test_a_browser_keeps_nothing(client: APIClient, conversation: Conversation, person: Callable[..., Any]) -> None:
    browser = APIClient()
    browser.force_login(person("auditor", "bea"))
    response = browser.get("/api/v1/personas/")
    assert response["ETag"]
    assert response["Cache-Control"] == "no-store"


def test_an_error_and_a_file_have_none(client: APIClient) -> None:
    assert "ETag" not in client.get("/api/v1/personas/x/")
    assert "ETag" not in client.get("/api/v1/entries/export/")
