"""The consoles on one database: each holds a lease row, and without Redis there may be only one.

Bells of the in-memory channel layer don't leave a process. Beside one console, `runrooms` workers find their work by
looking every few seconds; two consoles would each miss what the other one does.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection, models, transaction
from django.db.models.functions import Now
from django.utils import timezone

from echoadmin.installation import Console, Installation
from echoadmin.processes import alive

logger = logging.getLogger(__name__)


class SecondConsole(RuntimeError):
    """Another console is alive on this database, and there is no Redis to tell it anything."""


def machine() -> str:
    """This host's name, boot and process namespace: only there does a pid mean anything."""
    boot = _first_line(Path("/proc/sys/kernel/random/boot_id"))[:8]
    namespace = Path("/proc/self/ns/pid")
    inside = str(namespace.readlink())[5:-1] if namespace.exists() else ""
    return f"{socket.gethostname()}/{boot}/{inside}"


def known() -> bool:
    """Whether this database has a table of consoles yet."""
    return Console._meta.db_table in connection.introspection.table_names()


def living_others() -> list[Console]:
    """The other consoles whose lease lasts and which can be alive; a dead pid of this machine is none."""
    lasting = Console.objects.filter(lease_until__gt=Now()).exclude(name=_own_name())
    return [row for row in lasting if not _surely_dead(row)]


def refuse_second() -> None:
    """Raise SecondConsole where another console lives and no Redis connects them."""
    others = [] if settings.REDIS_URL else living_others()
    if others:
        raise SecondConsole(
            f"another console runs on this database (pid {others[0].pid} on {others[0].host.split('/')[0]}): stop it, "
            "or set REDIS_URL so that several can work together"
        )


def address() -> str:
    """Where a console answers on this machine: a living one's address, else where `serve` would listen."""
    here = Console.objects.filter(host=machine(), lease_until__gt=Now()).exclude(address="") if known() else ()
    return next((row.address for row in here if not _surely_dead(row)), _own_address())


_held: _Renewal | None = None


def take() -> None:
    """Write this process's row and keep it alive until `release`; raises SecondConsole. Taken twice, held once."""
    global _held
    if _held is not None:
        return
    with transaction.atomic():
        list(Installation.objects.select_for_update())  # two consoles that start together come one after the other
        refuse_second()
        Console.objects.filter(lease_until__lt=Now()).delete()
        Console.objects.filter(pk__in=[row.pk for row in Console.objects.all() if _surely_dead(row)]).delete()
        _write()
    _held = _Renewal()
    _held.start()


def release() -> None:
    """Stop renewing and take the row away; nothing happens when it is not held."""
    global _held
    if _held is None:
        return
    _held.stopping.set()
    _held.join(5)
    _held = None
    Console.objects.filter(name=_own_name()).delete()
    connection.close()


class _Renewal(threading.Thread):
    """Renews the row three times in the length of a lease."""

    def __init__(self) -> None:
        super().__init__(name="console-lease", daemon=True)
        self.stopping = threading.Event()

    def run(self) -> None:
        """Renew until released; a database that is away is tried again at the next turn."""
        while not self.stopping.wait(settings.WORKER_LEASE / 3):
            close_old_connections()
            try:
                _write()
            except DatabaseError as error:
                logger.warning("the console's lease could not be renewed: %s", error)
        connection.close()


def _write() -> None:
    length = models.Value(timedelta(seconds=settings.WORKER_LEASE))
    mine = {
        "host": machine(),
        "pid": os.getpid(),
        "address": _own_address(),
        "lease_until": models.ExpressionWrapper(Now() + length, models.DateTimeField()),
    }
    if not Console.objects.filter(name=_own_name()).update(**mine):
        Console.objects.create(name=_own_name(), started_at=timezone.now(), **mine)


def _own_name() -> str:
    return f"{machine()}/{os.getpid()}"


def _own_address() -> str:
    host = "127.0.0.1" if settings.HOST in ("0.0.0.0", "::") else settings.HOST
    return f"http://[{host}]:{settings.PORT}" if ":" in host else f"http://{host}:{settings.PORT}"


def _surely_dead(row: Console) -> bool:
    return row.host == machine() and not alive(row.pid)


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
