"""Duties: what the console does again and again, one holder at a time, seen on a page.

A duty is a function registered by `@duty(name, every=…)`. Consoles and workers run them, in a thread of their own: a
due duty is claimed by one conditional UPDATE (its lease), done, and its next time set. There is no other scheduler.
Workers leave it to a console for a few seconds: their interpreter has rooms to serve, which a console's has not.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.db import close_old_connections, models
from django.db.models import F, Q
from django.utils import timezone

from echoadmin.installation import is_at_rest
from echoadmin.log_lines import about
from echoadmin.processes import alive

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=5)
OTHERS_FIRST = timedelta(seconds=3)


class Duty(models.Model):
    """When a duty runs next, who holds it, and how its last run went."""

    name = models.CharField(max_length=64, unique=True)
    every = models.DurationField()
    next_run_at = models.DateTimeField()
    holder = models.CharField(max_length=200, blank=True, default="")
    lease_until = models.DateTimeField(null=True, blank=True)
    epoch = models.IntegerField(default=0)
    last_run_at = models.DateTimeField(null=True, blank=True)
    last_seconds = models.FloatField(null=True, blank=True)
    last_result = models.CharField(max_length=500, blank=True, default="")
    last_error = models.TextField(blank=True, default="")
    runs = models.BigIntegerField(default=0, db_default=0)
    errors = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        verbose_name_plural = "duties"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def standing(self) -> str:
        """running, failed (its last run), due, or waiting."""
        now = timezone.now()
        if self.holder and self.lease_until and self.lease_until > now:
            return "running"
        return "failed" if self.last_error else "due" if self.next_run_at <= now else "waiting"


@dataclass(frozen=True)
class Registered:
    """A duty's function, and how often it is due. `at_rest`: it reaches nothing outside, so that a restored copy of
    an installation that still runs may do it too."""

    every: timedelta
    do: Callable[[], str | None]
    at_rest: bool = False


REGISTRY: dict[str, Registered] = {}


def duty(
    name: str, *, every: timedelta, at_rest: bool = False
) -> Callable[[Callable[[], str | None]], Callable[[], str | None]]:
    """Register a function as a duty; what it returns (a short sentence or None) is shown as its result. at_rest: see
    `Registered`."""

    def register(function: Callable[[], str | None]) -> Callable[[], str | None]:
        REGISTRY[name] = Registered(every, function, at_rest)
        return function

    return register


def ensure_rows() -> None:
    """One row for each registered duty; the first run is due at once."""
    now = timezone.now()
    for name, registered in REGISTRY.items():
        Duty.objects.update_or_create(
            name=name,
            defaults={"every": registered.every},
            create_defaults={"every": registered.every, "next_run_at": now},
        )


def claim_due(holder: str, *, overdue: timedelta = timedelta(0)) -> Duty | None:
    """Take one duty that is due, for so long, and free; None when there is none or another was faster."""
    now = timezone.now()
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=now)
    names = [name for name, one in REGISTRY.items() if one.at_rest] if is_at_rest() else list(REGISTRY)
    due = Duty.objects.filter(free, next_run_at__lte=now - overdue, name__in=names).order_by("next_run_at").first()
    if due is None:
        return None
    taken = Duty.objects.filter(free, pk=due.pk, epoch=due.epoch).update(
        holder=holder, lease_until=now + LEASE, epoch=F("epoch") + 1
    )
    return Duty.objects.get(pk=due.pk) if taken else None


def let_go(holder: str) -> None:
    """The duties that dead processes left are free at once: one of this name, and consoles of this machine, whose names
    hold their process's number."""
    holders = set(Duty.objects.exclude(holder="").values_list("holder", flat=True))
    dead = [one for one in holders if one == holder or _is_dead(one)]
    Duty.objects.filter(holder__in=dead).update(holder="", lease_until=None)


def console_holder() -> str:
    """What a console that holds no rooms is called on its duties."""
    return f"console {socket.gethostname()}/{os.getpid()}"


def _is_dead(holder: str) -> bool:
    named = re.fullmatch(r"console (.+)/(\d{1,9})", holder)
    return named is not None and named[1] == socket.gethostname() and not alive(int(named[2]))


def perform(held: Duty) -> None:
    """Do a claimed duty and settle its row; an error is kept on the row and does not end the others."""
    started = time.monotonic()
    result, error = "", ""
    with about(duty=held.name):
        try:
            result = REGISTRY[held.name].do() or ""
        except Exception as failure:
            logger.exception("duty %s failed", held.name)
            error = f"{type(failure).__name__}: {failure}"
    now = timezone.now()
    Duty.objects.filter(pk=held.pk, epoch=held.epoch).update(
        holder="",
        lease_until=None,
        last_run_at=now,
        next_run_at=now + held.every,
        last_seconds=time.monotonic() - started,
        last_result=result[:500],
        last_error=error,
        runs=F("runs") + 1,
        errors=F("errors") + (1 if error else 0),
    )


class DutyThread(threading.Thread):
    """Looks for duties that are due, and `overdue` for so long, every second until told to stop."""

    def __init__(self, holder: str, *, overdue: timedelta = timedelta(0)) -> None:
        super().__init__(name="duties", daemon=True)
        self.holder, self.overdue = holder, overdue
        self.stopping = threading.Event()

    def run(self) -> None:
        """Claim and do, one after another; the database being away only makes it wait."""
        ready = False
        while not self.stopping.wait(1.0):
            close_old_connections()
            try:
                if not ready:
                    ensure_rows()
                    let_go(self.holder)
                    ready = True
                while not self.stopping.is_set() and (held := claim_due(self.holder, overdue=self.overdue)):
                    perform(held)
            except Exception:
                logger.exception("the duties pause: the database did not answer")
        close_old_connections()

    def stop(self, timeout: float) -> None:
        """Ask it to end after the duty in hand and wait `timeout` seconds at most."""
        self.stopping.set()
        self.join(timeout)
