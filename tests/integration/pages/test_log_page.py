"""The log's page: what its address asks for, what a row opens into, and what it says of what can't be."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from echoadmin.log.clips import append_samples, new_clip
from echoadmin.log.index.duties import follow_log
from echoadmin.log.models import Entry, Kind
from echoadmin.log.writer import Draft, append
from tests import make

Visitor = Callable[[str | None], Client]
LOG = "/admin/log/entry/"
SAMPLES = b"\x01\x02" * 1200  # of one message
AUDIO = b64encode(SAMPLES).decode()


def said(words: str, stream: str = "cv_1", **columns: Any) -> Entry:
    usual: dict[str, Any] = {"kind": Kind.APP_MESSAGE, "direction": "in", "family": "utterance"}
    usual["event_type"] = "conversation.utterance"
    message = {"event_type": "conversation.utterance", "properties": {"speech": words, "role": "replica"}}
    draft = Draft(
        stream, conversation_ref=stream, message=message, said=words,
        **{**usual, **columns},
    )  # fmt: skip
    append([draft])
    return newest()


def newest() -> Entry:
    found = Entry.objects.order_by("-id").first()
    assert found is not None
    return found


def called(status: int = 404) -> Entry:
    message = {
        "method": "POST", "path": "/v2/conversations", "query": {}, "request": {"persona_id": "it's p1"},
        "status": status, "response": {"error": "no"}, "error": None, "seconds": 0.1824, "attempt": 1,
    }  # fmt: skip
    append([Draft("account", Kind.UPSTREAM, "POST /v2/conversations", is_error=True, request_id="r1", message=message)])
    return newest()


def chunks(count: int) -> Entry:
    """An audio echo of `count` messages; returns the first."""
    clip = new_clip(24_000)
    append_samples(clip.pk, SAMPLES * count)
    drafts = [
        Draft(
            "cv_1", Kind.APP_MESSAGE, "conversation.echo", direction="out", family="echo", conversation_ref="cv_1",
            inference_id="x1", clip=(clip.pk, n * 2400, 2400), actor="ana",
            message={"event_type": "conversation.echo", "properties": {"modality": "audio", "audio": AUDIO}},
        )
        for n in range(count)
    ]  # fmt: skip
    append(drafts)
    return Entry.objects.filter(inference_id="x1").order_by("id")[0]


@pytest.mark.django_db
def test_every_filter_is_a_chip_that_can_be_taken_away(visitor: Visitor) -> None:
    page = visitor("auditor").get(LOG, {"family": "echo", "conversation": "cv_1", "is_error": "true", "text": "daft"})
    chips = {chip.name: chip for chip in page.context["chips"]}
    assert set(chips) == {"family", "conversation", "is_error", "text"}
    without = chips["family"].without
    assert "family" not in without
    assert "conversation=cv_1" in without
    assert "text=daft" in without


@pytest.mark.django_db
def test_a_conversation_is_told_by_its_name(visitor: Visitor) -> None:
    row = make.conversation(name="Music Chat")
    said("Hello", row.public_id)
    page = visitor("auditor").get(LOG, {"conversation": row.public_id})
    assert page.context["chips"][0].value == "Music Chat"
    assert page.context["entries"][0]["conversation_name"] == "Music Chat"


@pytest.mark.django_db
def test_a_time_preset_becomes_a_moment_so_that_its_pages_hang_together(visitor: Visitor) -> None:
    client = visitor("auditor")
    address = client.get(LOG, {"last": "1h", "family": "echo"})["Location"]
    assert "at_after=" in address
    assert "family=echo" in address
    assert client.get(address).status_code == 200


@pytest.mark.django_db
def test_hits_are_marked_and_what_was_said_is_escaped(visitor: Visitor) -> None:
    said("One more <b>time</b>, said Daft Punk")
    follow_log()
    page = visitor("auditor").get(LOG, {"text": '"daft punk"'}).content.decode()
    assert "<mark>Daft Punk</mark>" in page
    assert "&lt;b&gt;time&lt;/b&gt;" in page


@pytest.mark.django_db
def test_the_messages_of_one_audio_echo_are_one_row_that_says_its_length(visitor: Visitor) -> None:
    first = chunks(20)
    client = visitor("auditor")
    rows = client.get(LOG, {"family": "echo"}).context["entries"]
    assert [(row["id"], row["words"]) for row in rows] == [(first.pk, "audio, 1 s")]
    assert len(client.get(LOG, {"family": "echo", "noise": "1"}).context["entries"]) == 20


@pytest.mark.django_db
def test_a_row_opens_into_its_sound_whole_or_alone_and_by_range(visitor: Visitor) -> None:
    first, client = chunks(3), visitor("auditor")
    path = f"{LOG}{first.pk}/audio/"
    assert path in client.get(f"{LOG}{first.pk}/opened/").content.decode()
    whole = client.get(path)
    assert whole["Content-Type"] == "audio/wav"
    assert len(b"".join(whole.streaming_content)) == 44 + 3 * 2400
    alone = client.get(path, {"only": "message"})
    assert len(b"".join(alone.streaming_content)) == 44 + 2400
    part = client.get(path, headers={"Range": "bytes=44-53"})
    assert (part.status_code, part["Content-Range"]) == (206, "bytes 44-53/7244")
    assert b"".join(part.streaming_content) == b"\x01\x02" * 5
    assert client.get(path, headers={"Range": "bytes=9999-"}).status_code == 416
    assert client.get(f"{LOG}{said('x').pk}/audio/").status_code == 404


@pytest.mark.django_db
def test_a_call_is_copied_as_curl_without_the_key(visitor: Visitor, settings: LazySettings) -> None:
    settings.TAVUS_API_URL, settings.TAVUS_API_KEY = "https://tavusapi.com", "tvsk-very-secret"
    client, row = visitor("auditor"), called()
    words = client.get(f"{LOG}{row.pk}/curl/").content.decode()
    assert words.startswith("curl -X POST https://tavusapi.com/v2/conversations")
    assert '"x-api-key: $TAVUS_API_KEY"' in words
    assert "tvsk-very-secret" not in words
    assert """'{"persona_id": "it'"'"'s p1"}'""" in words
    assert client.get(LOG).context["entries"][0]["words"] == "404 · 182 ms"


@pytest.mark.django_db
def test_an_entry_shows_what_was_before_and_after_and_the_same_request(visitor: Visitor) -> None:
    append([Draft("account", Kind.OPERATOR, "asked", actor="ana", request_id="r1", message={})])
    asked, row, later = newest(), called(), said("later", "account")
    context = visitor("auditor").get(f"{LOG}{row.pk}/opened/").context
    assert [line["id"] for line in context["before"]] == [asked.pk]
    assert context["after"][0]["id"] == later.pk
    assert any(f"/{asked.pk}/" in address for address, _ in context["links"])


@pytest.mark.django_db
def test_a_row_opens_in_as_many_queries_whatever_is_around_it(visitor: Visitor) -> None:
    client = visitor("auditor")

    def queries(entry: Entry) -> int:
        with CaptureQueriesContext(connection) as seen:
            assert client.get(f"{LOG}{entry.pk}/opened/").status_code == 200
        return len(seen)

    few = queries(said("one"))
    for n in range(30):
        said(f"more {n}")
    assert queries(said("last")) <= few + 1
    assert few <= 12


@pytest.mark.django_db
def test_what_the_tail_told_of_is_drawn_as_the_list_has_it(visitor: Visitor) -> None:
    rows = [said(f"line {n}") for n in range(3)]
    ids = ",".join(str(row.pk) for row in rows)
    answer = visitor("auditor").get(f"{LOG}rows/?ids={ids},999999,x")
    assert [line["id"] for line in answer.context["entries"]] == [row.pk for row in reversed(rows)]


BAD = {
    "unbalanced quotes": ("text", '"daft punk', "quotation mark"),
    "a query of 10 KB": ("text", "word " * 2048, "characters long"),
    "a query without words": ("text", "!!!", "no word"),
    "a cursor that is none": ("cursor", "abc", "Start at the newest"),
    "a conversation with NUL": ("conversation", "a\0b", "null"),
    "an echo that is no number": ("echo", "x", "number"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_is_told_on_the_page(what: str, visitor: Visitor) -> None:
    name, value, words = BAD[what]
    answer = visitor("auditor").get(f"{LOG}?{name}={quote(value)}")
    page = answer.content.decode()
    assert answer.status_code == 400
    assert 'role="alert"' in page
    assert words.lower() in page.lower()


@pytest.mark.django_db
def test_a_range_that_ends_before_it_starts_is_told(visitor: Visitor) -> None:
    answer = visitor("auditor").get(LOG, {"at_after": "2026-02-01T00:00Z", "at_before": "2026-01-01T00:00Z"})
    assert answer.status_code == 400
    assert "must be later" in answer.content.decode()


@pytest.mark.django_db
def test_a_cursor_of_another_filter_is_told_with_the_way_out(visitor: Visitor) -> None:
    for n in range(120):
        said(f"line {n}")
    client = visitor("auditor")
    older = client.get(LOG, {"conversation": "cv_1"}).context["older"]
    answer = client.get(LOG + older.replace("cv_1", "cv_2"))
    assert answer.status_code == 400
    assert "belongs to another filter" in answer.content.decode()
    assert "Start at the newest" in answer.content.decode()


@pytest.mark.django_db
def test_an_id_that_never_was_is_told_from_one_that_is_gone(visitor: Visitor) -> None:
    said("one")
    client = visitor("auditor")
    assert "There is no entry" in client.get(f"{LOG}99999999/change/").content.decode()
    assert "its last one is 1" in client.get(f"{LOG}of/cv_1/7/").content.decode()
    assert "There is no stream" in client.get(f"{LOG}of/cv_nowhere/7/").content.decode()
    assert client.get(f"{LOG}of/cv_1/1/")["Location"].endswith("/change/")


@pytest.mark.django_db
def test_a_timeline_groups_by_echo_and_shows_gaps_where_they_happened(visitor: Visitor) -> None:
    told = {"direction": "out", "family": "echo", "echo_id": 7, "event_type": "conversation.echo"}
    said("Around the world", **told)
    said("Guest speaks", seq=1)
    said("Around the world", echo_id=7, seq=2)
    said("After a gap", seq=6)
    append([Draft("cv_1", Kind.ROOM, "gap", conversation_ref="cv_1", message={"seconds": 4.2})])
    said("heart", event_type="system.replica_present")
    client = visitor("auditor")
    line = client.get(f"{LOG}timeline/cv_1/").context["line"]
    assert [block.kind for block in line.blocks] == ["echo", "entry", "gap", "entry", "gap"]
    assert len(line.blocks[0].rows) == 2
    assert "3 messages missing (seq 3 to 5)" in line.blocks[2].words
    assert line.folded == 1
    assert client.get(f"{LOG}timeline/cv_nowhere/").status_code == 404
    bad = client.get(f"{LOG}timeline/cv_1/?cursor=abc")
    assert (bad.status_code, "Start at the beginning" in bad.content.decode()) == (400, True)


@pytest.mark.django_db
def test_a_gap_in_the_room_is_told_by_its_length_and_not_by_two_moments(visitor: Visitor) -> None:
    gap = {"from": "2026-01-02T03:04:05.015+00:00", "to": "2026-01-02T03:04:17.5+00:00", "reason": "lost"}
    told = {"kind": Kind.ROOM, "event_type": "gap", "conversation_ref": "cv_gap", "message": gap}
    append([Draft(stream="cv_gap", **told)])
    [line] = visitor("auditor").get("/admin/log/entry/?conversation=cv_gap").context["entries"]
    assert line["words"] == "for 12.5 s, reason lost"


def test_a_timeline_asks_as_much_for_many_entries_as_for_few(visitor: Visitor) -> None:
    client = visitor("auditor")

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert client.get(f"{LOG}timeline/cv_1/").status_code == 200
        return len(seen)

    chunks(3)
    few = queries()
    for n in range(40):
        said(f"line {n}", echo_id=n % 5 + 1)
    assert queries() == few


@pytest.mark.django_db
def test_a_conversations_own_gaps_stand_on_its_timeline(visitor: Visitor) -> None:
    ref = make.conversation().public_id
    for seq in (1, 2, 6):
        said(f"line {seq}", ref, seq=seq, sender="replica-1")
    blocks = visitor("auditor").get(f"{LOG}timeline/{ref}/").context["line"].blocks
    words = [block.words for block in blocks if block.kind == "gap"]
    assert "3 messages missing (seq 3 to 5)" in words


@pytest.mark.django_db
def test_a_gap_that_the_room_itself_tells_stands_on_the_timeline_once(visitor: Visitor) -> None:
    ref = make.conversation().public_id
    began = datetime.now(UTC)

    def room(event_type: str, after: float, **message: Any) -> Draft:
        at = began + timedelta(seconds=after)
        message = {"event_type": event_type, **message}
        columns = {"kind": Kind.ROOM, "event_type": event_type, "conversation_ref": ref, "at": at}
        return Draft(stream=ref, message=message, **columns)

    lost = {"from": (began + timedelta(seconds=5)).isoformat(), "to": (began + timedelta(seconds=9)).isoformat()}
    append([room("joined", 0), room("lost", 5), room("gap", 9, reason="room_lost", **lost), room("joined", 9)])
    append([room("left", 20, reason="stopped"), room("joined", 30)])
    blocks = visitor("auditor").get(f"{LOG}timeline/{ref}/").context["line"].blocks
    assert [block.rows[0]["words"] for block in blocks if block.rows and block.rows[0]["event_type"] == "gap"] == [
        "for 4 s, reason room_lost"
    ]
    assert [block.words for block in blocks if block.kind == "gap" and not block.rows] == [
        "Console not in the room, 10 s (worker_stopped)"
    ]
