"""What the tests of replays share: what was said, runs, and a room in which time passes only while the run waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from conversations.models import Conversation, Echo
from conversations.replay import check
from conversations.services import speaking
from echoadmin.actors import Actor
from echoadmin.runs import Held, Run, claim_run, perform, start_run
from tests import make

ANA = Actor("ana", user_id=5, api_key_ref="k1", request_id="r1")
BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def said(source: Conversation, *texts: str, every: float = 4.0) -> list[Echo]:
    echoes = []
    for k, text in enumerate(texts):
        at = BEGAN + timedelta(seconds=k * every)
        row = make.echo(conversation=source, text=text, position=k, sending_at=at, queued_at=at)
        echoes.append(Echo.objects.get(pk=row.pk))
    return echoes


class World:
    """Time passes only while the run waits; the room says one line in each wait."""

    def __init__(self) -> None:
        self.now = 0.0
        self.handed: list[tuple[float, str]] = []
        self.say = True
        self.waits = 0
        self._happens: dict[int, Callable[[], Any]] = {}

    def at_wait(self, number: int, happens: Callable[[], Any]) -> None:
        """Something that happens during one of the next waits, counted from 0."""
        self.waits = 0
        self._happens = {number: happens}

    def wait(self, held: Held, seconds: float) -> None:
        self.now += seconds
        happens = self._happens.pop(self.waits, None)
        self.waits += 1
        if happens is not None:
            happens()
        held.check()
        waiting = Echo.objects.filter(state="queued", replay_of__isnull=False).order_by("position").first()
        if self.say and waiting is not None:
            now = timezone.now()
            Echo.objects.filter(pk=waiting.pk).update(state="spoken", sending_at=now, spoken_at=now, ended_at=now)


def world_of(monkeypatch: pytest.MonkeyPatch) -> World:
    """Lines are noted with the moment at which they are handed over."""
    from conversations.replay import run

    made = World()
    monkeypatch.setattr(Held, "wait", lambda held, seconds: made.wait(held, seconds))
    monkeypatch.setattr(run, "monotonic", lambda: made.now)
    say_of = speaking.say_of

    def noted(**given: Any) -> Echo:
        echo = say_of(**given)
        made.handed.append((round(made.now, 3), echo.text))
        return echo

    monkeypatch.setattr(run.speaking, "say_of", noted)
    return made


def ask(**params: Any) -> Run:
    asked = check(params)
    return start_run(
        actor=ANA, kind="replay", params=asked.params, label=asked.label, conversation_ref=asked.conversation_ref
    )


def do(run: Run, closing: threading.Event | None = None) -> Run:
    claimed = claim_run("here")
    assert claimed is not None and claimed.pk == run.pk
    perform(claimed, closing)
    run.refresh_from_db()
    return run
