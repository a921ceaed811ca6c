"""What counts as a difference between a row and its object upstream, and the patches that bring either side over."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoadmin.mirror import drift
from echoadmin.mirror.drift import Comparison, _dated, _Walk
from personas.edits import edited

NOW = datetime(2026, 11, 28, tzinfo=UTC)
BOOKKEEPING = frozenset(["persona_id", "created_at", "updated_at"])


@dataclass
class Row:
    requested: dict[str, Any] = field(default_factory=dict)
    payload: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, Any] | None = None
    synced_at: datetime | None = NOW


def differences(asked: dict[str, Any], seen: dict[str, Any], now: dict[str, Any], noted: Any = None) -> Comparison:
    row, found = Row(asked, seen), Comparison("live", NOW, payload=now)
    for one in _Walk(BOOKKEEPING, noted or {}).walk(asked, seen, now):
        if one.kept_back == drift._MASKED:
            found.not_compared.append(one.pointer)
        else:
            found.differences.append(_dated(one, noted or {}, row, NOW))
    return found


def fields(found: Comparison) -> list[str]:
    return [one.pointer for one in found.differences]


def test_what_was_asked_for_counts_and_else_what_was_seen() -> None:
    found = differences(
        {"persona_name": "Ana", "layers": {"tts": {"speed": 1}}},
        {"persona_name": "Ana", "greeting": "Hi", "layers": {"tts": {"speed": 1, "voice": "a"}}},
        {"persona_name": "Eva", "greeting": "Ho", "layers": {"tts": {"speed": 2, "voice": "b"}}},
    )
    assert [(one.pointer, one.here, one.upstream, one.asked) for one in found.differences] == [
        ("/greeting", "Hi", "Ho", False),
        ("/layers/tts/speed", 1, 2, True),
        ("/layers/tts/voice", "a", "b", False),
        ("/persona_name", "Ana", "Eva", True),
    ]


@pytest.mark.parametrize(
    ("asked", "seen", "now"),
    [
        ({"persona_id": "p1"}, {"updated_at": "1"}, {"persona_id": "p2", "updated_at": "2"}),
        ({"greeting": None}, {}, {}),
        ({}, {"greeting": None}, {}),
        ({"pipeline_mode": "echo"}, {}, {}),
        ({}, {"persona_name": "Ana"}, {"persona_name": "Ana", "tool_ids": ["t"]}),
    ],
    ids=["bookkeeping", "null is absent", "absent is null", "what upstream never told", "what the mirror never held"],
)
def test_this_is_no_difference(asked: dict[str, Any], seen: dict[str, Any], now: dict[str, Any]) -> None:
    assert fields(differences(asked, seen, now)) == []


def test_a_field_that_upstream_once_told_and_lacks_now_differs_also_after_the_mirror_has_forgotten_it() -> None:
    assert fields(differences({"greeting": "Hi"}, {"greeting": "Hi"}, {})) == ["/greeting"]
    assert fields(differences({"greeting": "Hi"}, {}, {}, {"/greeting": {"since": NOW.isoformat()}})) == ["/greeting"]


def test_a_masked_field_is_not_compared_and_in_no_patch() -> None:
    here = {"layers": {"llm": {"model": "a", "api_key": "[redacted]"}}}
    now = {"layers": {"llm": {"model": "b", "api_key": ""}}}
    found = differences(here, here, now)
    assert fields(found) == ["/layers/llm/model"]
    assert found.not_compared == ["/layers/llm/api_key"]
    assert "redacted" not in str(found.push) + str(found.pull)


@pytest.mark.parametrize("kept", [True, False])
def test_what_holds_a_secret_is_shown_and_kept_back_from_a_push(kept: bool) -> None:
    llm = {"layers": {"llm": {"model": "a", "api_key": "[redacted]"}}}
    bare: dict[str, Any] = {"layers": {}}
    found = differences({}, llm if kept else bare, bare if kept else llm)
    assert fields(found) == ["/layers/llm"]
    assert found.push == []
    assert "secret" in found.differences[0].kept_back


def test_a_name_with_slash_and_tilde_is_escaped() -> None:
    found = differences({"a/b": {"c~d": 1}}, {"a/b": {"c~d": 1}}, {"a/b": {"c~d": 2}})
    assert fields(found) == ["/a~1b/c~0d"]
    assert drift.at({"a/b": {"c~d": 3}}, "/a~1b/c~0d") == 3


def test_the_digest_covers_the_patch_and_what_it_replaces() -> None:
    one = differences({"persona_name": "Ana"}, {}, {"persona_name": "Eva"})
    other = differences({"persona_name": "Ana"}, {}, {"persona_name": "Ida"})
    assert one.push == other.push and one.push_sha256 != other.push_sha256
    assert one.push_sha256 == differences({"persona_name": "Ana"}, {}, {"persona_name": "Eva"}).push_sha256


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "a", "b"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["x", "y/z", "~"]), inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(st.sampled_from(["name", "layers", "greeting"]), VALUES, max_size=3)


@given(DOCUMENTS, DOCUMENTS)
def test_the_patches_bring_either_side_over(here: dict[str, Any], now: dict[str, Any]) -> None:
    found = differences(here, here, now)
    pushed = jsonpatch.apply_patch(deepcopy(now), _without_idle_removals(found.push, now))
    assert fields(differences(here, here, pushed)) == []
    pulled = jsonpatch.apply_patch(deepcopy(here), _without_idle_removals(found.pull, here))
    assert fields(differences(pulled, pulled, now)) == []


def _without_idle_removals(patch: list[dict[str, Any]], document: dict[str, Any]) -> list[dict[str, Any]]:
    for operation in patch:
        if operation["op"] == "remove":
            assert drift.at(document, operation["path"]) is not None, "a patch removes only what is there"
    return patch


class TestEdits:
    def test_what_an_edit_asks_for_is_asked_for_from_then_on(self) -> None:
        row = Row({"persona_name": "Ana", "layers": {"tts": {"speed": 1}}}, {"greeting": "Hi"})
        operations = [
            {"op": "replace", "path": "/pal_name", "value": "Eva"},
            {"op": "remove", "path": "/greeting"},
            {"op": "add", "path": "/layers/tts/voice", "value": "b"},
            {"op": "test", "path": "/persona_name", "value": "Eva"},
        ]
        assert edited(row, operations) == {  # type: ignore[arg-type]
            "persona_name": "Eva",
            "greeting": None,
            "layers": {"tts": {"speed": 1, "voice": "b"}},
        }
        assert row.requested["persona_name"] == "Ana"

    def test_a_place_in_a_list_asks_for_the_whole_list(self) -> None:
        row = Row({}, {"tool_ids": ["a"]})
        assert edited(row, [{"op": "add", "path": "/tool_ids/-", "value": "b"}]) == {"tool_ids": ["a", "b"]}  # type: ignore[arg-type]

    def test_a_secret_is_asked_for_masked(self) -> None:
        key = "k" * 20
        asked = edited(Row(), [{"op": "add", "path": "/layers", "value": {"llm": {"api_key": key}}}])  # type: ignore[arg-type]
        assert asked == {"layers": {"llm": {"api_key": "[redacted]"}}}

    def test_an_operation_about_what_was_never_seen_asks_for_nothing(self) -> None:
        assert edited(Row(), [{"op": "remove", "path": "/layers/tts/voice"}]) == {}  # type: ignore[arg-type]
