"""The twin beside a sandbox console: found where one runs, else started; stopped with the console if it is its own.

A console's own twin is one that a console of this data folder started. It outlives a console that was killed, and the
next one finds it by what `/twin/health` says against the pid that was written down when it was started.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings

from echoadmin.processes import alive
from echoadmin.serving import ports
from echoadmin.serving.companions import CannotStart

READY_WITHIN = 20  # seconds
STOPPED_WITHIN = 8  # seconds


def health(port: int) -> dict[str, Any] | None:
    """What the twin on `port` says of itself; None when none answers there."""
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}/twin/health", timeout=2, trust_env=False).json()
    except (httpx.HTTPError, ValueError):
        return None
    return answer if isinstance(answer, dict) and answer.get("name") == "echoadmin twin" else None


class TwinProcess:
    """The one twin that this console talks to."""

    def __init__(self) -> None:
        self.note = Path(settings.DATA) / "twin" / "started_by_console.pid"
        self.log = Path(settings.DATA) / "twin.log"
        self.child: subprocess.Popen[bytes] | None = None
        self.own_pid: int | None = None

    def start(self) -> None:
        """Find the twin on the console's ports, or set one going; raises CannotStart."""
        running = health(settings.TWIN_PORT)
        if running:
            _same_daily_port(running)
            self._adopt(running["pid"])
            return
        self._end_own_elsewhere()
        for port, variable in ((settings.TWIN_PORT, "TWIN_PORT"), (settings.TWIN_DAILY_PORT, "TWIN_DAILY_PORT")):
            if ports.answers("127.0.0.1", port):
                raise CannotStart(ports.in_use(port, variable))
        self._spawn()

    def ready(self) -> list[str]:
        """Wait for its answer, and trust the CA that it shows."""
        deadline = time.monotonic() + READY_WITHIN
        while not (running := health(settings.TWIN_PORT)):
            if self.child is not None and self.child.poll() is not None:
                raise CannotStart(f"the twin did not start: {self._last_words()}")
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"the twin did not answer on port {settings.TWIN_PORT} within {READY_WITHIN} s; see {self.log}"
                )
            time.sleep(0.05)
        if not os.environ.get("DAILY_CA_FILE"):
            settings.DAILY_CA_FILE = running["ca_file"]
        return self._lines(running)

    def stop(self) -> None:
        """End the console's own twin; a foreign one goes on."""
        if self.own_pid is not None:
            _end(self.own_pid, self.child)
            self.note.unlink(missing_ok=True)

    def _spawn(self) -> None:
        command = [sys.executable, "-m", "echoadmin.twin", "--data", str(settings.DATA)]
        command += ["--port", str(settings.TWIN_PORT), "--daily-port", str(settings.TWIN_DAILY_PORT)]
        with self.log.open("wb") as log:
            self.child = subprocess.Popen(
                [*command, "--speed", f"{settings.TWIN_SPEED:g}"],
                cwd=settings.BASE_DIR,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches the console first, which leaves its rooms in order
            )
        self._note(self.child.pid)

    def _adopt(self, pid: int) -> None:
        """A twin that a console of this folder started, and that console is gone: it is this one's now."""
        twin, console = self._noted()
        if twin == pid and not _runs(console, "serve"):
            self._note(pid)

    def _end_own_elsewhere(self) -> None:
        """A console that was killed may have left its twin on ports that this one no longer uses."""
        twin, console = self._noted()
        if _runs(twin, "echoadmin.twin") and not _runs(console, "serve"):
            _end(twin, None)

    def _note(self, pid: int) -> None:
        self.own_pid = pid
        self.note.parent.mkdir(parents=True, exist_ok=True)
        self.note.write_text(f"{pid} {os.getpid()}", encoding="ascii")

    def _noted(self) -> tuple[int, int]:
        """The pids of the twin that was started last, and of the console that has it; zeros when none was."""
        try:
            twin, console = self.note.read_text(encoding="ascii").split()
            return int(twin), int(console)
        except (OSError, ValueError):
            return 0, 0

    def _last_words(self) -> str:
        said = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return said[-1] if said else f"it ended without a word; see {self.log}"

    def _lines(self, running: dict[str, Any]) -> list[str]:
        whose = "started with the console, and stopped with it" if self.own_pid else "was running already, and goes on"
        lines = [
            f"twin      Tavus http://127.0.0.1:{running['port']}   Daily https://localhost:{running['daily_port']}",
            f"          pid {running['pid']}: {whose}",
        ]
        if running["speed"] != settings.TWIN_SPEED:
            kept, asked = f"{running['speed']:g}", f"{settings.TWIN_SPEED:g}"
            lines.append(f"          it keeps the speed it was started with: {kept}, not TWIN_SPEED={asked}")
        return lines


def _same_daily_port(running: dict[str, Any]) -> None:
    has, asked = running["daily_port"], settings.TWIN_DAILY_PORT
    if has != asked:
        raise CannotStart(
            f"the twin on port {running['port']} has its Daily side on port {has}, not {asked}: set "
            f"TWIN_DAILY_PORT={has} to use it, or another TWIN_PORT for one of your own"
        )


def _runs(pid: int, word: str) -> bool:
    """Whether `pid` is a living process with `word` in its command line, and not a stranger that got its number."""
    return pid > 0 and alive(pid) and word in ports.command_of(pid)


def _end(pid: int, child: subprocess.Popen[bytes] | None) -> None:
    for number, patience in ((signal.SIGTERM, STOPPED_WITHIN), (signal.SIGKILL, 2)):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            break
        if _ended_within(pid, patience):
            break
    if child is not None:
        child.wait(1)


def _ended_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
