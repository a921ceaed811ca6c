"""One clock and its gaps: what belongs together stands together, what is missing is named, nothing stands twice."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from conversations import gaps, interactions
from conversations.gaps import keeping
from conversations.models import Conversation, Gap
from echoadmin.log.heads import safe_head
from echoadmin.log.models import Entry, Progress
from echoadmin.log.writer import Draft, append
from tests import make

pytestmark = pytest.mark.django_db
ClientOf = Callable[..., APIClient]
BEGAN = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)


@pytest.fixture
def client(client_of: ClientOf) -> APIClient:
    return client_of("auditor")


@pytest.fixture
def conversation(db: None) -> Conversation:
    return Conversation.objects.get(pk=make.conversation(upstream_created_at=BEGAN).pk)


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


class Log:
    """Puts entries of a conversation into the log, each at a second of it. The clock is told them in one go, so that
    none of them is late."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation

    def put(self, seconds: float, kind: str, event_type: str, **columns: Any) -> Draft:
        return Draft(
            stream=self.conversation.public_id,
            conversation_ref=self.conversation.public_id,
            kind=kind,
            event_type=event_type,
            at=at(seconds),
            **columns,
        )

    def room(self, seconds: float, event_type: str, **facts: Any) -> Draft:
        return self.put(seconds, "room", event_type, family="room", message=facts)

    def heard(self, seconds: float, event_type: str, **columns: Any) -> Draft:
        usual = {"direction": "in", "sender": "r", "family": interactions.family(event_type)}
        return self.put(seconds, "app_message", event_type, **{**usual, **columns})

    def said(self, seconds: float, echo_id: int, clip: tuple[int, int, int] | None = None) -> Draft:
        message: Any = interactions.text_echo("c", "Hello", "a")
        if clip:
            message = interactions.audio_echo_chunk("c", bytes(clip[2]), 24000, "a", done=False)
        return self.put(
            seconds, "app_message", "conversation.echo", direction="out", echo_id=echo_id, clip=clip, message=message
        )


@pytest.fixture
def log(conversation: Conversation, monkeypatch: pytest.MonkeyPatch) -> Log:
    from echoadmin.log.writer import rows

    monkeypatch.setattr(rows, "LATE", timedelta(hours=1))  # these entries come ten minutes after what they tell
    return Log(conversation)


def results(client: APIClient, conversation: Conversation, what: str, query: str = "") -> list[dict[str, Any]]:
    response = client.get(f"/api/v1/conversations/{conversation.public_id}/{what}/{query}")
    assert response.status_code == 200, response.content
    return list(response.json()["results"])


def kinds(items: list[dict[str, Any]]) -> list[str]:
    return [item["type"] for item in items if item["type"] != "gap"]


# --- the timeline ---


def test_what_belongs_to_an_echo_stands_together_and_the_rest_in_order(
    client: APIClient, conversation: Conversation, log: Log
) -> None:
    from echoadmin.log.clips import append_samples, new_clip

    text = make.echo(conversation=conversation, inference_id="t", heard_id="t-heard")
    audio = make.echo(conversation=conversation, inference_id="u", modality="audio")
    clip = new_clip(24000).pk
    append_samples(clip, bytes(400))
    append(
        [
            log.put(0, "operator", "conversation.created", actor="ana", message={}),
            log.put(0.5, "upstream", "POST /v2/conversations", message={}),
            log.room(1, "joined"),
            *[log.heard(2 + k / 10, "system.replica_present", message={}) for k in range(3)],
            log.said(3, text.pk),
            log.heard(3.5, "conversation.utterance", inference_id="t-heard", message={}),
            *[log.said(4 + k / 10, audio.pk, (clip, k * 100, 100)) for k in range(4)],
            log.heard(4.2, "system.replica_present", message={}),
            log.heard(5, "conversation.replica.stopped_speaking", echo_id=audio.pk, message={}),
            log.put(6, "operator", "echo.cancel", actor="ana", message={"inference_id": "t"}),
            log.put(7, "webhook", "system.shutdown", direction="in", message={}),
        ]
    )
    items = results(client, conversation, "timeline")
    assert kinds(items) == ["entry", "entry", "entry", "heartbeats", "echo", "echo", "heartbeats", "entry"]
    assert [item["n"] for item in items if item["type"] == "heartbeats"] == [4, 13]
    first, second = [item for item in items if item["type"] == "echo"]
    assert (first["echo"]["inference_id"], first["chunks"], first["continued"]) == ("t", None, False)
    assert [entry["event_type"] for entry in first["entries"]] == [
        *("conversation.echo", "conversation.utterance", "echo.cancel"),
    ]
    assert second["chunks"] == {"count": 4, "first_n": 9, "last_n": 12, "bytes": 400}
    assert [entry["n"] for entry in second["entries"]] == [14]
    assert items[0]["entry"]["actor"] == "ana"


def test_it_goes_on_after_a_number_and_nothing_stands_twice(
    client: APIClient, conversation: Conversation, log: Log
) -> None:
    echo = make.echo(conversation=conversation, inference_id="t")
    drafts = [log.room(0, "joined")]
    drafts += [log.put(1 + k, "operator", "noted", message={"k": k}) for k in range(6)]
    drafts.insert(2, log.said(1.5, echo.pk))
    drafts.append(log.heard(9, "conversation.replica.stopped_speaking", echo_id=echo.pk, message={}))
    append(drafts)
    Conversation.objects.filter(pk=conversation.pk).update(payload={"events": [event(k + 0.5) for k in range(8)]})
    url: str | None = f"/api/v1/conversations/{conversation.upstream_id}/timeline/?limit=2"
    seen: list[Any] = []
    while url:
        page = client.get(url).json()
        for item in page["results"]:
            seen += [item["n"]] if item["type"] == "entry" else [entry["n"] for entry in item.get("entries", [])]
            seen += [item["id"]] if item["type"] == "filled_in" else []
        url = page["next"]
    whole = results(client, conversation, "timeline")
    filled = [item["id"] for item in whole if item["type"] == "filled_in"]
    assert sorted(map(str, seen)) == sorted(map(str, [*range(1, 10), *filled]))
    assert len(filled) == 8
    second = results(client, conversation, "timeline", "?after=7")
    assert next(item for item in second if item["type"] == "echo")["continued"] is True


def event(seconds: float, event_type: str = "application.recording_ready", **properties: Any) -> dict[str, Any]:
    return {
        "event_type": event_type,
        "message_type": event_type.split(".")[0],
        "timestamp": at(seconds).isoformat().replace("+00:00", "Z"),
        "properties": properties,
    }


def test_what_only_tavus_tells_is_filled_in_where_it_happened_and_marked(
    client: APIClient, conversation: Conversation, log: Log
) -> None:
    received = event(8, "application.perception_analysis")
    append(
        [
            log.room(1, "joined"),
            log.heard(2, "system.replica_joined", message={}),
            log.room(4, "lost", reason="x"),
            log.room(6, "joined"),
            log.put(9, "webhook", "application.perception_analysis", direction="in", message=received),
            log.room(10, "left", reason="ended"),
        ]
    )
    lines = [
        {"role": "user", "content": "Are you there?", "timestamp": at(5).timestamp()},
        {"role": "user", "content": "Heard.", "timestamp": at(7).isoformat()},
        {"role": "system", "content": "old transcripts tell no time"},
        "?",
    ]
    events = [
        event(2.1, "system.replica_joined"),
        event(2.2, "system.pal_joined"),
        event(4.5, "application.recording_ready", s3_key="k"),
        event(7.5, "application.raven_memory_evidence"),
        received,
        event(11, "application.transcription_ready", transcript=lines),
        {"event_type": "no.time"},
        "?",
    ]
    Conversation.objects.filter(pk=conversation.pk).update(payload={"events": events})
    items = results(client, conversation, "timeline")
    filled = [(item["event_type"], item["in_room"]) for item in items if item["type"] == "filled_in"]
    assert filled == [
        ("application.recording_ready", False),
        ("transcript.line", False),
        ("application.raven_memory_evidence", True),
        ("application.transcription_ready", True),
    ]
    order = [
        item.get("event_type") or item.get("entry", {}).get("event_type") for item in items if item["type"] != "gap"
    ]
    assert order[2:6] == ["lost", "application.recording_ready", "transcript.line", "joined"]
    assert order[-1] == "application.transcription_ready"


def test_a_line_of_the_transcript_that_the_log_has_is_not_told_again(
    client: APIClient, conversation: Conversation, log: Log
) -> None:
    append(
        [
            log.room(1, "joined"),
            log.heard(4, "conversation.utterance", message={}, said="Hello."),
            log.room(4.5, "lost"),
            log.room(6, "joined"),
        ]
    )
    lines = [{"role": "user", "content": text, "timestamp": at(5).timestamp()} for text in ("Hello.", "Missed.")]
    events = [event(11, "application.transcription_ready", transcript=lines)]
    Conversation.objects.filter(pk=conversation.pk).update(payload={"events": events})
    items = results(client, conversation, "timeline")
    told = [item["message"]["content"] for item in items if item.get("event_type") == "transcript.line"]
    assert told == ["Missed."]


def test_gaps_stand_where_they_happened(client: APIClient, conversation: Conversation, log: Log) -> None:
    append(
        [
            log.room(1, "joined"),
            log.heard(2, "conversation.utterance", seq=1, message={}),
            log.heard(3, "conversation.utterance", seq=4, message={}),
            log.room(4, "not_sent", ranges=[[2, 2]], count=1, reason="interrupted"),
        ]
    )
    items = results(client, conversation, "timeline")
    order = [item["gap"]["kind"] if item["type"] == "gap" else item["entry"]["event_type"] for item in items]
    assert order == [
        *("not_in_room", "joined", "conversation.utterance", "missing_seq", "conversation.utterance"),
        *("not_sent", "not_sent"),
    ]


@pytest.mark.parametrize("events", [None, "?", [1, {"event_type": 5}], {"a": 1}])
def test_events_that_make_no_sense_are_no_error(client: APIClient, conversation: Conversation, events: Any) -> None:
    Conversation.objects.filter(pk=conversation.pk).update(payload={"events": events})
    assert results(client, conversation, "timeline") == []


@pytest.mark.parametrize("query", ["?after=x", "?after=-1", "?limit=0", "?limit=1001"])
def test_bad_numbers_are_named(client: APIClient, conversation: Conversation, query: str) -> None:
    assert client.get(f"/api/v1/conversations/{conversation.public_id}/timeline/{query}").status_code == 400


# --- gaps ---


def test_gaps_are_found_once_however_the_entries_are_looked_through(
    client: APIClient, conversation: Conversation, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "BATCH", 2)
    append([log.room(1, "joined")])
    assert [gap["kind"] for gap in results(client, conversation, "gaps")] == ["not_in_room"]
    append([log.heard(2 + seq, "conversation.utterance", seq=seq, message={}) for seq in (1, 2, 6, 7, 12)])
    for _ in range(2):
        found = results(client, conversation, "gaps", "?kind=missing_seq")
        assert [(gap["first_seq"], gap["last_seq"], gap["count"]) for gap in found] == [(3, 5, 3), (8, 11, 4)]
    append([log.heard(20 + seq, "conversation.utterance", seq=seq, message={}) for seq in (4, 8, 11, 3, 5, 5)])
    found = results(client, conversation, "gaps", "?kind=missing_seq")
    assert [(gap["first_seq"], gap["last_seq"], gap["count"]) for gap in found] == [(9, 10, 2)]


def test_the_time_out_of_the_room_lasts_until_somebody_joins(
    client: APIClient, conversation: Conversation, log: Log
) -> None:
    append([log.room(1, "joined"), log.room(5, "lost", reason="x")])
    [lasting] = results(client, conversation, "gaps", "?expected=false")
    assert (lasting["kind"], lasting["reason"], lasting["to_at"], lasting["seconds"]) == (
        *("not_in_room", "room_lost", None, None),
    )
    gap_facts = {"from": at(3).isoformat(), "to": at(9).isoformat(), "reason": "room_lost"}
    append([log.room(9, "gap", **gap_facts), log.room(9, "joined")])
    [closed] = results(client, conversation, "gaps", "?expected=false")
    assert (closed["id"], closed["seconds"], closed["n"]) == (lasting["id"], 6.0, 4)


def test_the_duty_finds_the_gaps_of_all_conversations_and_goes_on_where_it_was(
    client: APIClient, conversation: Conversation, log: Log, django_assert_max_num_queries: Any
) -> None:
    other = Log(Conversation.objects.get(pk=make.conversation(upstream_created_at=BEGAN).pk))
    append([log.room(1, "joined"), log.room(2, "dropped", count=4, reason="inbox_full")])
    append([other.room(1, "joined"), other.room(2, "lost", reason="x")])
    newest = Entry.objects.latest("id").pk
    assert gaps.find_new(newest, seconds=30) == 2
    assert Progress.objects.get(name="gaps").last_id == newest
    with django_assert_max_num_queries(2):
        assert gaps.find_new(newest, seconds=30) == 0
    listed = client.get("/api/v1/entries/gaps/").json()["results"]
    assert [(gap["kind"], gap["count"]) for gap in listed] == [("not_in_room", None), ("dropped", 4)]
    assert listed[0]["conversation"] == other.conversation.public_id
    expected = client.get("/api/v1/entries/gaps/?expected=true").json()["results"]
    assert {gap["reason"] for gap in expected} == {"not_joined"}
    assert len(client.get("/api/v1/entries/gaps/?expected=any").json()["results"]) == 4
    assert client.get("/api/v1/entries/gaps/?kind=nope").status_code == 400
    assert safe_head() >= 0


def test_gaps_are_exported(client: APIClient, conversation: Conversation, log: Log) -> None:
    odd = "=cmd"
    drafts = [log.room(1, "joined")]
    drafts += [log.heard(2 + seq, "conversation.utterance", seq=seq, sender=odd, message={}) for seq in (1, 3, 5, 7)]
    append(drafts)
    gaps.catch_up(conversation)
    response = client.get("/api/v1/entries/gaps/?format=csv&kind=missing_seq")
    rows = list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode(), newline="")))
    assert [row["first_seq"] for row in rows] == ["6", "4", "2"]
    assert {row["sender"] for row in rows} == {"'=cmd"}
    lines = b"".join(client.get("/api/v1/entries/gaps/?format=ndjson&expected=any").streaming_content).splitlines()
    assert len(lines) == Gap.objects.count() == 4
    assert json.loads(lines[0])["conversation"] == conversation.public_id
    assert Entry.objects.filter(event_type="log.exported").count() == 2
    assert client.get("/api/v1/entries/gaps/?format=xml").status_code == 400
