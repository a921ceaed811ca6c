"""Both vocabularies are read; one is written."""

from __future__ import annotations

from typing import Any

import pytest

from echoadmin.tavus.errors import InvalidRequest
from echoadmin.tavus.wire import MASK, path_of, storable, to_old, to_wire, to_wire_patch

NEW = {
    "pal_id": "p1",
    "pal_name": "Echo",
    "default_face_id": "r1",
    "layers": {"conversational_flow": {"pal_interruptibility": "low"}, "odd_layer": {"pal_id": "kept"}},
    "something_new": {"face_id": "kept"},
}
OLD = {
    "persona_id": "p1",
    "persona_name": "Echo",
    "default_replica_id": "r1",
    "layers": {"conversational_flow": {"replica_interruptibility": "low"}, "odd_layer": {"pal_id": "kept"}},
    "something_new": {"face_id": "kept"},
}


def test_a_row_in_the_new_words_is_read_in_the_old_ones_and_unknown_fields_stay() -> None:
    assert to_old(NEW) == OLD
    assert to_old(OLD) == OLD


def test_a_row_with_both_names_gives_the_one_that_holds_something() -> None:
    assert to_old({"pal_id": None, "persona_id": "p1"}) == {"persona_id": "p1"}
    assert to_old({"persona_id": "", "pal_id": "p2"}) == {"persona_id": "p2"}


def test_a_body_is_written_in_the_configured_words_only() -> None:
    assert to_wire(NEW, "persona") == OLD
    assert to_wire(OLD, "pal") == NEW
    assert to_wire({"persona_id": "p", "face_id": "r"}, "pal") == {"pal_id": "p", "face_id": "r"}
    assert to_wire({"persona_id": "p", "face_id": "r"}, "persona") == {"persona_id": "p", "replica_id": "r"}


def test_both_names_with_one_value_are_one_field_and_with_two_are_refused() -> None:
    assert to_wire({"persona_id": "p", "pal_id": "p"}, "persona") == {"persona_id": "p"}
    with pytest.raises(InvalidRequest) as caught:
        to_wire({"persona_id": "p", "pal_id": "q"}, "persona")
    assert list(caught.value.fields) == ["persona_id"]


def test_a_patch_is_translated_in_paths_and_values() -> None:
    patch = [
        {"op": "replace", "path": "/persona_name", "value": "x"},
        {"op": "move", "from": "/default_replica_id", "path": "/something"},
        {"op": "add", "path": "/layers/conversational_flow/replica_interruptibility", "value": "low"},
        {"op": "add", "path": "/layers/conversational_flow", "value": {"replica_interruptibility": "low"}},
        {"op": "add", "path": "/layers/tts/tts_emotion_control", "value": True},
    ]
    assert to_wire_patch(patch, "pal") == [
        {"op": "replace", "path": "/pal_name", "value": "x"},
        {"op": "move", "from": "/default_face_id", "path": "/something"},
        {"op": "add", "path": "/layers/conversational_flow/pal_interruptibility", "value": "low"},
        {"op": "add", "path": "/layers/conversational_flow", "value": {"pal_interruptibility": "low"}},
        {"op": "add", "path": "/layers/tts/tts_emotion_control", "value": True},
    ]
    assert to_wire_patch(to_wire_patch(patch, "pal"), "persona") == patch


@pytest.mark.parametrize("patch", [{}, "x", [1], [{"op": "add"}], [{"path": "/x"}], [{"op": "add", "path": 3}]])
def test_what_is_no_json_patch_is_refused_before_it_is_sent(patch: Any) -> None:
    with pytest.raises(InvalidRequest):
        to_wire_patch(patch, "persona")


def test_a_masked_secret_is_never_sent_back() -> None:
    with pytest.raises(InvalidRequest) as caught:
        to_wire({"layers": {"llm": {"api_key": MASK}}}, "persona")
    assert list(caught.value.fields) == ["layers.llm.api_key"]
    with pytest.raises(InvalidRequest):
        to_wire_patch([{"op": "add", "path": "/layers/tts/api_key", "value": MASK}], "pal")


def test_paths_follow_the_vocabulary_and_conversations_have_one() -> None:
    assert [path_of(kind, "pal") for kind in ("persona", "replica", "conversation")] == [
        "/v2/pals",
        "/v2/faces",
        "/v2/conversations",
    ]
    assert path_of("persona", "persona") == "/v2/personas"


def test_what_no_database_takes_is_replaced() -> None:
    assert storable({"a\x00": ["b\x00", "\ud800", 1, None, "ü"]}) == {"a\ufffd": ["b\ufffd", "\ufffd", 1, None, "ü"]}
