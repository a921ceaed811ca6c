"""Runs: something long that is done once, can be left and come back to, stopped, and resumed after a restart.

A run is a row; its kind names a function registered by `@run_kind`. The rooms processes do runs, each in a thread of
its own, under a lease: a run whose process died is taken up by another, from the `cursor` that it had reached. A result
that is a file lies in `RunPart`s.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import close_old_connections, models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from echoadmin.actors import Actor
from echoadmin.public_ids import new_public_id

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)
AT_ONCE = 8  # runs in one process
PART_BYTES = 256 * 1024


class RunState(models.TextChoices):
    """Where a run is; `stopping` was asked to end and has not yet."""

    WAITING = "waiting", "waiting"
    RUNNING = "running", "running"
    PAUSED = "paused", "paused"
    STOPPING = "stopping", "stopping"
    DONE = "done", "done"
    FAILED = "failed", "failed"
    STOPPED = "stopped", "stopped"


ENDED = (RunState.DONE, RunState.FAILED, RunState.STOPPED)


class Run(models.Model):
    """One export, replay, script or import: what was asked, how far it is, and what came of it."""

    public_id = models.CharField(max_length=32, unique=True, editable=False)
    kind = models.CharField(max_length=40, db_index=True)
    label = models.CharField(max_length=200, blank=True, default="")
    params = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    state = models.CharField(max_length=16, choices=RunState.choices, default=RunState.WAITING, db_index=True)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(null=True, blank=True)
    cursor = models.JSONField(null=True, blank=True, encoder=DjangoJSONEncoder)  # from where it goes on
    result = models.JSONField(null=True, blank=True, encoder=DjangoJSONEncoder)
    error = models.TextField(blank=True, default="")
    file_name = models.CharField(max_length=200, blank=True, default="")
    content_type = models.CharField(max_length=80, blank=True, default="")
    file_bytes = models.BigIntegerField(default=0)
    conversation_ref = models.CharField(max_length=64, blank=True, default="", db_index=True)
    actor = models.CharField(max_length=200)
    actor_user_id = models.BigIntegerField(null=True, blank=True)
    api_key_ref = models.CharField(max_length=64, blank=True, default="")
    request_id = models.CharField(max_length=128, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    holder = models.CharField(max_length=200, blank=True, default="")
    lease_until = models.DateTimeField(null=True, blank=True)
    epoch = models.IntegerField(default=0)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.public_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Give the run its id at birth."""
        if not self.public_id:
            self.public_id = new_public_id("rn")
        super().save(*args, **kwargs)

    @property
    def is_ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ENDED

    @property
    def percent(self) -> int | None:
        """How far it is; None when its length is not known."""
        return min(100, self.done * 100 // self.total) if self.total else None

    def file(self) -> Iterator[bytes]:
        """The result's bytes, part by part."""
        for n in self.parts.order_by("n").values_list("n", flat=True):
            yield bytes(self.parts.values_list("data", flat=True).get(n=n))


class RunPart(models.Model):
    """A piece of a run's result, at most 256 KB."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="parts")
    n = models.IntegerField()
    data = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "n"], name="one_part_a_number")]

    def __str__(self) -> str:
        return f"{self.run_id}/{self.n}"


class Stopped(Exception):
    """Somebody asked this run to stop, or it is another process's now."""


class Held:
    """A run in hand: what its function reports to, and asks whether to go on."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._parts = run.parts.count()
        self._buffer = b""

    @property
    def params(self) -> dict[str, Any]:
        """What was asked."""
        return dict(self.run.params)

    @property
    def cursor(self) -> Any:
        """From where to go on; None at the first start."""
        return self.run.cursor

    def progress(self, done: int, *, total: int | None = None, cursor: Any = None) -> None:
        """Write how far it is and renew the lease; what was written to the file becomes part of it, together.

        Raises Stopped when it shall end. Call it at least every 10 s.
        """
        from django.db import transaction

        with transaction.atomic():
            changes: dict[str, Any] = {"done": done, "lease_until": Now() + LEASE, "cursor": cursor}
            if total is not None:
                changes["total"] = total
            mine = Run.objects.filter(pk=self.run.pk, epoch=self.run.epoch, state=RunState.RUNNING)
            if not mine.update(**changes):
                raise Stopped
            self._flush(whole=False)

    def write(self, data: bytes) -> None:
        """More bytes of the result's file; durable at the next `progress`."""
        self._buffer += data

    def wait(self, seconds: float) -> None:
        """Sleep; raises Stopped soon after somebody asks for it."""
        over = threading.Event()
        until = timezone.now() + timedelta(seconds=seconds)
        while (left := (until - timezone.now()).total_seconds()) > 0:
            over.wait(min(left, 1.0))
            self.progress(self.run.done, cursor=self.run.cursor)

    def finish_file(self) -> None:
        """The rest of the file."""
        self._flush(whole=True)

    def _flush(self, *, whole: bool) -> None:
        while len(self._buffer) >= PART_BYTES or (whole and self._buffer):
            piece, self._buffer = self._buffer[:PART_BYTES], self._buffer[PART_BYTES:]
            RunPart.objects.create(run=self.run, n=self._parts, data=piece)
            self._parts += 1
            Run.objects.filter(pk=self.run.pk).update(file_bytes=F("file_bytes") + len(piece))


Doing = Callable[[Held], dict[str, Any] | None]
KINDS: dict[str, Doing] = {}


def run_kind(name: str) -> Callable[[Doing], Doing]:
    """Register what does runs of this kind; it returns the result, raises Stopped, or any error, which is kept."""

    def register(function: Doing) -> Doing:
        KINDS[name] = function
        return function

    return register


def start_run(*, actor: Actor, kind: str, params: dict[str, Any], label: str = "", **columns: Any) -> Run:
    """Queue a run; raises KeyError for a kind that nobody registered."""
    KINDS[kind]
    return Run.objects.create(
        kind=kind,
        params=params,
        label=label,
        actor=actor.name,
        actor_user_id=actor.user_id,
        api_key_ref=actor.api_key_ref or "",
        request_id=actor.request_id or "",
        **columns,
    )


def stop_run(run: Run) -> bool:
    """Ask a run to stop; one that waits stops at once. False when it had ended."""
    now = timezone.now()
    if Run.objects.filter(pk=run.pk, state__in=(RunState.WAITING, RunState.PAUSED)).update(
        state=RunState.STOPPED, ended_at=now
    ):
        return True
    return bool(Run.objects.filter(pk=run.pk, state=RunState.RUNNING).update(state=RunState.STOPPING))


def claim_run(holder: str) -> Run | None:
    """Take a run that waits, or one whose holder died; None when there is none or another was faster."""
    orphaned = Q(state__in=(RunState.RUNNING, RunState.STOPPING), lease_until__lt=Now())
    open_runs = Run.objects.filter(Q(state=RunState.WAITING) | orphaned, kind__in=KINDS).order_by("id")
    run = open_runs.first()
    if run is None:
        return None
    if run.state == RunState.STOPPING:
        Run.objects.filter(pk=run.pk, epoch=run.epoch).update(state=RunState.STOPPED, ended_at=timezone.now())
        return None
    taken = Run.objects.filter(pk=run.pk, epoch=run.epoch, state=run.state).update(
        state=RunState.RUNNING,
        holder=holder,
        lease_until=Now() + LEASE,
        epoch=F("epoch") + 1,
        started_at=run.started_at or timezone.now(),
    )
    return Run.objects.get(pk=run.pk) if taken else None


def perform(run: Run) -> None:
    """Do a claimed run to its end, and write which it was."""
    held = Held(run)
    changes: dict[str, Any]
    try:
        result = KINDS[run.kind](held)
        held.finish_file()
        changes = {"state": RunState.DONE, "result": result}
    except Stopped:
        changes = {"state": RunState.STOPPED}
    except Exception as error:
        logger.exception("run %s failed", run)
        changes = {"state": RunState.FAILED, "error": f"{type(error).__name__}: {error}"}
    mine = Run.objects.filter(pk=run.pk, epoch=run.epoch, state__in=(RunState.RUNNING, RunState.STOPPING))
    mine.update(ended_at=timezone.now(), lease_until=None, holder="", **changes)


class RunThread(threading.Thread):
    """Looks for runs every second and does each in a thread of its own, AT_ONCE of them at the most."""

    def __init__(self, holder: str) -> None:
        super().__init__(name="runs", daemon=True)
        self.holder = holder
        self.stopping = threading.Event()
        self._free = threading.Semaphore(AT_ONCE)

    def run(self) -> None:
        """Claim and start; the database being away only makes it wait."""
        while not self.stopping.wait(1.0):
            close_old_connections()
            try:
                while self._free.acquire(blocking=False):
                    claimed = claim_run(self.holder)
                    if claimed is None:
                        self._free.release()
                        break
                    threading.Thread(target=self._do, args=(claimed,), daemon=True, name=str(claimed)).start()
            except Exception:
                logger.exception("the runs pause: the database did not answer")
                self._free.release()
        close_old_connections()

    def _do(self, claimed: Run) -> None:
        try:
            perform(claimed)
        finally:
            close_old_connections()
            self._free.release()
