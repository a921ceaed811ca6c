"""When the sender over a WebSocket is told to pause, and when to go on."""

from __future__ import annotations

from typing import Any

import pytest

from conversations.live.flow import STORING_LIMIT, Flow
from conversations.models import Echo


@pytest.fixture
def told() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def flow(told: list[dict[str, Any]]) -> Flow:
    async def send(message: dict[str, Any]) -> None:
        told.append(message)

    made = Flow(send)
    made.opened(Echo(inference_id="a", sample_rate=24_000, modality="audio"))
    return made


def ledger(state: str, chunks_sent: int, sent: str | None = None) -> dict[str, Any]:
    return {"inference_id": "a", "state": state, "chunks_sent": chunks_sent, "times": {"sent": sent}}


async def test_it_pauses_before_the_socket_is_not_read_any_more_and_resumes_at_half_of_that(
    flow: Flow, told: list[dict[str, Any]]
) -> None:
    await flow.came("a", 100, STORING_LIMIT * 3 // 4 - 1)
    assert told == []
    await flow.came("a", 100, STORING_LIMIT * 3 // 4)
    assert [(one["state"], one["because"]) for one in told] == [("pause", "storing")]
    await flow.stored(STORING_LIMIT // 2)
    assert len(told) == 1
    await flow.stored(STORING_LIMIT * 3 // 8)
    assert [one["state"] for one in told] == ["pause", "resume"]


async def test_what_the_room_has_had_is_not_buffered_and_an_echo_that_was_sent_is_nothing(
    flow: Flow, told: list[dict[str, Any]], settings: Any
) -> None:
    settings.ECHO_BUFFER = 1
    await flow.came("a", 96_000, 0)
    assert told[-1]["buffered_ms"] == 2_000
    flow.seen(ledger("sending", 20))
    await flow.look()
    assert len(told) == 1  # a second is left
    flow.seen(ledger("sending", 35))
    await flow.look()
    assert (told[-1]["state"], told[-1]["buffered_ms"], told[-1]["buffered_bytes"]) == ("resume", 250, 12_000)
    flow.seen(ledger("speaking", 40, sent="2026-01-05T10:00:00Z"))
    await flow.came("a", 96_000, 0)
    assert len(told) == 2


@pytest.mark.parametrize("state", ["interrupted", "failed", "cancelled"])
async def test_an_echo_that_came_to_another_end_buffers_nothing(
    flow: Flow, told: list[dict[str, Any]], settings: Any, state: str
) -> None:
    settings.ECHO_BUFFER = 1
    await flow.came("a", 96_000, 0)
    flow.seen(ledger(state, 3))
    await flow.look()
    assert [one["state"] for one in told] == ["pause", "resume"]
