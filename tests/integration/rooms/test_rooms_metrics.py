"""The steps of each echo, as the process that said it counts them."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY

from tests.integration.rooms.driving import InRoom, tone
from tests.waiting import until

STEPS = ("queued_to_sending", "sending_to_sent", "sent_to_speaking", "speaking_to_spoken")


def counted(step: str) -> float:
    return REGISTRY.get_sample_value("echoadmin_echo_step_seconds_count", {"step": step}) or 0.0


def took(step: str) -> float:
    return REGISTRY.get_sample_value("echoadmin_echo_step_seconds_sum", {"step": step}) or 0.0


def ended(state: str) -> float:
    return REGISTRY.get_sample_value("echoadmin_echoes_ended_total", {"state": state}) or 0.0


def test_a_text_and_an_audio_echo_are_counted_once_in_each_step(room: InRoom) -> None:
    before, spoken, sums = (
        {step: counted(step) for step in STEPS},
        ended("spoken"),
        {step: took(step) for step in STEPS},
    )
    text = room.until_state(room.say("One sentence. And one more of them."), "spoken")
    until(lambda: ended("spoken") == spoken + 1, "it is out of hand")
    for step in STEPS:
        first, last = step.split("_to_")
        row = (getattr(text, f"{last}_at") - getattr(text, f"{first}_at")).total_seconds()
        assert took(step) - sums[step] == pytest.approx(row, abs=0.25), step
    room.until_state(room.play(tone(1.0)), "spoken")
    until(lambda: ended("spoken") == spoken + 2, "it is out of hand")
    assert {step: counted(step) - before[step] for step in STEPS} == dict.fromkeys(STEPS, 2)


def test_an_interrupted_echo_counts_the_steps_that_it_reached(room: InRoom) -> None:
    before, spoken = ended("interrupted"), counted("speaking_to_spoken")
    echo = room.until_state(room.say("A long line of words, to be interrupted soon. " * 20), "speaking")
    room.interrupt()
    room.until_state(echo, "interrupted")
    until(lambda: ended("interrupted") == before + 1, "it is out of hand")
    assert counted("speaking_to_spoken") == spoken
