"""From a draft to the columns of its row."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoadmin.log.chain import HEADER_COLUMNS, canonical, digest, header, instant, leaf
from echoadmin.log.models import Kind
from echoadmin.log.writer import Draft
from echoadmin.log.writer.rows import COLUMNS, prepare, row, storable

PCM = bytes(range(256)) * 9
NOW = datetime.now(UTC)


def chunk(audio: str | None, **more: Any) -> dict[str, Any]:
    return {"event_type": "conversation.echo", "properties": {"audio": audio, "modality": "audio", **more}}


def columns(given_: Draft, n: int = 1) -> dict[str, Any]:
    """The row that would be stored now."""
    return dict(zip(COLUMNS, row(prepare(given_), 1, n, bytes(32), NOW)[0], strict=True))


def draft(message: Any = None, **columns: Any) -> Draft:
    return Draft("cv_1", "app_message", "conversation.echo", message=message, **columns)


def test_the_hash_is_that_of_the_whole_message_and_the_body_has_null_for_its_samples() -> None:
    message = chunk(b64encode(PCM).decode())
    stored = columns(draft(message, clip=(7, 100, len(PCM))))
    assert stored["body_sha256"] == sha256(canonical(message).encode()).digest()
    assert stored["body_bytes"] == len(canonical(message))
    assert stored["body"] == canonical(chunk(None))
    assert (stored["clip_id"], stored["clip_start"], stored["clip_bytes"]) == (7, 100, len(PCM))
    assert prepare(draft(message, clip=(7, 100, len(PCM)))).samples is None


def test_inbound_samples_are_taken_out_to_be_stored() -> None:
    entry = prepare(draft(chunk(b64encode(PCM).decode()), samples=PCM))
    assert entry.samples == PCM
    assert '"audio":null' in entry.body


@pytest.mark.parametrize("audio", ["AAA=\n", "AB==", "AA", "not base64", "A-_/"])
def test_inbound_base64_that_its_samples_would_not_give_back_stays_as_it_came(audio: str) -> None:
    entry = draft(chunk(audio), samples=b"\0\0")
    assert json.loads(prepare(entry).body) == chunk(audio)
    assert (prepare(entry).samples, columns(entry)["clip_bytes"]) == (None, None)


@pytest.mark.parametrize("other", [{"audio": None}, {"audio": b64encode(PCM).decode()}, {}])
def test_only_the_samples_go_when_the_same_text_stands_elsewhere_too(other: dict[str, Any]) -> None:
    audio = b64encode(PCM).decode()
    message = chunk(audio, nested=other) | {"a": other, "z": '"audio":null'}
    stored = columns(draft(message, clip=(1, 0, len(PCM))))
    assert json.loads(stored["body"]) == {**message, "properties": {**message["properties"], "audio": None}}
    assert stored["body_sha256"] == sha256(canonical(message).encode()).digest()


def test_a_range_that_can_not_be_the_messages_audio_is_refused() -> None:
    with pytest.raises(ValueError, match="clip has 99 bytes"):
        prepare(draft(chunk(b64encode(PCM).decode()), clip=(1, 0, 99)))


def test_a_message_without_audio_ignores_samples() -> None:
    assert prepare(draft({"properties": {"text": "Hi"}}, samples=b"")).body == '{"properties":{"text":"Hi"}}'
    assert prepare(draft([1, 2], clip=(1, 0, 2))).body == "[1,2]"


def test_text_that_postgresql_could_not_hold_is_replaced_in_columns_and_kept_in_the_body() -> None:
    words = "a\0b\ud800c\U0001f600"
    stored = columns(draft({"text": words}, sender_name=words, said=words))
    assert stored["sender_name"] == stored["said"] == "a\ufffdb\ufffdc\U0001f600"
    assert json.loads(stored["body"]) == {"text": words}
    assert storable("\ud83d\ude00") == "\U0001f600"


def test_columns_are_cut_to_their_length_and_a_seq_that_no_column_holds_is_left_to_the_body() -> None:
    stored = columns(Draft("cv_1", "app_message", "e" * 300, inference_id="x" * 5000, seq=2**63, message={}))
    assert (len(stored["inference_id"]), len(stored["event_type"]), stored["seq"]) == (200, 200, None)


def test_an_entry_is_late_when_it_is_stored_over_five_seconds_after_it_happened() -> None:
    for age, late in ((4.9, False), (5.1, True), (-1, False)):
        assert columns(draft({}, at=NOW - timedelta(seconds=age)))["late"] is late


WORDS = st.none() | st.text(st.characters(codec=None), max_size=300)
NUMBERS = st.none() | st.integers(-(2**70), 2**70)


@given(
    st.builds(
        Draft,
        stream=st.text(min_size=1),
        kind=st.sampled_from(Kind.values),
        event_type=st.text(),
        at=st.datetimes(timezones=st.just(UTC) | st.just(timezone(timedelta(hours=-7)))),
        direction=st.sampled_from(["in", "out", None]),
        sender=WORDS,
        sender_name=WORDS,
        inference_id=WORDS,
        echo_id=NUMBERS,
        conversation_ref=WORDS,
        persona_ref=WORDS,
        actor=WORDS,
        api_key_ref=WORDS,
        is_error=st.booleans(),
        epoch=NUMBERS,
        seq=NUMBERS,
        request_id=WORDS,
        clip=st.none() | st.just((3, 2400, len(PCM))),
        message=st.just(chunk(b64encode(PCM).decode())),
    ),
    st.integers(1, 2**62),
)
def test_the_leaf_is_that_of_the_header_of_the_stored_columns(given_: Draft, n: int) -> None:
    stored = columns(given_, n)
    head = header(
        {name: stored[name] for name in HEADER_COLUMNS} | {"stream": given_.stream, "at": instant(stored["at"])}
    )
    assert stored["leaf"] == leaf(head, stored["body_sha256"])
    assert stored["digest"] == digest(bytes(32), stored["leaf"])


def test_a_draft_that_no_entry_can_hold_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="needs a time zone"):
        prepare(draft({}, at=datetime(2024, 1, 1)))
    with pytest.raises(ValueError, match="needs a stream"):
        prepare(Draft("", "room", "joined"))
    with pytest.raises(TypeError, match="no form in JSON"):
        prepare(draft({"a": object()}))
