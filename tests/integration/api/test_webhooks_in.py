"""Webhooks in: kept as they came, believed only after a look upstream."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client, RequestFactory
from rest_framework.test import APIClient

from conversations.models import Conversation, WebhookReceived
from conversations.webhooks.receiving import LARGEST, receive
from echoadmin.installation import stamp
from echoadmin.log.models import Entry
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def url(db: None) -> str:
    return f"/webhooks/tavus/{stamp('sandbox').webhook_secret}/"


@pytest.fixture
def conversation(db: None) -> Conversation:
    return Conversation.objects.get(pk=make.conversation().pk)


def post(client: Client, url: str, body: Any) -> Any:
    data = body if isinstance(body, str | bytes) else json.dumps(body)
    return client.post(url, data, content_type="application/json")


def shutdown(conversation_id: str | None) -> dict[str, Any]:
    return {
        "properties": {"replica_id": "r1", "shutdown_reason": "participant_left_timeout"},
        "conversation_id": conversation_id,
        "webhook_url": "https://console.example/webhooks/tavus/hidden-secret/?ref=x",
        "event_type": "system.shutdown",
        "message_type": "system",
        "timestamp": "2025-07-11T06:48:37.564961Z",
    }


def test_it_is_stored_in_the_conversations_stream_and_nothing_is_believed(
    client: Client, url: str, conversation: Conversation
) -> None:
    assert post(client, url, shutdown(conversation.upstream_id)).status_code == 200
    [entry] = Entry.objects.filter(kind="webhook")
    assert (entry.event_type, entry.family, entry.direction) == ("system.shutdown", "room", "in")
    assert entry.conversation_ref == conversation.public_id
    assert "participant_left_timeout" in (entry.body or "")
    assert "hidden-secret" not in (entry.body or "")
    row = WebhookReceived.objects.get()
    assert (row.state, row.event_type, row.conversation_id) == ("received", "system.shutdown", conversation.pk)
    assert "hidden-secret" not in json.dumps(row.body)
    conversation.refresh_from_db()
    assert conversation.status == "active", "nothing is believed before the look"


def test_one_that_comes_before_the_id_is_known_is_found_by_its_reference(client: Client, url: str) -> None:
    row = make.conversation(upstream_id=None, state="reserved", status="")
    post(client, f"{url}?ref={row.public_id}", shutdown("c-not-known-yet"))
    assert Entry.objects.get(kind="webhook").conversation_ref == row.public_id


def test_a_reference_to_another_conversation_is_not_believed(
    client: Client, url: str, conversation: Conversation
) -> None:
    post(client, f"{url}?ref={conversation.public_id}", shutdown("c-another"))
    assert Entry.objects.get(kind="webhook").conversation_ref is None


@pytest.mark.parametrize(
    "body",
    [
        {"replica_id": "r1", "status": "ready"},
        {"conversation_id": "c-unknown", "objective_name": "x"},
        {"event_type": 7, "conversation_id": ["a"]},
        {"event_type": "x" * 1000, "conversation_id": "y" * 1000},
        {},
        {"event_type": "a\0b", "conversation_id": "a\0b", "text": "\ud800"},
    ],
)
def test_whatever_is_a_json_object_is_kept(client: Client, url: str, body: Any) -> None:
    assert post(client, url, body).status_code == 200
    entry = Entry.objects.get(kind="webhook")
    assert entry.conversation_ref is None
    assert entry.event_type


def test_repeats_are_taken(client: Client, url: str, conversation: Conversation) -> None:
    answers = [post(client, url, shutdown(conversation.upstream_id)).status_code for _ in range(3)]
    assert answers == [200, 200, 200]
    first, *others = WebhookReceived.objects.order_by("id")
    assert (first.state, first.duplicate_of) == ("received", None)
    assert [(row.state, row.duplicate_of) for row in others] == [("ignored", first)] * 2
    assert Entry.objects.filter(kind="webhook").count() == 3, "the log has each that came"


def test_the_same_without_a_time_of_its_own_may_happen_twice(client: Client, url: str) -> None:
    for _ in range(2):
        post(client, url, {"replica_id": "r1", "status": "ready"})
    assert [row.duplicate_of for row in WebhookReceived.objects.all()] == [None, None]


@pytest.mark.parametrize(("body", "status"), [("[1]", 400), ("{", 400), (b"\xff\xfe", 400), ("[" * 100_000, 400)])
def test_what_is_no_object_is_refused(client: Client, url: str, body: Any, status: int) -> None:
    response = post(client, url, body)
    assert response.status_code == status
    assert response.json()["error"]["code"] == "invalid"
    assert not Entry.objects.filter(kind="webhook").exists()


def test_one_that_is_too_large_is_not_even_read(client: Client, url: str) -> None:
    response = client.generic("POST", url, b"{}", CONTENT_LENGTH=str(LARGEST + 1))
    assert (response.status_code, response.json()["error"]["code"]) == (413, "too_large")


def test_one_that_comes_in_chunks_and_is_too_large_is_not_stored(rf: RequestFactory, url: str) -> None:
    request = rf.post(url, content_type="application/json")
    del request.META["CONTENT_LENGTH"]
    request._body = b'{"a": "' + b"x" * LARGEST + b'"}'
    assert receive(request, stamp("sandbox").webhook_secret).status_code == 413
    assert not WebhookReceived.objects.exists()


def test_a_wrong_secret_and_a_wrong_method_open_nothing(client: Client, url: str) -> None:
    assert post(client, "/webhooks/tavus/wrong/", {}).status_code == 404
    assert client.get(url).status_code == 405
    assert not Entry.objects.filter(kind="webhook").exists()


def test_what_came_is_listed(
    client: Client, url: str, conversation: Conversation, client_of: Callable[..., APIClient]
) -> None:
    post(client, url, shutdown(conversation.upstream_id))
    [told] = client_of("auditor").get("/api/v1/webhooks/?expand=message").json()["results"]
    assert (told["state"], told["event_type"]) == ("received", "system.shutdown")
    assert (told["conversation"], told["conversation_id"]) == (conversation.public_id, conversation.upstream_id)
    assert told["message"]["properties"]["shutdown_reason"] == "participant_left_timeout"
