"""A PostgreSQL that stands still: its machine keeps the connection, and no answer comes, ever.

Limits that the server keeps (`statement_timeout`) are no help then, nor are TCP's: the connection is broken from here,
so that the spool takes over. A server that lives ends each statement of the writer's after 3 s by itself.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from django.db.backends.base.base import BaseDatabaseWrapper

LIMIT = 6.0  # s that a transaction may take
LOOK = 0.5  # s between two looks at it


class Standstill:
    """Watches over the transactions of one writer, in a thread of its own from `start` to `stop`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: tuple[BaseDatabaseWrapper, float] | None = None  # and since when
        self._over = threading.Event()

    def start(self) -> None:
        """Begin to look."""
        threading.Thread(target=self._run, name="log-standstill", daemon=True).start()

    def stop(self) -> None:
        """No longer needed."""
        self._over.set()

    @contextmanager
    def watched(self, connection: BaseDatabaseWrapper) -> Iterator[None]:
        """What is done over `connection` inside fails after LIMIT, as if the server had gone."""
        with self._lock:
            self._watched = connection, monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._watched = None

    def _run(self) -> None:
        while not self._over.wait(LOOK):
            with self._lock:
                if self._watched is not None and monotonic() > self._watched[1] + LIMIT:
                    _break(self._watched[0])
                    self._watched = None


def _break(connection: BaseDatabaseWrapper) -> None:
    """Whoever waits on its socket hears that it is closed."""
    raw = connection.connection
    if raw is None or raw.closed:
        return
    with socket.socket(fileno=os.dup(raw.fileno())) as same:
        same.shutdown(socket.SHUT_RDWR)
