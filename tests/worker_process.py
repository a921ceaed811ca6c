"""A worker of its own for a test: `manage.py runrooms`, a real process that holds rooms for some console."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.console_process import ROOT, START_LIMIT

OWN_HOST = os.geteuid() == 0 and shutil.which("unshare") is not None
"""Whether each worker believes to be on a host of its own: then only its lease tells that it is dead."""


@dataclass
class WorkerProcess:
    """A running worker, and how to end it."""

    name: str
    log: Path
    process: subprocess.Popen[bytes] = field(repr=False)

    def said(self) -> str:
        """What it printed so far, and others of its name before it."""
        return self.log.read_text(errors="replace")

    def kill(self) -> int:
        """End it at once (SIGKILL)."""
        self.process.kill()
        return self.process.wait(START_LIMIT)

    def drain(self, limit: float) -> int:
        """Let it hand its rooms over (SIGTERM); its exit code. Raises TimeoutExpired after `limit` seconds."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(limit)


def start_worker(name: str, data: Path, environment: dict[str, str]) -> WorkerProcess:
    """Start a worker and wait until it is ready. environment: a console's, of the same database; data: its own."""
    data.mkdir(parents=True, exist_ok=True)
    log = data / "runrooms.log"
    said_before = log.stat().st_size if log.exists() else 0
    command = [sys.executable, "manage.py", "runrooms", "--name", name]
    if OWN_HOST:
        command = ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', name, *command]
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment | {"ECHOADMIN_DATA": str(data)}, stdin=subprocess.DEVNULL, stdout=out,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
    worker = WorkerProcess(name, log, process)
    _wait_until_ready(worker, said_before)
    return worker


def _wait_until_ready(worker: WorkerProcess, said_before: int) -> None:
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline:
        if worker.process.poll() is not None:
            raise RuntimeError(f"Worker {worker.name} ended at once:\n{worker.said()}")
        if b"is ready" in worker.log.read_bytes()[said_before:]:
            return
        time.sleep(0.05)
    worker.kill()
    raise RuntimeError(f"Worker {worker.name} was not ready in {START_LIMIT:.0f} s:\n{worker.said()}")
