"""Keys that are limited to some personas or conversations: what they see, and what they may do."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import channel_layers
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from conversations.live import consumers, looks
from conversations.models import Conversation, Script
from echoadmin.accounts.keys import create_key
from echoadmin.actors import Actor
from echoadmin.log.index.following import catch_up
from echoadmin.log.index.rolls import ROLLS
from echoadmin.log.models import Entry, Kind
from echoadmin.log.writer import Draft, append
from echoadmin.runs import start_run
from personas.models import Persona
from tests import make
from tests.integration.api.test_live import Line

pytestmark = pytest.mark.django_db(transaction=True)
SHELL = Actor("test")


@pytest.fixture
def rows(person: Callable[..., User]) -> SimpleNamespace:
    """Two personas with a conversation each, a third conversation without, and an entry of all that."""
    mine, other = make.room().conversation, make.room().conversation
    alone = make.room().conversation
    found = {
        name: Conversation.objects.get(pk=row.pk) for name, row in (("mine", mine), ("other", other), ("alone", alone))
    }
    append(
        Draft(
            stream=row.public_id,
            kind=Kind.OPERATOR,
            event_type=f"noted.{name}",
            actor="ana",
            conversation_ref=row.public_id,
            persona_ref=row.persona.public_id if row.persona else None,
            message={"of": name},
        )
        for name, row in found.items()
    )
    append([Draft(stream="account", kind=Kind.OPERATOR, event_type="noted.account", actor="ana", message={})])
    return SimpleNamespace(user=person("manager"), **found)


def limited(rows: Any, **limits: list[str]) -> tuple[APIClient, str]:
    text = create_key(user=rows.user, label="test", actor=SHELL, **limits)[1]  # type: ignore[arg-type]
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return client, text


@pytest.fixture
def of_persona(rows: Any) -> APIClient:
    return limited(rows, personas=[rows.mine.persona.upstream_id])[0]


@pytest.fixture
def of_conversation(rows: Any) -> APIClient:
    return limited(rows, conversations=[rows.alone.public_id])[0]


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["results"]]


def test_lists_hold_what_the_key_is_for_and_nothing_else(rows: Any, of_persona: Any, of_conversation: Any) -> None:
    assert ids(of_persona.get("/api/v1/conversations/")) == [rows.mine.public_id]
    assert ids(of_persona.get("/api/v1/personas/")) == [rows.mine.persona.public_id]
    assert ids(of_conversation.get("/api/v1/conversations/")) == [rows.alone.public_id]
    assert ids(of_conversation.get("/api/v1/personas/")) == []
    both, _ = limited(rows, personas=[rows.mine.persona.public_id], conversations=[rows.alone.upstream_id])
    assert set(ids(both.get("/api/v1/conversations/"))) == {rows.mine.public_id, rows.alone.public_id}


def test_a_filtered_list_takes_three_queries_as_any_other(of_persona: APIClient) -> None:
    of_persona.get("/api/v1/conversations/")
    with CaptureQueriesContext(connection) as asked:
        of_persona.get("/api/v1/conversations/")
    assert len(asked) == 3


READ = [("get", path) for path in ("", "echoes/", "entries/", "messages/", "timeline/", "gaps/", "latencies/")]
DONE = [("post", path) for path in ("join/", "leave/", "end/", "sync/", "interrupt/", "echoes/", "interactions/")]


@pytest.mark.parametrize(("method", "path"), [*READ, *DONE, ("delete", "")])
def test_anothers_conversation_is_not_there_whatever_is_done_with_it(
    rows: Any, of_persona: APIClient, of_conversation: APIClient, method: str, path: str
) -> None:
    for client in (of_persona, of_conversation):
        for any_id in (rows.other.public_id, rows.other.upstream_id):
            ask = getattr(client, method)
            answer = ask(f"/api/v1/conversations/{any_id}/{path}", {"text": "Hello."}, format="json")
            nothing = ask(f"/api/v1/conversations/none/{path}", {"text": "Hello."}, format="json")
            assert answer.status_code == nothing.status_code == 404
            words = nothing.json()["error"]["message"].replace("'none'", repr(any_id))
            assert answer.json()["error"]["message"] == words
    assert Entry.objects.filter(conversation_ref=rows.other.public_id).count() == 1


def test_its_own_conversation_is_read_and_spoken_in(rows: Any, of_persona: APIClient) -> None:
    at = f"/api/v1/conversations/{rows.mine.public_id}/"
    assert of_persona.get(at).status_code == 200
    said = of_persona.post(f"{at}echoes/", {"text": "Hello."}, format="json")
    assert said.status_code == 202
    assert of_persona.get(f"{at}echoes/{said.json()['inference_id']}/").status_code == 200
    assert of_persona.get(f"/api/v1/personas/{rows.mine.persona.public_id}/").status_code == 200
    assert of_persona.get(f"/api/v1/personas/{rows.other.persona.public_id}/").status_code == 404


def told(answer: Any) -> set[str]:
    text = answer.content.decode() if not answer.streaming else b"".join(answer.streaming_content).decode()
    return {name for name in ("mine", "other", "alone", "account") if f"noted.{name}" in text}


@pytest.mark.parametrize(
    "path", ["entries/", "entries/?kind=operator", "entries/?order=oldest&actor=ana", "entries/export/"]
)
def test_the_log_is_read_within_the_limits(rows: Any, of_persona: Any, of_conversation: Any, path: str) -> None:
    assert told(of_persona.get(f"/api/v1/{path}")) == {"mine"}
    assert told(of_conversation.get(f"/api/v1/{path}")) == {"alone"}


def test_no_filter_leads_out_of_the_limits(rows: Any, of_persona: APIClient) -> None:
    for query in (
        f"conversation={rows.other.public_id}",
        f"persona={rows.other.persona.public_id}",
        "conversation=account",
    ):
        assert told(of_persona.get(f"/api/v1/entries/?{query}")) == set(), query
        assert told(of_persona.get(f"/api/v1/entries/export/?{query}")) == set(), query


def test_one_entry_and_what_lies_around_it_are_within_the_limits(rows: Any, of_persona: APIClient) -> None:
    for name, status in (("mine", 200), ("other", 404), ("account", 404)):
        entry = Entry.objects.get(event_type=f"noted.{name}")
        assert of_persona.get(f"/api/v1/entries/{entry.pk}/").status_code == status, name
    draft = {"kind": Kind.OPERATOR, "actor": "ana", "message": {}}
    append([Draft(stream="account", event_type="noted.mine", persona_ref=rows.mine.persona.public_id, **draft)])  # type: ignore[arg-type]
    entry = Entry.objects.filter(event_type="noted.mine").order_by("-id")[0]
    assert told(of_persona.get(f"/api/v1/entries/{entry.pk}/")) == {"mine"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "conversations/sync/"),
        ("post", "personas/"),
        ("post", "personas/sync/"),
        ("post", "replicas/sync/"),
        ("post", "lines/"),
        ("post", "scripts/"),
        ("post", "scripts/clips/"),
        ("get", "runs/"),
        ("post", "runs/"),
        ("post", "stop/"),
        ("get", "workers/"),
        ("get", "subscriptions/"),
        ("get", "alerts/"),
        ("get", "keys/"),
    ],
)
def test_what_is_about_everything_is_not_for_a_limited_key(
    of_persona: APIClient, of_conversation: APIClient, method: str, path: str
) -> None:
    for client in (of_persona, of_conversation):
        answer = getattr(client, method)(f"/api/v1/{path}", {}, format="json")
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "forbidden"


def test_gaps_are_those_of_its_conversations(rows: Any, of_persona: Any, of_conversation: Any) -> None:
    for row in (rows.mine, rows.other, rows.alone):
        make.gap(conversation=row, expected=False)
    for client, own in ((of_persona, rows.mine), (of_conversation, rows.alone)):
        shown = client.get("/api/v1/entries/gaps/?expected=any").json()["results"]
        assert [gap["conversation"] for gap in shown] == [own.public_id]
        asked_for = f"/api/v1/entries/gaps/?expected=any&conversation={rows.other.public_id}"
        assert client.get(asked_for).json()["results"] == []
        file = b"".join(client.get("/api/v1/entries/gaps/?expected=any&format=ndjson").streaming_content)
        assert [json.loads(line)["conversation"] for line in file.splitlines()] == [own.public_id]


def test_latencies_are_those_of_its_conversations(rows: Any, of_persona: Any, of_conversation: Any) -> None:
    for row, count in ((rows.mine, 1), (rows.other, 2), (rows.alone, 3)):
        for _ in range(count):
            make.echo(conversation=row, state="spoken")
    assert of_persona.get("/api/v1/latencies/").json()["echoes"] == 1
    assert of_conversation.get("/api/v1/latencies/").json()["echoes"] == 3
    all_of_it = of_persona.get(f"/api/v1/conversations/{rows.mine.public_id}/latencies/").json()
    assert all_of_it == of_persona.get("/api/v1/latencies/").json()


def bars(client: APIClient, query: str = "") -> tuple[int, bool]:
    answer = client.get(f"/api/v1/entries/histogram/?{query}")
    assert answer.status_code == 200, answer.content
    return sum(answer.json()["bars"]), answer.json()["filtered"]


def noted(row: Conversation, **more: Any) -> Draft:
    refs = {"conversation_ref": row.public_id, "persona_ref": row.persona.public_id if row.persona else None}
    return Draft(stream=row.public_id, kind=Kind.ROOM, event_type="late", message={}, **refs, **more)


def test_bars_count_what_is_within_once(rows: Any, of_persona: Any, of_conversation: Any) -> None:
    append([noted(rows.mine, inference_id="i-1"), noted(rows.other, inference_id="i-1"), noted(rows.other)])
    catch_up(ROLLS, Entry.objects.order_by("-id")[0].pk)
    both, _ = limited(
        rows, personas=[rows.mine.persona.public_id], conversations=[rows.mine.public_id, rows.alone.public_id]
    )
    assert [bars(client) for client in (of_persona, of_conversation, both)] == [(2, True), (1, True), (3, True)]
    for query, of_mine in (
        (f"conversation={rows.mine.public_id}", (2, True)),
        (f"conversation={rows.other.public_id}", (0, True)),
        ("conversation=account", (0, True)),
        (f"persona={rows.mine.persona.public_id}", (2, True)),
        (f"persona={rows.other.persona.public_id}", (2, False)),
        ("kind=room", (2, False)),
        ("is_error=true", (2, False)),
        ("inference_id=i-1", (1, True)),
    ):
        assert bars(of_persona, query) == of_mine, query


def test_the_bars_begin_where_its_own_begins(rows: Any, of_persona: APIClient) -> None:
    long_ago = datetime(2024, 5, 6, tzinfo=UTC)
    append([noted(rows.other, at=long_ago), noted(rows.mine, at=long_ago + timedelta(days=9))])
    catch_up(ROLLS, Entry.objects.order_by("-id")[0].pk)
    start = datetime.fromisoformat(of_persona.get("/api/v1/entries/histogram/?bars=200").json()["start"])
    assert start > long_ago + timedelta(days=1)


def test_scripts_are_those_that_were_started_in_its_conversations(rows: Any, of_persona: APIClient) -> None:
    said, elsewhere, never = make.script(name="said"), make.script(name="elsewhere"), make.script(name="never")
    for script, row in ((said, rows.mine), (elsewhere, rows.other)):
        params = {"script": script.public_id, "revision": script.revision, "name": script.name, "lines": []}
        start_run(actor=SHELL, kind="script", params=params, conversation_ref=row.public_id)
    assert ids(of_persona.get("/api/v1/scripts/")) == [said.public_id]
    statuses = [of_persona.get(f"/api/v1/scripts/{one.public_id}/").status_code for one in (said, elsewhere, never)]
    assert statuses == [200, 404, 404]
    Script.objects.filter(pk=said.pk).update(revision=said.revision + 1)
    assert ids(of_persona.get("/api/v1/scripts/")) == [], "what was changed since was not said there"
    for method, path in (("patch", ""), ("delete", ""), ("post", "run/")):
        assert getattr(of_persona, method)(f"/api/v1/scripts/{said.public_id}/{path}", {}).status_code == 403


def test_lines_tell_nothing_of_whom_they_are_about_and_stay_hidden(rows: Any, of_persona: APIClient) -> None:
    line = make.line(owner_id=rows.user.pk, shared=True)
    assert ids(of_persona.get("/api/v1/lines/")) == []
    assert of_persona.get(f"/api/v1/lines/{line.public_id}/").status_code == 404
    assert of_persona.patch(f"/api/v1/lines/{line.public_id}/", {"name": "Mine"}).status_code == 403


def test_a_conversation_is_made_with_a_persona_of_its_own_alone(
    rows: Any, of_persona: APIClient, of_conversation: APIClient, twin: Any
) -> None:
    count = Conversation.objects.count()
    for client in (of_persona, of_conversation):
        for body in ({}, {"persona_id": rows.other.persona.upstream_id}, {"pal_id": rows.other.persona.public_id}):
            for query in ("", "?dry_run=true"):
                answer = client.post(f"/api/v1/conversations/{query}", body, format="json")
                assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden"), body
    assert Conversation.objects.count() == count
    persona = {"persona_name": "Ana", "pipeline_mode": "echo", "system_prompt": "Echo."}
    made = twin.post("/v2/personas", {**persona, "default_replica_id": "re8e740a42"})
    Persona.objects.filter(pk=rows.mine.persona.pk).update(upstream_id=made["persona_id"])
    answer = of_persona.post("/api/v1/conversations/", {"persona_id": rows.mine.persona.public_id}, format="json")
    assert answer.status_code == 201, answer.json()
    assert answer.json()["id"] in ids(of_persona.get("/api/v1/conversations/"))


def test_the_quickstarts_address_knows_no_other_conversation(rows: Any, of_persona: APIClient) -> None:
    body = {"modality": "text", "text": "Hello."}
    other = of_persona.post("/send_audio_message", {**body, "conversation_id": rows.other.upstream_id}, format="json")
    assert other.status_code == 400
    assert "there is no conversation" in other.json()["error"]
    mine = of_persona.post("/send_audio_message", {**body, "conversation_id": rows.mine.upstream_id}, format="json")
    assert mine.status_code == 200


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers.LiveConsumer, "look_every", 0.1)
    monkeypatch.setattr(looks, "SHORTEST", 0.01)
    monkeypatch.setattr(channel_layers, "backends", {})


async def first_of(path: str, key: str) -> list[dict[str, Any]]:
    """What comes up to `caught_up`, or the code that it is closed with."""
    line = Line(path, {"authorization": f"Bearer {key}"})
    assert await line.connect()
    came: list[dict[str, Any]] = []
    while not came or came[-1]["type"] != "caught_up":
        output = await line.receive_output(10)
        if output["type"] == "websocket.close":
            return [*came, {"type": "close", "code": output["code"]}]
        came.append(json.loads(output["text"]))
    await line.send_input({"type": "websocket.disconnect", "code": 1000})
    await line.wait()
    return came


async def test_sockets_are_opened_within_the_limits(rows: Any, quick: None) -> None:
    key = await sync_to_async(lambda: limited(rows, personas=[rows.mine.persona.public_id])[1])()
    refused = await first_of(f"/ws/v1/conversations/{rows.other.public_id}/", key)
    assert refused[-1] == {"type": "close", "code": 4404}
    mine = await first_of(f"/ws/v1/conversations/{rows.mine.public_id}/?after=0", key)
    assert [one["entry"]["event_type"] for one in mine if one["type"] == "entry"] == ["noted.mine"]


async def test_the_logs_socket_tells_what_is_within_the_limits(rows: Any, quick: None) -> None:
    key = await sync_to_async(lambda: limited(rows, conversations=[rows.alone.public_id])[1])()
    start = (await first_of("/ws/v1/log/", key))[-1]["cursor"]
    draft = {"kind": Kind.OPERATOR, "actor": "ana", "message": {}}
    drafts = [
        Draft(stream=row.public_id, event_type="noted.late", conversation_ref=row.public_id, **draft)  # type: ignore[arg-type]
        for row in (rows.mine, rows.alone)
    ]
    await sync_to_async(append)(drafts)
    came = await first_of(f"/ws/v1/log/?after={start}", key)
    assert [one["entry"]["conversation"] for one in came if one["type"] == "entry"] == [rows.alone.public_id]
