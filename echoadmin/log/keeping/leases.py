"""One at a time, across processes: a row that is renewed while its holder works, and free again when it dies."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from echoadmin.log.models import Lease

LENGTH = timedelta(seconds=60)


class Busy(RuntimeError):
    """Another has the lease; the message says who, and until when."""


class Lost(RuntimeError):
    """The lease was not renewed in time, and another has taken it."""


class Renewable:
    """A lease in hand."""

    def __init__(self, name: str, holder: str) -> None:
        self.name, self.holder = name, holder
        self._until = timezone.now()

    def renew(self) -> None:
        """For another LENGTH; costs nothing while most of it is left. Raises Lost."""
        now = timezone.now()
        if self._until - now > LENGTH * 2 / 3:
            return
        if not Lease.objects.filter(name=self.name, holder=self.holder).update(until=now + LENGTH):
            raise Lost(f"{self.holder} was too slow: another process does {self.name} now")
        self._until = now + LENGTH


@contextmanager
def lease(name: str) -> Iterator[Renewable]:
    """The lease `name`. Raises Busy."""
    now = timezone.now()
    holder = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"[-200:]
    try:
        with transaction.atomic():
            Lease.objects.filter(name=name, until__lt=now).delete()
            Lease.objects.create(name=name, holder=holder, until=now + LENGTH)
    except IntegrityError:
        row = Lease.objects.filter(name=name).first()
        until = f"{row.holder} does, until {row.until:%H:%M:%S} UTC at least" if row else "another did until now"
        raise Busy(f"only one process may {name} at a time, and {until}") from None
    held = Renewable(name, holder)
    try:
        held.renew()
        yield held
    finally:
        Lease.objects.filter(name=name, holder=holder).delete()
