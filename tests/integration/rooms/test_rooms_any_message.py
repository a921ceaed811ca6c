"""Whatever JSON somebody sends into a room is in the log, once, in order, unchanged: from the socket to the row."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.integration.rooms.driving import InRoom

# Lone surrogates can't be sent as UTF-8, and JSON has no NaN.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NUMBERS = st.one_of(
    st.integers(-(2**80), 2**80), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.just(-0.0)
)
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(TEXTS, inner, max_size=5)),
    max_leaves=25,
)
KNOWN = st.fixed_dictionaries(
    {},
    optional={
        "message_type": st.one_of(st.sampled_from(["conversation", "system"]), ANYTHING),
        "event_type": st.one_of(
            st.sampled_from(["conversation.utterance", "conversation.started_speaking", "system.replica_present"]),
            ANYTHING,
        ),
        "conversation_id": ANYTHING,
        "seq": ANYTHING,
        "turn_idx": ANYTHING,
        "properties": st.one_of(
            st.dictionaries(st.sampled_from(["speech", "role", "audio", "inference_id", "duration"]), ANYTHING),
            ANYTHING,
        ),
    },
)


def nested(depth: int) -> Any:
    """Lists and objects in turns."""
    value: Any = "\0"
    for level in range(depth):
        value = [value] if level % 2 else {"in": value}
    return value


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(KNOWN, ANYTHING), min_size=1, max_size=12))
@example([nested(120)])
@example(["x" * 65_536, {"event_type": "y" * 65_536, "properties": {"speech": "\0" * 20_000}}])
@example([{"seq": 10**30, "properties": {"duration": 1e308}}, {"seq": -1}, {"seq": "7"}, {"seq": 1.5}, {"seq": True}])
def test_any_message_is_logged_as_it_was(room: InRoom, messages: list[Any]) -> None:
    for message in messages:
        room.twin.post(f"/twin/rooms/{room.upstream_id}/messages", message)
    room.agree()


def test_a_flood_of_long_messages_is_logged_whole_and_in_order(room: InRoom) -> None:
    for number in range(400):
        message = {"event_type": "conversation.tool_call", "properties": {"n": number, "arguments": "x" * 64_000}}
        room.twin.post(f"/twin/rooms/{room.upstream_id}/messages", message)
    room.agree()
    logged = room.entries(event_type="conversation.tool_call")
    assert len(logged) == 400
    assert not room.facts("dropped")
