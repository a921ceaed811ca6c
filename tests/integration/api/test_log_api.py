"""The log over REST: entries across conversations, and each conversation's own in order."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from conversations import interactions
from conversations.models import Conversation
from echoadmin.log.writer import Draft, append
from tests import make

pytestmark = pytest.mark.django_db
ClientOf = Callable[..., APIClient]
PCM = bytes(range(200)) * 2


@pytest.fixture
def client(client_of: ClientOf) -> APIClient:
    return client_of("auditor")


@pytest.fixture
def conversation(db: None) -> Conversation:
    return Conversation.objects.get(pk=make.conversation().pk)


def log(conversation: Conversation, count: int = 1, **columns: Any) -> None:
    drafts = [
        Draft(
            stream=conversation.public_id,
            conversation_ref=conversation.public_id,
            **{
                "kind": "app_message",
                "event_type": "conversation.echo",
                "direction": "out",
                "message": interactions.text_echo(conversation.upstream_id or "", f"Line {k}.", "a"),
                **columns,
            },
        )
        for k in range(count)
    ]
    append(drafts)


def test_an_entry_shows_what_is_promised(client: APIClient, conversation: Conversation) -> None:
    log(conversation, actor="ana", inference_id="a", sender="s", sender_name="us")
    [entry] = client.get("/api/v1/messages/").json()["results"]
    assert set(entry) == {
        *("id", "n", "at", "kind", "direction", "event_type", "sender", "sender_name", "inference_id", "echo"),
        *("conversation", "conversation_id", "actor", "seq", "is_error", "message"),
    }
    assert (entry["n"], entry["kind"], entry["direction"], entry["actor"]) == (1, "app_message", "out", "ana")
    assert (entry["conversation"], entry["conversation_id"]) == (conversation.public_id, conversation.upstream_id)
    assert entry["message"] == interactions.text_echo(conversation.upstream_id or "", "Line 0.", "a")


def test_samples_come_under_a_conversation_and_elsewhere_only_when_asked_for(
    client: APIClient, conversation: Conversation
) -> None:
    message = interactions.audio_echo_chunk("c", PCM, 24000, "a", done=True)
    log(conversation, message=message, samples=PCM)
    url = f"/api/v1/conversations/{conversation.public_id}/messages/"
    [whole] = client.get(url).json()["results"]
    assert whole["message"] == message
    assert base64.b64decode(whole["message"]["properties"]["audio"]) == PCM
    [without] = client.get("/api/v1/messages/").json()["results"]
    assert without["message"]["properties"]["audio"] is None
    assert client.get("/api/v1/messages/?audio=include").json()["results"][0]["message"] == message
    assert client.get(f"{url}?audio=exclude").json()["results"][0]["message"]["properties"]["audio"] is None
    assert client.get("/api/v1/messages/?audio=x").status_code == 400


def test_a_conversation_is_read_on_from_a_number(client: APIClient, conversation: Conversation) -> None:
    log(conversation, 7)
    log(conversation, kind="room", event_type="joined", direction=None, message={})
    url: str | None = f"/api/v1/conversations/{conversation.upstream_id}/entries/?limit=3"
    seen: list[int] = []
    while url:
        page = client.get(url).json()
        seen += [row["n"] for row in page["results"]]
        url = page["next"]
    assert seen == [1, 2, 3, 4, 5, 6, 7, 8]
    path = f"/api/v1/conversations/{conversation.public_id}"
    assert [row["n"] for row in client.get(f"{path}/entries/?after=6").json()["results"]] == [7, 8]
    assert [row["n"] for row in client.get(f"{path}/messages/?after=6").json()["results"]] == [7]
    assert client.get(f"{path}/entries/?after=99").json() == {"results": [], "next": None, "previous": None}
    assert [row["n"] for row in client.get(f"{path}/entries/?kind=room").json()["results"]] == [8]
    for bad in ("-1", "x", "9" * 30):
        assert client.get(f"{path}/entries/?after={bad}").status_code == 400


def test_entries_are_filtered_and_paged_newest_first(client: APIClient, conversation: Conversation) -> None:
    log(conversation, 5)
    log(Conversation.objects.get(pk=make.conversation().pk), 3, is_error=True)
    page = client.get("/api/v1/messages/?limit=3").json()
    assert [row["is_error"] for row in page["results"]] == [True] * 3
    second = client.get(page["next"]).json()
    assert [row["message"]["properties"]["text"] for row in second["results"]] == ["Line 4.", "Line 3.", "Line 2."]
    assert client.get(second["previous"]).json()["results"] == page["results"]
    assert len(client.get(f"/api/v1/entries/?conversation={conversation.public_id}").json()["results"]) == 5
    assert len(client.get("/api/v1/entries/?is_error=true").json()["results"]) == 3
    oldest = client.get("/api/v1/messages/?order=oldest&limit=1").json()["results"]
    assert oldest[0]["conversation"] == conversation.public_id


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("kind=nope", "kind"),
        ("at_after=yesterday", "at_after"),
        ("echo=x", "echo"),
        ("cursor=abc", "cursor"),
        ("order=random", "order"),
        ("limit=500", "limit"),
    ],
)
def test_a_bad_filter_names_its_parameter(client: APIClient, query: str, field: str) -> None:
    response = client.get(f"/api/v1/entries/?{query}")
    assert response.status_code == 400
    assert list(response.json()["error"]["fields"]) == [field]


def test_a_cursor_of_another_filter_is_refused(client: APIClient, conversation: Conversation) -> None:
    log(conversation, 3)
    cursor = client.get("/api/v1/messages/?limit=1").json()["next"].split("cursor=")[1].split("&")[0]
    response = client.get(f"/api/v1/entries/?direction=in&cursor={cursor}")
    assert response.status_code == 400
    assert "cursor" in response.json()["error"]["fields"]


@pytest.mark.parametrize("path", ["entries/", "messages/", "conversations/{id}/messages/"])
def test_a_list_asks_as_often_for_many_entries_as_for_one(
    client: APIClient, conversation: Conversation, path: str, django_assert_max_num_queries: Any
) -> None:
    url = "/api/v1/" + path.replace("{id}", conversation.public_id)
    message = interactions.audio_echo_chunk("c", PCM, 24000, "a", done=True)
    for _ in range(5):
        log(conversation, 2, kind="app_message", message=message, samples=PCM)
        log(Conversation.objects.get(pk=make.conversation().pk), kind="app_message")
    client.get(url)
    # key and user, groups, conversation and its stream, cursors' key, entries, samples, Tavus's ids
    with django_assert_max_num_queries(8) as queries:
        assert len(client.get(url).json()["results"]) >= 10
    assert not any("COUNT(*)" in query["sql"] for query in queries.captured_queries)


def test_the_log_of_accounts_is_listed_too(client: APIClient) -> None:
    told = client.get("/api/v1/entries/?kind=operator&event_type=api_key.created").json()["results"]
    assert told[0]["conversation"] is None
    assert told[0]["message"]["label"] == "test"
