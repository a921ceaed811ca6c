"""The transcript of a conversation's page: which entries a page of it has, what is behind a line, its waveform."""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from conversations.models import Conversation
from conversations.transcript import behind, transcript_page
from echoadmin.log.clips import append_samples, new_clip
from echoadmin.log.models import Entry
from echoadmin.log.peaks import peaks
from echoadmin.log.wav import clip_wav
from echoadmin.log.writer import Draft, append
from tests import make

Visitor = Callable[[str | None], Client]
FIRST = re.compile(r'<script id="conversation-transcript" type="application/json">(.*?)</script>')

pytestmark = pytest.mark.django_db


@pytest.fixture
def row() -> Conversation:
    return make.room().conversation


def tell(row: Conversation, event_type: str, **columns: Any) -> None:
    kind = columns.pop("kind", "app_message")
    message = columns.pop("message", {"event_type": event_type})
    usual = {"direction": "in", "family": "other"} if kind == "app_message" else {"family": "other"}
    own = {"message": message, "conversation_ref": row.public_id}
    append([Draft(row.public_id, kind, event_type, **(own | usual | columns))])


def say(row: Conversation, words: str, **columns: Any) -> None:
    message = {"event_type": "conversation.utterance", "properties": {"role": "user", "speech": words}}
    tell(row, "conversation.utterance", family="utterance", message=message, said=words, **columns)


def chunks(row: Conversation, echo: int, count: int) -> int:
    """`count` messages of an echo of audio; returns the clip's id."""
    clip = new_clip(24_000)
    append_samples(clip.pk, bytes(2_400) * count)
    message = {"properties": {"modality": "audio", "audio": base64.b64encode(bytes(2_400)).decode()}}
    for number in range(count):
        tell(
            row, "conversation.echo", direction="out", family="echo", echo_id=echo, inference_id="a1",
            clip=(clip.pk, number * 2_400, 2_400), actor="ana", message=message,
        )  # fmt: skip
    return int(clip.pk)


def numbers(page: dict[str, Any]) -> list[int]:
    return [entry["n"] for entry in page["entries"]]


def address(row: Conversation) -> str:
    return f"/admin/conversations/conversation/{row.public_id}/change/"


def test_a_page_has_the_newest_oldest_first_without_heartbeats_and_with_one_chunk(row: Conversation) -> None:
    say(row, "One.")
    tell(row, "system.replica_present")
    chunks(row, 7, 3)
    say(row, "Two.")
    assert numbers(transcript_page(row)) == [1, 3, 6]
    assert numbers(transcript_page(row, noise=True)) == [1, 2, 3, 6]
    assert numbers(transcript_page(row, noise=True, every=True)) == [1, 2, 3, 4, 5, 6]


def test_the_consoles_own_looks_are_shown_among_calls_alone(row: Conversation) -> None:
    for actor, failed in (("system", False), ("ana", False), ("system", True)):
        tell(row, "GET /v2/conversations/{id}", kind="upstream", actor=actor, is_error=failed, message={"status": 200})
    assert numbers(transcript_page(row)) == [2, 3]
    assert numbers(transcript_page(row, noise=True)) == [1, 2, 3]
    assert numbers(transcript_page(row, show="calls")) == [1, 2, 3]


def test_pages_follow_one_another_to_the_first(row: Conversation) -> None:
    for number in range(120):
        say(row, f"Line {number}.")
    newest = transcript_page(row)
    assert (numbers(newest), newest["more"]) == (list(range(21, 121)), True)
    first = transcript_page(row, before=21)
    assert (numbers(first), first["more"]) == (list(range(1, 21)), False)
    assert numbers(transcript_page(row, after=3, before=9)) == [4, 5, 6, 7, 8]


def test_found_words_are_read_in_pages_too(row: Conversation) -> None:
    for number in range(9):
        say(row, f"Daft line {number}." if number % 2 else f"Punk line {number}.")
    assert numbers(transcript_page(row, find="daft")) == [2, 4, 6, 8]
    assert numbers(transcript_page(row, find="daft", after=2, before=8)) == [4, 6]
    assert numbers(transcript_page(row, find="UTTERANCE", before=4)) == [1, 2, 3]
    assert numbers(transcript_page(row, find="daft", after=100)) == []


@pytest.mark.parametrize(
    ("show", "expected"),
    [("said", [1, 3, 6]), ("audio", [3]), ("room", [2, 4]), ("calls", [5, 7]), ("wrong", [4, 5])],
)
def test_what_is_shown(row: Conversation, show: str, expected: list[int]) -> None:
    say(row, "One.")
    tell(row, "joined", kind="room")
    chunks(row, 7, 1)
    tell(row, "gap", kind="room", is_error=True, message={"count": 3})
    tell(row, "POST /v2/conversations", kind="upstream", is_error=True, message={"status": 500})
    tell(row, "echo.interrupt", kind="operator", actor="ana", message={"cancelled": []})
    tell(row, "system.shutdown", kind="webhook")
    found = [n for n in numbers(transcript_page(row, show=show)) if not (show == "room" and n == 7)]
    assert found == expected


def test_its_echoes_come_with_it_by_one_question(row: Conversation, django_assert_max_num_queries: Any) -> None:
    echo = make.echo(conversation=row, state="spoken")
    for _ in range(30):
        tell(row, "conversation.echo", direction="out", family="echo", echo_id=echo.pk, inference_id=echo.inference_id)
    with django_assert_max_num_queries(6):
        page = transcript_page(row)
    assert [one["inference_id"] for one in page["echoes"]] == [echo.inference_id]


def test_of_a_call_the_row_alone_is_sent(row: Conversation) -> None:
    message = {"method": "GET", "path": "/v2/x", "status": 200, "seconds": 0.1, "response": {"long": "x" * 9_000}}
    tell(row, "GET /v2/x", kind="upstream", message=message)
    [entry] = transcript_page(row)["entries"]
    assert set(entry["message"]) == {"method", "path", "status", "error", "seconds"}


def test_behind_an_echo_are_its_messages_and_the_call_of_the_same_request(row: Conversation) -> None:
    echo = make.echo(conversation=row, state="spoken")
    tell(row, "POST /v2/other", kind="upstream", request_id="r2")
    tell(row, "echo.approved", kind="operator", actor="ana", request_id="r1")
    chunks(row, echo.pk, 3)
    tell(row, "conversation.replica.started_speaking", echo_id=echo.pk, inference_id="w1", request_id="r1")
    entry = Entry.objects.get(stream__public_id=row.public_id, n=6)
    assert [one.n for one in behind(entry)] == [2, 3, 6]


def test_behind_a_fact_is_what_tells_it_in_the_other_words_and_by_webhook(row: Conversation) -> None:
    tell(row, "system.replica_joined")
    tell(row, "system.pal_joined")
    say(row, "Not of it.")
    tell(row, "system.replica_joined", kind="webhook")
    entry = Entry.objects.get(stream__public_id=row.public_id, n=1)
    assert [one.n for one in behind(entry)] == [1, 2, 4]


def test_the_page_begins_with_it_as_its_address_says(row: Conversation, visitor: Visitor) -> None:
    for words in ("Around the world.", "One more time."):
        say(row, words)
    client = visitor("auditor")
    [written] = FIRST.findall(client.get(address(row)).content.decode())
    assert numbers(json.loads(written)) == [1, 2]
    body = client.get(f"{address(row)}?show=said&find=more&view=log").content.decode()
    assert numbers(json.loads(FIRST.findall(body)[0])) == [2]
    assert 'value="said" selected' in body
    assert 'data-view="log" aria-pressed="true"' in body
    assert 'data-after="2"' in body


def test_an_address_that_makes_no_sense_is_told_on_the_page(row: Conversation, visitor: Visitor) -> None:
    client = visitor("auditor")
    [written] = FIRST.findall(client.get(f"{address(row)}?show=nonsense").content.decode())
    assert "Is one of" in json.loads(written)["refused"]
    answer = client.get(f"{address(row)}transcript/?show=nonsense")
    assert (answer.status_code, "Is one of" in answer.json()["refused"]) == (400, True)
    assert client.get(f"{address(row)}transcript/?find=%00&before={'9' * 5_000}").status_code == 200
    assert client.get(f"{address(row)}transcript/?before=%C2%B2&after=9999999999999999999999").json()["entries"] == []
    assert client.get(f"{address(row)}behind/1/").status_code == 404
    assert client.get(f"{address(row)}behind/99999999999999999999/").status_code == 404


def test_the_rows_behind_a_line_tell_what_they_say(row: Conversation, visitor: Visitor) -> None:
    message = {"method": "POST", "path": "/v2/conversations", "seconds": 0.1824, "status": 200}
    tell(row, "POST /v2/conversations", kind="upstream", request_id="r1", message=message)
    tell(row, "conversation.created", kind="operator", actor="ana", request_id="r1")
    page = visitor("auditor").get(f"{address(row)}behind/2/").content.decode()
    assert "200 · 182 ms" in page
    assert page.index("POST") < page.index("created")


def test_who_may_not_read_gets_nothing(row: Conversation, visitor: Visitor) -> None:
    say(row, "One.")
    for path in ("transcript/", "behind/1/"):
        assert visitor(None).get(f"{address(row)}{path}").status_code in (302, 403), path
        assert visitor("auditor").get(f"{address(row)}{path}").status_code == 200, path


def test_the_waveform_tells_how_loud_it_is_where(row: Conversation, visitor: Visitor) -> None:
    clip = new_clip(24_000)
    loud = struct.pack("<1000h", *[16_384, -16_384] * 500)
    for part in (bytes(2_000), loud[:999], loud[999:], struct.pack("<1000h", *[-32_768] * 1000), bytes(2_000)):
        append_samples(clip.pk, part)
    assert peaks(clip_wav(clip.pk), 4) == [0, 50, 100, 0]
    assert peaks(clip_wav(clip.pk, 2_000, 4_000), 2) == [50, 100]
    clip_id = chunks(row, 7, 2)
    entry = Entry.objects.get(stream__public_id=row.public_id, n=1)
    assert entry.clip_id == clip_id
    told = visitor("auditor").get(f"/admin/log/entry/{entry.pk}/peaks/").json()
    assert (len(told["peaks"]), max(told["peaks"]), told["seconds"]) == (120, 0, 0.1)


def test_what_has_no_sound_has_no_waveform(row: Conversation, visitor: Visitor) -> None:
    say(row, "One.")
    entry = Entry.objects.get(stream__public_id=row.public_id)
    assert visitor("auditor").get(f"/admin/log/entry/{entry.pk}/peaks/").status_code == 404
    assert peaks(clip_wav(new_clip(24_000).pk)) == []
