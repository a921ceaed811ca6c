"""`make` that is interrupted alone waits for what it runs and tells it nothing; the console looks for itself.

Ctrl-C reaches both. A supervisor or a script that signals only the `make` it started does not: GNU make then blocks
SIGINT and waits. That it is blocked can be seen in /proc; where there is none, only Ctrl-C and SIGTERM stop `make run`.
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

_SIGINT_BIT = 1 << (signal.SIGINT - 1)


def stop_with_make(every: float = 0.5) -> None:
    """Where the parent is `make`, end this process in order (SIGTERM) once that was interrupted or is gone."""
    parent = os.getppid()
    if _first_line(Path(f"/proc/{parent}/comm")) in ("make", "gmake"):
        threading.Thread(target=_watch, args=(parent, every), name="under-make", daemon=True).start()


def _watch(parent: int, every: float) -> None:
    turn = threading.Event()
    blocked = 0
    while (
        os.getppid() == parent and blocked < 2
    ):  # twice in a row: it blocks signals for a moment when it starts something
        turn.wait(every)
        blocked = blocked + 1 if _interrupted(parent) else 0
    os.kill(os.getpid(), signal.SIGTERM)


def _interrupted(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return True
    blocked = next(line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:"))
    return bool(int(blocked, 16) & _SIGINT_BIT)


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
