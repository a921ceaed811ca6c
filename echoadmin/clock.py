"""The time, as it is told. Tests that live through a month drive it, and the twin's with it; nothing else can.

ECHOADMIN_TEST_CLOCK names a file that holds a number: by so many seconds the clocks of every process that has the
setting are ahead of the machine's. Without the setting this is the machine's own time, and no file is looked at.
Leases that the database keeps by its own clock (workers, consoles, runs) are not driven.
"""

from __future__ import annotations

import asyncio
import os
import time as machine
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

SETTING = "ECHOADMIN_TEST_CLOCK"
_file: Path | None = Path(os.environ[SETTING]) if os.environ.get(SETTING) else None


def ahead() -> float:
    """Seconds; 0 but under a test's clock, and while its file is not written yet."""
    if _file is None:
        return 0.0
    try:
        return float(_file.read_text())
    except (FileNotFoundError, ValueError):  # it is replaced as a whole, but may not be there yet
        return 0.0


def time() -> float:
    """Seconds since the epoch."""
    return machine.time() + ahead()


def now() -> datetime:
    """The same with its zone."""
    return datetime.fromtimestamp(time(), UTC)


def set_ahead(file: Path, seconds: float) -> None:
    """Drive every clock that looks at this file; it is whole at any moment."""
    fresh = file.with_suffix(".new")
    fresh.write_text(repr(seconds))
    fresh.replace(file)


def drive_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Let an event loop's timers follow the test's clock, where there is one. It must be woken after each step."""
    if _file is not None:
        steady: Callable[[], float] = loop.time
        loop.time = lambda: steady() + ahead()  # type: ignore[method-assign]


@contextmanager
def driven(file: Path) -> Iterator[None]:
    """This process looks at `file` for the length of a `with`."""
    global _file
    before, _file = _file, file
    try:
        yield
    finally:
        _file = before
