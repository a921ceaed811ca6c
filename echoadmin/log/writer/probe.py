"""Asks whether the database is back, in a thread of its own: an answer can take long, and units come meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.db import DatabaseError

from echoadmin.log.writer.connecting import mend_pool, own_connection


class Probe:
    """Asks after `pause` seconds, and again and again, until there is a yes or it is stopped."""

    LONGEST = 1.0  # s between two questions

    def __init__(self, pause: float, on_back: Callable[[], None]) -> None:
        self.back = False
        self._pause = pause
        self._on_back = on_back
        self._over = threading.Event()
        threading.Thread(target=self._run, name="log-probe", daemon=True).start()

    def stop(self) -> None:
        """No longer needed; a question that is under way ends by itself."""
        self._over.set()

    def _run(self) -> None:
        while not self._over.wait(self._pause):
            if _answers():
                self.back = True
                self._on_back()
                mend_pool()
                return
            self._pause = min(2 * self._pause, self.LONGEST)


def _answers() -> bool:
    """Whether the database would take a write now, as far as can be seen without one."""
    connection = own_connection()
    try:
        with connection.cursor() as cursor:
            if connection.vendor == "sqlite":
                cursor.execute("BEGIN IMMEDIATE")
                cursor.execute("ROLLBACK")
            else:
                cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    finally:
        connection.close()
    return True
