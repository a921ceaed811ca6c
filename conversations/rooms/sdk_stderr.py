"""Reads what daily-python writes to stderr: the only place where it tells of an app message that it could not read.

JSON nested deeper than 128, and lone surrogates, never reach a callback (0.36.0, measured): the SDK writes a line that
has the whole frame in it, and goes on. File descriptor 2 becomes a pipe of which a thread reads; Python's own stderr
keeps the way it had, so that a traceback is never lost with the thread. Everything is passed on, those lines without
the frame: it is as long as the message, and has its words.
"""

from __future__ import annotations

import atexit
import faulthandler
import os
import re
import sys
import threading
from collections.abc import Callable

UNREADABLE = b"Invalid message contents"
APP_MESSAGE = b"x-egassem"
_SENDER = re.compile(rb'from[\\"]+:[\\"]+([0-9a-f-]{36})')
KEPT = 4_096  # bytes of a line that are looked at
TOLD = 200  # bytes of such a line that are passed on

_watched = False


def watch(on_unreadable: Callable[[str], None]) -> None:
    """From now on, once in the process: `on_unreadable` is called, in a thread, with the session id of who sent what
    the SDK gave up; an empty one where the line does not say."""
    global _watched
    if _watched:
        return
    _watched = True
    real = os.dup(2)
    reading, writing = os.pipe()
    sys.stderr.flush()
    os.dup2(writing, 2)
    os.close(writing)
    _keep_pythons_own(real)
    atexit.register(os.dup2, real, 2)
    threading.Thread(target=_read, args=(reading, real, on_unreadable), name="sdk-stderr", daemon=True).start()


def _keep_pythons_own(real: int) -> None:
    if sys.stderr is sys.__stderr__:
        sys.stderr = os.fdopen(os.dup(real), "w", buffering=1, errors="backslashreplace")
    if faulthandler.is_enabled():
        faulthandler.enable(file=real)


def _read(reading: int, real: int, on_unreadable: Callable[[str], None]) -> None:
    lines = Lines()
    while some := os.read(reading, 65_536):
        for told, sender in lines.feed(some):
            if told:
                os.write(real, told)
            if sender is not None:
                on_unreadable(sender)


class Lines:
    """Cuts what comes into lines: what of each is to be passed on, and the sender where it tells of a lost message."""

    def __init__(self) -> None:
        self._line = b""
        self._long = 0  # bytes of the line that were not kept

    def feed(self, some: bytes) -> list[tuple[bytes, str | None]]:
        """Whole lines come as they end; of one that is longer than KEPT bytes, its beginning."""
        *ended, rest = some.split(b"\n")
        found = []
        for part in ended:
            self._add(part)
            found.append(self._end())
        self._add(rest)
        return found

    def _add(self, part: bytes) -> None:
        room = KEPT - len(self._line)
        self._line += part[:room]
        self._long += len(part) - len(part[:room])

    def _end(self) -> tuple[bytes, str | None]:
        line, long = self._line, self._long
        self._line, self._long = b"", 0
        if UNREADABLE in line and APP_MESSAGE in line:
            sender = _SENDER.search(line)
            return line[:TOLD] + b"...\n", sender.group(1).decode() if sender else ""
        return line + (b"...\n" if long else b"\n"), None
