"""Doing a run: who holds it, what its function reports to, and how it ends."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import timedelta
from time import monotonic
from typing import Any

from django.db import close_old_connections, connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from echoadmin.runs.kinds import KINDS
from echoadmin.runs.models import ENDED, PART_BYTES, Run, RunPart, RunState

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)
RENEW = 8.0  # seconds between renewals while a run waits
LOOK = 0.5  # seconds between looks whether somebody wants it stopped
_AS_IT_IS: Any = object()


class Stopped(Exception):
    """Somebody asked this run to stop."""


class TakenOver(Stopped):
    """It is another process's now: end without a word, and undo nothing."""


class GivenBack(TakenOver):
    """This process ends: another takes the run up from its cursor."""


class Paused(Exception):
    """The run waits until somebody lets it go on, for a reason that its words tell."""


class Broken(Exception):
    """The run can't go on, for a reason that its words tell; `result` says how far it came."""

    def __init__(self, words: str, result: dict[str, Any] | None = None) -> None:
        super().__init__(words)
        self.result = result


class Held:
    """A run in hand: what its function reports to, and asks whether to go on."""

    def __init__(self, run: Run, closing: threading.Event | None = None) -> None:
        self.run = run
        self._closing = closing or threading.Event()
        self._parts = run.parts.count()
        self._buffer = bytearray()
        self._renewed = monotonic()

    @property
    def params(self) -> dict[str, Any]:
        """What was asked."""
        return dict(self.run.params)

    @property
    def cursor(self) -> Any:
        """From where to go on; None at the first start."""
        return self.run.cursor

    def progress(self, done: int, *, total: int | None = None, cursor: Any = _AS_IT_IS) -> None:
        """Write how far it is and renew the lease; what was written to the file becomes durable with it, together.

        Raises Stopped when it shall end. Call it at least every 10 s.
        """
        changes: dict[str, Any] = {"done": done, "lease_until": Now() + LEASE}
        if total is not None:
            changes["total"] = total
        if cursor is not _AS_IT_IS:
            changes["cursor"] = cursor
        with transaction.atomic():
            kept = bool(self._mine().update(**changes))
            if kept:
                self._flush()
        if not kept:
            self._end()
        self.run.done = done
        if cursor is not _AS_IT_IS:
            self.run.cursor = cursor
        self._renewed = monotonic()
        if self._closing.is_set():
            raise GivenBack

    def take_wish(self, wish: str) -> bool:
        """Whether somebody wished this since it was asked last; it is granted by asking."""
        return bool(self._mine().filter(wish=wish).update(wish=""))

    def write(self, data: bytes) -> None:
        """More bytes of the result's file; durable at the next `progress`. Write some MB before each."""
        self._buffer += data

    def begin_file(self, name: str, content_type: str) -> None:
        """A new, empty file; what an earlier attempt wrote is forgotten."""
        with transaction.atomic():
            if not self._mine().update(file_name=name, content_type=content_type, file_bytes=0):
                self._end()
            self.run.parts.all().delete()
        self._parts, self._buffer = 0, bytearray()

    def wait(self, seconds: float) -> None:
        """Sleep, holding no connection; raises Stopped soon after somebody asks for it."""
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0:
            if self._closing.wait(min(left, LOOK)):
                raise GivenBack
            self.check()

    def check(self) -> None:
        """Raises Stopped when it shall end; renews the lease where that is due."""
        if monotonic() - self._renewed > RENEW:
            self.progress(self.run.done)
        elif not self._mine().exists():
            self._end()
        if not connection.in_atomic_block:
            connection.close()

    def finish(self, **changes: Any) -> bool:
        """Write how it ended; False when it is no longer this process's. The rest of the file belongs to a good end:
        at any other, what came after the last report is done again if the run goes on."""
        changes = {"ended_at": timezone.now(), "lease_until": None, "holder": "", **changes}
        if changes["state"] in ENDED:
            changes["wish"] = ""  # it came too late
        with transaction.atomic():
            still = Run.objects.filter(
                pk=self.run.pk, epoch=self.run.epoch, state__in=(RunState.RUNNING, RunState.STOPPING)
            )
            mine = bool(still.update(**changes))
            if mine and changes.get("state") == RunState.DONE:
                self._flush()
        return mine

    def pause(self, words: str) -> bool:
        """Write that it waits for somebody, and why; False where it was stopped, or is another's."""
        return bool(self._mine().update(state=RunState.PAUSED, error=words, lease_until=None, holder=""))

    def _mine(self) -> Any:
        return Run.objects.filter(pk=self.run.pk, epoch=self.run.epoch, state=RunState.RUNNING)

    def _end(self) -> None:
        there = Run.objects.filter(pk=self.run.pk, epoch=self.run.epoch).exists()
        raise Stopped if there else TakenOver

    def _flush(self) -> None:
        size = len(self._buffer)
        for piece in _pieces(self._buffer):
            RunPart.objects.create(run=self.run, n=self._parts, data=piece)
            self._parts += 1
        if size:
            Run.objects.filter(pk=self.run.pk).update(file_bytes=F("file_bytes") + size)
            self._buffer = bytearray()


def _pieces(data: bytearray) -> Iterator[bytes]:
    for at in range(0, len(data), PART_BYTES):
        yield bytes(data[at : at + PART_BYTES])


def claim_run(holder: str) -> Run | None:
    """Take a run that waits, or one whose holder died; None when there is none or another was faster."""
    orphaned = Q(state__in=(RunState.RUNNING, RunState.STOPPING), lease_until__lt=Now())
    open_runs = Run.objects.filter(Q(state=RunState.WAITING) | orphaned, kind__in=KINDS).order_by("id")
    run = open_runs.first()
    if run is None:
        return None
    same = Run.objects.filter(pk=run.pk, epoch=run.epoch, state=run.state)
    if run.state == RunState.STOPPING:
        same.update(state=RunState.STOPPED, ended_at=timezone.now(), lease_until=None, holder="")
        return None
    taken = same.update(
        state=RunState.RUNNING,
        holder=holder,
        lease_until=Now() + LEASE,
        epoch=F("epoch") + 1,
        started_at=run.started_at or timezone.now(),
    )
    return Run.objects.get(pk=run.pk) if taken else None


def let_go(holder: str) -> int:
    """The runs that a dead process of this name left are free at once. Returns how many."""
    left = Run.objects.filter(holder=holder, state__in=(RunState.RUNNING, RunState.STOPPING))
    return left.update(lease_until=Now() - timedelta(seconds=1))


def perform(run: Run, closing: threading.Event | None = None) -> None:
    """Do a claimed run to its end, and write which it was. `closing`: set when this process ends."""
    held = Held(run, closing)
    try:
        result = KINDS[run.kind].do(held)
        ended: dict[str, Any] = {"state": RunState.DONE, "result": result}
    except GivenBack:
        ended = {"state": RunState.WAITING, "ended_at": None}
    except TakenOver:
        return
    except Paused as paused:
        if held.pause(str(paused)):
            return
        ended = {"state": RunState.STOPPED}
    except Stopped:
        ended = {"state": RunState.STOPPED}
    except Broken as broken:
        ended = {"state": RunState.FAILED, "error": str(broken), "result": broken.result}
    except Exception as error:
        logger.exception("run %s failed", run)
        if not connection.in_atomic_block:
            close_old_connections()
        ended = {"state": RunState.FAILED, "error": f"{type(error).__name__}: {error}"}
    held.finish(**ended)
