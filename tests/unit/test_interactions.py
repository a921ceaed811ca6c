"""Interactions: their shapes, their sizes, how a text is cut, and how anything that comes in is read."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversations import interactions as ix
from conversations.refusals import Empty, Refusal, TooLarge, Unspeakable

CONVERSATION = "c123456"
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def squeezed(text: str) -> str:
    return "".join(text.split())


def wire(text: str, part_id: str) -> int:
    return ix.wire_size(ix.text_echo(CONVERSATION, text, part_id))


# --- what is sent ---------------------------------------------------------------------------------------------------


@given(st.text("abc-", min_size=1, max_size=128), st.sampled_from([8000, 24000, 48000]))
def test_what_fits_a_message_fills_it(inference_id: str, rate: int) -> None:
    size = ix.fitting_pcm(CONVERSATION, rate, inference_id)
    assert size % 2 == 0
    full, over = (
        ix.wire_size(ix.audio_echo_chunk(CONVERSATION, bytes(n), rate, inference_id, False)) for n in (size, size + 4)
    )
    assert full <= ix.LIMIT < over


def test_a_text_echo_has_the_documented_shape() -> None:
    assert ix.text_echo(CONVERSATION, "Hello.", "a") == {
        "message_type": "conversation",
        "event_type": "conversation.echo",
        "conversation_id": CONVERSATION,
        "properties": {"modality": "text", "text": "Hello.", "inference_id": "a", "done": True},
    }


def test_an_audio_chunk_carries_its_samples_bit_for_bit() -> None:
    properties = ix.audio_echo_chunk(CONVERSATION, b"\x00\x01\xfe\xff", 24000, "a", done=False)["properties"]
    assert base64.b64decode(properties.pop("audio")) == b"\x00\x01\xfe\xff"
    assert properties == {"modality": "audio", "sample_rate": 24000, "inference_id": "a", "done": False}


def test_50_ms_at_24_khz_fit_well_into_a_message() -> None:
    message = ix.audio_echo_chunk("c1234567", bytes(2400), 24000, str(uuid.uuid4()), done=False)
    assert 3380 < ix.wire_size(message) < 3480


def test_an_interrupt_has_no_properties() -> None:
    assert ix.interrupt(CONVERSATION) == {
        "message_type": "conversation",
        "event_type": "conversation.interrupt",
        "conversation_id": CONVERSATION,
    }


@pytest.mark.parametrize(
    ("message", "event_type", "properties"),
    [
        (ix.respond(CONVERSATION, "Hi"), "conversation.respond", {"text": "Hi"}),
        (ix.overwrite_context(CONVERSATION, "x"), "conversation.overwrite_llm_context", {"context": "x"}),
        (ix.append_context(CONVERSATION, "x"), "conversation.append_llm_context", {"context": "x"}),
        (
            ix.sensitivity(CONVERSATION, pause="low"),
            "conversation.sensitivity",
            {"participant_pause_sensitivity": "low"},
        ),
        (
            ix.tool_result(CONVERSATION, "call_1", "22 C"),
            "conversation.tool_result",
            {"tool_call_id": "call_1", "output": "22 C", "status": "success"},
        ),
        (
            ix.append_context(CONVERSATION, "x", "completed"),
            "conversation.append_llm_context",
            {"context": "x", "job_status": "completed"},
        ),
        (
            ix.tool_result(CONVERSATION, "call_1", {"c": 22}, "error", "weather"),
            "conversation.tool_result",
            {"tool_call_id": "call_1", "output": {"c": 22}, "status": "error", "name": "weather"},
        ),
        (
            ix.sensitivity(CONVERSATION, interrupt="auto"),
            "conversation.sensitivity",
            {"participant_interrupt_sensitivity": "auto"},
        ),
        (
            ix.confirm_objective(CONVERSATION, "age_known"),
            "conversation.objective.confirm",
            {"objective_name": "age_known"},
        ),
    ],
)
def test_the_other_interactions_have_their_documented_shapes(message: Any, event_type: str, properties: Any) -> None:
    assert message["message_type"] == "conversation"
    assert (message["event_type"], message["properties"]) == (event_type, properties)


def test_a_sensitivity_needs_a_known_word() -> None:
    with pytest.raises(Refusal) as none:
        ix.sensitivity(CONVERSATION)
    with pytest.raises(Refusal) as wrong:
        ix.sensitivity(CONVERSATION, interrupt="loud")
    assert none.value.field == "participant_pause_sensitivity"
    assert wrong.value.field == "participant_interrupt_sensitivity"
    assert "superlow" in wrong.value.message


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ([1], Refusal),
        ("text", Refusal),
        ({"a": float("nan")}, Unspeakable),
        ({"a": 1.7976931348623157e308}, Unspeakable),  # 15 digits of it are more than a float holds
        ({"a": 2**64}, Unspeakable),
        ({"a": "\ud800"}, Unspeakable),
        ({"\udfff": 1}, Unspeakable),
        ({"a": b"bytes"}, Unspeakable),
        ({1: 2}, Unspeakable),
        ({"a": "x" * 4096}, TooLarge),
    ],
)
def test_a_raw_message_that_daily_cannot_carry_is_refused_by_name(message: object, error: type[Refusal]) -> None:
    with pytest.raises(error) as caught:
        ix.raw(message)
    assert caught.value.field == "message"


def test_a_raw_message_that_is_nested_too_deep_is_refused() -> None:
    deep: Any = {}
    for _ in range(500):
        deep = {"a": deep}
    with pytest.raises(Unspeakable):
        ix.raw(deep)


def test_a_raw_object_goes_out_as_it_is() -> None:
    message = {"event_type": "app.custom", "list": [1, 2.5, None, True], "text": "ä"}
    assert ix.raw(message) == message


# --- sizes and ids --------------------------------------------------------------------------------------------------


@given(st.dictionaries(st.text(), st.text(), max_size=5))
def test_the_size_is_that_of_compact_json_in_utf8(message: dict[str, str]) -> None:
    assert ix.wire_size(message) == len(json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode())


def test_the_rewritten_id_is_a_uuid_made_of_the_md5() -> None:
    assert ix.rewritten_id("utt-7") == str(uuid.UUID(hashlib.md5(b"utt-7").hexdigest()))


@pytest.mark.parametrize("value", ["a", "A-Z_0.9:x", "x" * 128])
def test_a_good_inference_id_is_taken(value: str) -> None:
    assert ix.check_inference_id(value) == value


@pytest.mark.parametrize("value", ["", "x" * 129, "a b", "a\n", "ä", None, 7])
def test_a_bad_inference_id_is_refused(value: object) -> None:
    with pytest.raises(Refusal) as caught:
        ix.check_inference_id(value)
    assert caught.value.field == "inference_id"


def test_one_part_keeps_the_id_and_several_are_numbered() -> None:
    assert ix.part_ids("X", 1) == ["X"]
    assert ix.part_ids("X", 3) == ["X.1", "X.2", "X.3"]
    assert ix.part_id("X", 2) == "X.2"


# --- the text of an echo --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "error", "status"),
    [
        ("", Empty, 400),
        (" \n\t", Empty, 400),
        ('<emotion value="sad"/>', Empty, 400),
        ("x" * 20_001, TooLarge, 413),
        ("a\ud800b", Unspeakable, 400),
        ("a\0b", Unspeakable, 400),
        ("bell\x07", Unspeakable, 400),
        (None, Refusal, 400),
        (["a"], Refusal, 400),
    ],
)
def test_a_text_that_cannot_be_said_is_refused_by_name(text: object, error: type[Refusal], status: int) -> None:
    with pytest.raises(error) as caught:
        ix.check_text(text)
    assert (caught.value.field, caught.value.status) == ("text", status)
    assert caught.value.message.endswith(".") or caught.value.message.endswith(").")


def test_the_refusal_of_a_character_says_where_it_is() -> None:
    with pytest.raises(Unspeakable, match=r"Character 3 .*U\+0000"):
        ix.check_text("ab\0")


def test_new_lines_tabs_and_emotion_tags_are_said() -> None:
    text = 'Hi.\r\n\tThere <emotion value="excited"/> 🙂'
    assert ix.check_text(text) == text


# --- cutting --------------------------------------------------------------------------------------------------------


def test_a_text_that_fits_is_one_part_and_unchanged() -> None:
    assert ix.split_text("  Hello. ", CONVERSATION, "a") == ["  Hello. "]


def test_a_long_text_is_cut_after_sentences() -> None:
    text = " ".join(f"This is the sentence number {k} of a long speech." for k in range(300))
    parts = ix.split_text(text, CONVERSATION, "a")
    assert len(parts) > 2
    assert all(part.endswith(".") and part.startswith("This") for part in parts)
    assert " ".join(parts) == text
    assert all(wire(part, f"a.{k}") <= ix.LIMIT for k, part in enumerate(parts, 1))
    assert wire(parts[0] + " " + parts[1][:60], "a.1") > ix.LIMIT, "a part is as long as it can be"


def test_without_sentences_it_is_cut_after_clauses_then_words_then_characters() -> None:
    clauses = ", ".join(["a clause that goes on"] * 300)
    words = "word " * 1500
    letters = "x" * 9000
    assert all(part.endswith((",", "on")) for part in ix.split_text(clauses, CONVERSATION, "a"))
    assert set(" ".join(ix.split_text(words, CONVERSATION, "a")).split()) == {"word"}
    assert "".join(ix.split_text(letters, CONVERSATION, "a")) == letters


def test_chinese_sentences_are_cut_without_spaces() -> None:
    text = "这是一个很长的句子。" * 400
    parts = ix.split_text(text, CONVERSATION, "a")
    assert all(part.endswith("。") for part in parts)
    assert "".join(parts) == text


def test_no_cut_falls_inside_an_emotion_tag() -> None:
    tag = '<emotion value="excited"/>'
    for padding in range(3700, 4000, 7):
        parts = ix.split_text("x" * padding + tag + "y" * 300, CONVERSATION, "a")
        assert sum(part.count(tag) for part in parts) == 1
    parts = ix.split_text((tag + " word ") * 400, CONVERSATION, "a")
    assert sum(part.count(tag) for part in parts) == 400
    assert not any(part.endswith(tag) for part in parts), "a tag stays with the words that it is for"


@pytest.mark.parametrize("cluster", ["é", "👩\u200d👩\u200d👧", "🇩🇪", "👍🏽", "❤\ufe0f"])
def test_no_cut_falls_inside_what_is_read_as_one_character(cluster: str) -> None:
    parts = ix.split_text(cluster * 2000, CONVERSATION, "a")
    assert len(parts) > 1
    for part in parts:
        assert len(part) % len(cluster) == 0
        assert part == cluster * (len(part) // len(cluster))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=40) | st.sampled_from([".", "!", "?\n"])),
    st.integers(1, 400),
    st.from_regex(r"\A[A-Za-z0-9._:-]{1,128}\Z"),
)
def test_parts_fit_and_joined_are_the_text_but_for_white_space(pieces: list[str], times: int, name: str) -> None:
    text = (" ".join(pieces) * times)[:20_000]
    parts = ix.split_text(text, CONVERSATION, name)
    assert squeezed("".join(parts)) == squeezed(text)
    for part, part_id in zip(parts, ix.part_ids(name, len(parts)), strict=True):
        assert wire(part, part_id) <= ix.LIMIT
    assert len(parts) == 1 or all(part.strip() for part in parts)


@settings(max_examples=30, deadline=None)
@given(st.text(st.sampled_from('a .,<>"/\\éñ😀\u200d🇩🇪\n'), min_size=1, max_size=60), st.integers(100, 400))
def test_cutting_worst_case_characters_keeps_every_one(pattern: str, times: int) -> None:
    text = pattern * times
    parts = ix.split_text(text, CONVERSATION, "a")
    assert squeezed("".join(parts)) == squeezed(text)
    assert all(wire(part, f"a.{k}") <= ix.LIMIT for k, part in enumerate(parts, 1))


def test_a_text_takes_a_second_for_fifteen_characters_and_tags_take_none() -> None:
    assert ix.estimated_seconds("x" * 150) == 10.0
    assert ix.estimated_seconds('<emotion value="sad"/>' + "x" * 15) == 1.0


# --- reading --------------------------------------------------------------------------------------------------------

OLD = {
    "event_type": "conversation.replica.stopped_speaking",
    "message_type": "conversation",
    "conversation_id": "c1",
    "inference_id": "i1",
    "properties": {"duration": 2.31, "interrupted": True},
    "seq": 602,
}
NEW = {
    "event_type": "conversation.stopped_speaking",
    "inference_id": "i1",
    "properties": {"role": "pal", "duration": 2.31, "interrupted": True},
    "seq": 603,
}


def test_both_families_of_speaking_events_say_the_same() -> None:
    old, new = ix.read(OLD), ix.read(NEW)
    for reading in (old, new):
        assert (reading.fact, reading.role, reading.family) == ("stopped", "replica", "speaking")
        assert (reading.inference_id, reading.duration, reading.interrupted) == ("i1", 2.31, True)
        assert reading.by_replica
    assert (old.seq, old.conversation_id, new.conversation_id) == (602, "c1", None)


@pytest.mark.parametrize(
    ("event_type", "properties", "fact", "role", "family"),
    [
        ("conversation.replica.started_speaking", {}, "started", "replica", "speaking"),
        ("conversation.pal.started_speaking", {}, "started", "replica", "speaking"),
        ("conversation.started_speaking", {"role": "replica"}, "started", "replica", "speaking"),
        ("conversation.started_speaking", {"role": "user"}, "started", "user", "speaking"),
        ("conversation.started_speaking", {}, "started", None, "speaking"),
        ("conversation.user.started_speaking", {"role": "replica"}, "started", "user", "speaking"),
        ("conversation.user.stopped_speaking", None, "stopped", "user", "speaking"),
        ("conversation.replica_interrupted", {}, "stopped", "replica", "speaking"),
        ("conversation.utterance", {"role": "replica"}, "utterance", "replica", "utterance"),
        ("conversation.utterance.streaming", {"role": "pal"}, "streaming", "replica", "utterance"),
        ("system.replica_joined", {}, "joined", None, "presence"),
        ("system.pal_joined", {}, "joined", None, "presence"),
        ("system.pal_present", {}, "present", None, "presence"),
        ("system.replica_present", {}, "present", None, "presence"),
        ("system.heartbeat", {}, None, None, "presence"),
        ("system.shutdown", {}, "shutdown", None, "room"),
        ("conversation.echo", {}, "echo", None, "echo"),
        ("conversation.interrupt", None, "interrupt", None, "echo"),
        ("conversation.tool_call", {}, None, None, "tool"),
        ("conversation.perception-tool-call", {}, None, None, "tool"),
        ("conversation.perception-analysis", {}, None, None, "context"),
        ("conversation.perception_analysis", {}, None, None, "context"),
        ("conversation.append_llm_context", {}, None, None, "context"),
        ("conversation.objective.activated", {}, None, None, "context"),
        ("chat-msg", {}, None, None, "other"),
        ("", {}, None, None, "other"),
    ],
)
def test_each_event_is_read_as_what_it_says(
    event_type: str, properties: Any, fact: str | None, role: str | None, family: str
) -> None:
    reading = ix.read({"event_type": event_type, "properties": properties})
    assert (reading.fact, reading.role, reading.family) == (fact, role, family)
    assert ix.family(event_type) == family


def test_a_message_that_comes_as_json_text_is_read_too() -> None:
    assert ix.read(json.dumps(OLD)) == ix.read(OLD)


def test_the_inference_id_may_lie_in_the_properties() -> None:
    message = {"event_type": "conversation.echo", "properties": {"inference_id": "x"}}
    assert ix.read(message).inference_id == "x"


def test_the_speech_of_an_utterance_is_read() -> None:
    message = {"event_type": "conversation.utterance", "properties": {"role": "replica", "speech": "Hello\0"}}
    assert ix.read(message).speech == "Hello\ufffd"
    assert ix.said(message) == "Hello\ufffd"


def test_the_words_for_search_are_those_of_echoes_and_whole_utterances() -> None:
    assert ix.said(ix.text_echo(CONVERSATION, "Hello.", "a")) == "Hello."
    assert ix.said(ix.audio_echo_chunk(CONVERSATION, b"", 24000, "a", done=True)) is None
    partial = {"event_type": "conversation.utterance.streaming", "properties": {"speech": "Hel"}}
    assert ix.said(partial) is None
    assert ix.read(partial).speech == "Hel"


def test_wrong_types_are_not_believed() -> None:
    message = {
        "event_type": "conversation.stopped_speaking",
        "inference_id": 7,
        "seq": "12",
        "properties": {"role": ["replica"], "duration": "long", "interrupted": 1},
    }
    reading = ix.read(message)
    assert reading.fact == "stopped"
    assert (reading.inference_id, reading.seq, reading.role, reading.duration) == (None, None, None, None)
    assert reading.interrupted is False


def test_huge_values_are_cut_or_left_out() -> None:
    message = {
        "event_type": "conversation.stopped_speaking" + "x" * 100_000,
        "inference_id": "i" * 100_000,
        "seq": 10**400,
        "properties": {"duration": 10**400},
    }
    reading = ix.read(message)
    assert (len(reading.event_type), len(reading.inference_id or "")) == (120, 200)
    assert (reading.seq, reading.duration) == (None, None)


@pytest.mark.parametrize("message", [None, 3, "", "no json", "[1]", b"\xff", "[" * 100_000, {"properties": []}, [], {}])
def test_foreign_messages_give_an_empty_reading(message: object) -> None:
    reading = ix.read(message)
    assert (reading.fact, reading.family, reading.event_type) == (None, "other", "")
    assert ix.said(message) is None


event_types = st.sampled_from([OLD["event_type"], NEW["event_type"], "conversation.echo", "conversation.utterance"])


@settings(max_examples=200)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "event_type": json_values | event_types,
            "conversation_id": json_values,
            "inference_id": json_values,
            "seq": json_values,
            "properties": json_values
            | st.dictionaries(st.sampled_from(["role", "speech", "text", "duration", "interrupted"]), json_values),
        },
    )
    | json_values
)
def test_reading_never_raises_and_gives_what_a_database_takes(message: object) -> None:
    reading = ix.read(message)
    assert reading.family in ix.FAMILIES
    for text in (reading.event_type, reading.role, reading.inference_id, reading.speech, ix.said(message)):
        if text is not None:
            assert "\0" not in text
            text.encode()


@given(st.text())
def test_every_event_type_has_a_family_of_the_closed_list(event_type: str) -> None:
    assert ix.family(event_type) in ix.FAMILIES


def test_floats_of_a_raw_message_have_the_fifteen_digits_that_the_sdk_carries() -> None:
    message = ix.raw({"event_type": "x", "deep": [{"a": 0.1 + 0.2}, 1.5, 7]})
    assert message == {"event_type": "x", "deep": [{"a": 0.3}, 1.5, 7]}
