"""What the tests of scripts share: a room in which time passes only while the run waits, scripts, and runs of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from conversations.models import Conversation, Echo, Script
from conversations.scripts import run as run_module
from conversations.scripts.asking import check
from conversations.scripts.keeping import save_script
from echoadmin.actors import Actor
from echoadmin.runs import Held, Run, claim_run, perform, start_run

ANA = Actor("ana", user_id=5, api_key_ref="k1", request_id="r1", role="operator")
BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def script(*lines: Any, name: str = "Tour", **variables: str) -> Script:
    """Lines are texts, or as the API takes them."""
    whole = [{"text": line} if isinstance(line, str) else line for line in lines]
    return save_script(actor=ANA, name=name, lines=whole, variables=variables)


def ask(of: Script, into: Conversation, **variables: str) -> Run:
    asked = check({"script": of.public_id, "to": into.public_id, "variables": variables})
    return start_run(
        actor=ANA, kind="script", params=asked.params, label=asked.label, conversation_ref=asked.conversation_ref
    )


def do(run: Run, closing: threading.Event | None = None) -> Run:
    """Claim it, do it until it ends or waits, and read how that was."""
    claimed = claim_run("here")
    assert claimed is not None and claimed.pk == run.pk
    perform(claimed, closing)
    run.refresh_from_db()
    return run


def spoken(into: Conversation) -> list[str]:
    return list(into.echoes.filter(state="spoken").order_by("position").values_list("text", flat=True))


class World:
    """The room says one line in each wait of the run, unless `say` is False; `handed`: when each was handed over."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.passed = 0.0
        self.say = True
        self.handed: list[tuple[float, str]] = []
        self.waits = 0
        self._happens: dict[int, Callable[[], Any]] = {}
        say = run_module.say

        def noted(*given: Any) -> Echo:
            echo = say(*given)
            Echo.objects.filter(pk=echo.pk).update(queued_at=self.now())
            self.handed.append((round(self.passed, 3), echo.text))
            return echo

        monkeypatch.setattr(run_module, "timezone", SimpleNamespace(now=self.now))
        monkeypatch.setattr(run_module, "say", noted)
        monkeypatch.setattr(Held, "wait", self.wait)

    def now(self) -> datetime:
        return BEGAN + timedelta(seconds=self.passed)

    def at_wait(self, number: int, happens: Callable[[], Any]) -> None:
        """Something that happens during one of the next waits, counted from 0."""
        self.at_waits({number: happens})

    def at_waits(self, happens: dict[int, Callable[[], Any]]) -> None:
        """Several of those."""
        self.waits = 0
        self._happens = dict(happens)

    @property
    def wait(self) -> Any:
        def wait(held: Held, seconds: float) -> None:
            self.passed += seconds
            happens = self._happens.pop(self.waits, None)
            self.waits += 1
            if happens is not None:
                happens()
            held.check()
            if self.say:
                self.speak()

        return wait

    def speak(self, state: str = "spoken", **columns: Any) -> None:
        """The first line that waits, or is being said, gets to its end."""
        one = Echo.objects.filter(state__in=("queued", "speaking")).order_by("position").first()
        if one is not None:
            Echo.objects.filter(pk=one.pk).update(state=state, ended_at=self.now(), sending_at=self.now(), **columns)
