"""Waiting on a channel layer that does not do as it should."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from conversations import waiting
from conversations.live.looks import rest_after


class Layer:
    """Takes a first cancellation of receive() in without ending, as channels_redis on redis-py can."""

    def __init__(self, away: str = "") -> None:
        self.away = away

    async def new_channel(self, prefix: str = "specific") -> str:
        return f"{prefix}!1"

    async def group_add(self, group: str, channel: str) -> None:
        self._answer("group_add")

    async def group_discard(self, group: str, channel: str) -> None:
        self._answer("group_discard")

    async def receive(self, channel: str) -> Any:
        self._answer("receive")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()

    def _answer(self, call: str) -> None:
        if self.away == call:
            raise ConnectionError("the layer is away")


@pytest.mark.parametrize("away", ["", "group_add", "receive", "group_discard"])
def test_who_waits_looks_again_and_ends_whatever_the_layer_does(
    away: str, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.LOOK_EVERY = 0.01
    monkeypatch.setattr(waiting, "get_channel_layer", lambda: Layer(away))
    looks: Iterator[str | None] = iter([None, None, None, "found"])
    assert waiting.wait_for("cv_1", lambda: next(looks), 60) == "found"
    assert waiting.wait_for("cv_1", lambda: None, 0.05) is None


def test_a_connection_looks_less_often_where_looks_take_long() -> None:
    assert rest_after(0.003) == 0.1, "alone it looks ten times a second"
    assert rest_after(0.1) == pytest.approx(0.4)
    assert rest_after(5.0) == 1.0, "and never later than a second after a bell"
