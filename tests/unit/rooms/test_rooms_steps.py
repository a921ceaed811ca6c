"""How far an echo got, as it is told to whoever traces."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from conversations.models import Echo
from conversations.rooms import echo_steps
from conversations.rooms.echo_steps import STEPS, EchoSteps


def test_steps_of_the_same_moment_are_told_in_their_own_order(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Mapping[str, datetime]] = []
    monkeypatch.setattr(echo_steps.tracing, "echo", lambda times, facts, failed: told.append(times))
    at = datetime.now(UTC)
    steps = EchoSteps(Echo(inference_id="e", modality="text", queued_at=at))
    steps.reach("sending", at)
    heard = at + timedelta(milliseconds=3)
    steps.hear("speaking", heard)
    steps.reach("sent", heard)  # the SDK said so later, and it was no later than this
    steps.hear("spoken", heard + timedelta(seconds=1))
    steps.count()
    [times] = told
    assert tuple(times) == STEPS
