"""Rings for streams that grow all the time: the first at once, the others together, none left out."""

from __future__ import annotations

import asyncio

import pytest

from conversations import bells
from tests.waiting import until


def test_the_first_is_told_at_once_and_what_follows_once_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[str] = []

    async def ring(group: str, message: dict[str, str]) -> None:
        rung.append(message["stream"])

    async def run() -> None:
        bells.use_loop(asyncio.get_running_loop())
        tails = bells.Tails()

        def grow() -> None:
            for _ in range(1000):
                tails.grew({"cv_1", "cv_2"})

        await asyncio.to_thread(tails.grew, {"cv_1"})
        await asyncio.to_thread(until, lambda: rung == ["cv_1"], "the first was told")
        await asyncio.gather(*(asyncio.to_thread(grow) for _ in range(4)))
        await asyncio.to_thread(tails.grew, {"cv_3"})
        await asyncio.to_thread(until, lambda: "cv_3" in rung, "the last was told")

    monkeypatch.setattr(bells, "_group", ring)
    try:
        asyncio.run(run())
    finally:
        bells.use_loop(None)
    assert {"cv_1", "cv_2", "cv_3"} == set(rung)
    assert len(rung) < 100  # of 8,002


def test_without_a_loop_each_is_rung_for(monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[str] = []
    monkeypatch.setattr(bells, "ring_tail", rung.append)
    bells.use_loop(None)
    bells.Tails().grew(["cv_1", "cv_2"])
    assert rung == ["cv_1", "cv_2"]
