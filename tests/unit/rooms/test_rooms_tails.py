"""Rings for streams that grow all the time: the first at once, the others together, none left out."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from conversations import bells
from tests.waiting import until


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The streams that were rung for, in order."""
    told: list[str] = []

    async def ring(group: str, message: dict[str, str]) -> None:
        told.append(message["stream"])

    monkeypatch.setattr(bells, "_group", ring)
    yield told
    bells.use_loop(None)


def on_a_loop(test: Coroutine[Any, Any, None]) -> None:
    async def run() -> None:
        bells.use_loop(asyncio.get_running_loop())
        await test

    asyncio.run(run())


def test_the_first_is_told_at_once_and_the_others_wait_their_time(
    rung: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bells, "TAIL_EVERY", 3600.0)

    async def run() -> None:
        tails = bells.Tails()
        await asyncio.to_thread(tails.grew, {"cv_1"})
        await asyncio.to_thread(until, lambda: rung == ["cv_1"], "the first was told")
        for _ in range(50):
            await asyncio.to_thread(tails.grew, {"cv_1", "cv_2"})
        assert rung == ["cv_1"]

    on_a_loop(run())


def test_many_threads_are_told_together_and_after_a_rest_it_begins_anew(
    rung: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bells, "TAIL_EVERY", 0.01)

    async def run() -> None:
        tails = bells.Tails()

        def grow() -> None:
            for _ in range(1000):
                tails.grew({"cv_1", "cv_2"})

        await asyncio.gather(*(asyncio.to_thread(grow) for _ in range(4)))
        for stream in ("cv_3", "cv_4", "cv_5"):
            await asyncio.to_thread(until, lambda: not tails._resting, "nothing is left to be told")
            tails.grew({stream})
            tails.grew({f"{stream}_too"})
            await asyncio.to_thread(
                until, lambda stream=stream: {stream, f"{stream}_too"} <= set(rung), "both were told"
            )

    on_a_loop(run())
    assert {"cv_1", "cv_2"} <= set(rung)


def test_without_a_loop_each_is_rung_for(monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[str] = []
    monkeypatch.setattr(bells, "ring_tail", rung.append)
    bells.use_loop(None)
    bells.Tails().grew(["cv_1", "cv_2"])
    assert rung == ["cv_1", "cv_2"]
