"""From a draft to the columns of its row."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest

from echoadmin.log.chain import canonical
from echoadmin.log.writer import Draft
from echoadmin.log.writer.rows import chained, prepare, storable

PCM = bytes(range(256)) * 9


def chunk(audio: str, **more: Any) -> dict[str, Any]:
    return {"event_type": "conversation.echo", "properties": {"audio": audio, "modality": "audio", **more}}


def draft(message: Any = None, **columns: Any) -> Draft:
    return Draft("cv_1", "app_message", "conversation.echo", message=message, **columns)


def test_the_hash_is_that_of_the_whole_message_and_the_body_has_null_for_its_samples() -> None:
    message = chunk(b64encode(PCM).decode())
    entry = prepare(draft(message, clip=(7, 100, len(PCM))))
    assert entry.body_sha256 == sha256(canonical(message).encode()).digest()
    assert entry.columns["body_bytes"] == len(canonical(message))
    assert entry.body == canonical(chunk(None))  # type: ignore[arg-type]
    assert (entry.clip_id, entry.columns["clip_start"], entry.columns["clip_bytes"]) == (7, 100, len(PCM))
    assert entry.samples is None


def test_inbound_samples_are_taken_out_to_be_stored() -> None:
    entry = prepare(draft(chunk(b64encode(PCM).decode()), samples=PCM))
    assert entry.samples == PCM
    assert '"audio":null' in entry.body


@pytest.mark.parametrize("audio", ["AAA=\n", "AB==", "AA", "not base64", "A-_/"])
def test_inbound_base64_that_its_samples_would_not_give_back_stays_as_it_came(audio: str) -> None:
    entry = prepare(draft(chunk(audio), samples=b"\0\0"))
    assert json.loads(entry.body) == chunk(audio)
    assert (entry.clip_id, entry.samples, entry.columns["clip_bytes"]) == (None, None, None)


def test_only_the_samples_go_when_the_same_text_stands_elsewhere_too() -> None:
    audio = b64encode(PCM).decode()
    message = chunk(audio, nested={"audio": audio}) | {"a": {"audio": audio}, "z": f'"audio":"{audio}"'}
    entry = prepare(draft(message, clip=(1, 0, len(PCM))))
    assert json.loads(entry.body) == {**message, "properties": {**message["properties"], "audio": None}}


def test_a_range_that_can_not_be_the_messages_audio_is_refused() -> None:
    with pytest.raises(ValueError, match="clip has 99 bytes"):
        prepare(draft(chunk(b64encode(PCM).decode()), clip=(1, 0, 99)))


def test_a_message_without_audio_ignores_samples() -> None:
    assert prepare(draft({"properties": {"text": "Hi"}}, samples=b"")).body == '{"properties":{"text":"Hi"}}'
    assert prepare(draft([1, 2], clip=(1, 0, 2))).body == "[1,2]"


def test_text_that_postgresql_could_not_hold_is_replaced_in_columns_and_kept_in_the_body() -> None:
    words = "a\0b\ud800c\U0001f600"
    entry = prepare(draft({"text": words}, sender_name=words, said=words))
    assert entry.columns["sender_name"] == entry.said == "a\ufffdb\ufffdc\U0001f600"
    assert json.loads(entry.body) == {"text": words}
    assert storable("\ud83d\ude00") == "\U0001f600"


def test_columns_are_cut_to_their_length_and_a_seq_that_no_column_holds_is_left_to_the_body() -> None:
    entry = prepare(Draft("cv_1", "app_message", "e" * 300, inference_id="x" * 5000, seq=2**63, message={}))
    assert (len(entry.columns["inference_id"]), len(entry.columns["event_type"])) == (200, 200)
    assert entry.columns["seq"] is None


def test_an_entry_is_late_when_it_is_stored_over_five_seconds_after_it_happened() -> None:
    now = datetime.now(UTC)
    for age, late in ((4.9, False), (5.1, True), (-1, False)):
        entry = prepare(draft({}, at=now - timedelta(seconds=age)))
        assert chained(entry, 1, 1, bytes(32), now)[0]["late"] is late


def test_a_draft_that_no_entry_can_hold_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="needs a time zone"):
        prepare(draft({}, at=datetime(2024, 1, 1)))
    with pytest.raises(ValueError, match="needs a stream"):
        prepare(Draft("", "room", "joined"))
    with pytest.raises(TypeError, match="no form in JSON"):
        prepare(draft({"a": object()}))
