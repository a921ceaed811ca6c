"""A console of its own for a test: `manage.py serve` as a real process on free ports, in a folder of its own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.twin_process import TwinProcess

ROOT = Path(__file__).resolve().parent.parent
START_LIMIT = 60.0
STOP_LIMIT = 30.0


@dataclass
class ConsoleProcess:
    """A running console: where it answers, its first login, and how to end it."""

    url: str
    data_dir: Path
    environment: dict[str, str] = field(repr=False)
    process: subprocess.Popen[str] = field(repr=False)
    lines: list[str] = field(repr=False)
    password: str = ""  # of `admin`; only the first start of a data folder prints it

    @property
    def pid(self) -> int:
        return self.process.pid

    def api_key(self, user: str = "admin", label: str = "test", *scopes: str) -> str:
        """Make an API key through the command that people use."""
        arguments = ["create_api_key", "--user", user, "--label", label]
        return self.manage(*arguments, *(["--scopes", *scopes] if scopes else [])).splitlines()[-1]

    def manage(self, *arguments: str) -> str:
        """Run `manage.py` on this console's data; what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=self.environment, text=True, capture_output=True, timeout=120, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"manage.py {arguments[0]} failed: {done.stderr[-2000:]}")
        return done.stdout

    def stop(self) -> int:
        """End it as Ctrl-C does; its exit code."""
        return self._end(signal.SIGINT)

    def kill(self) -> int:
        """End it at once (SIGKILL)."""
        return self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(STOP_LIMIT)


def free_port() -> int:
    """A TCP port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_console(data_dir: Path, twin: TwinProcess, **environment: str) -> ConsoleProcess:
    """Start a console on `twin` and wait until it is ready. The same `data_dir` again is a restart."""
    port = free_port()
    clean = {key: value for key, value in os.environ.items() if key not in ("PUBLIC_URL", "ECHOADMIN_MODE")}
    whole = clean | {
        "ECHOADMIN_DATA": str(data_dir),
        "PORT": str(port),
        "TWIN_PORT": str(twin.port),
        "TWIN_DAILY_PORT": str(twin.daily_port),
        "DAILY_CA_FILE": twin.ca_file,
        "PYTHONUNBUFFERED": "1",
    }
    whole |= environment
    process = subprocess.Popen(
        [sys.executable, "manage.py", "serve"],
        cwd=ROOT, env=whole, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    console = ConsoleProcess(f"http://127.0.0.1:{port}", data_dir, whole, process, [])
    threading.Thread(target=_read, args=(console,), daemon=True).start()
    _wait_until_ready(console)
    found = re.search(r"password (\S+)", "".join(console.lines))
    console.password = found[1] if found else ""
    return console


@contextlib.contextmanager
def running_console(data_dir: Path, twin: TwinProcess, **environment: str) -> Iterator[ConsoleProcess]:
    """A console for the length of a ``with``; it is ended afterwards, whatever happened."""
    console = start_console(data_dir, twin, **environment)
    try:
        yield console
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            console.stop()
        if console.process.poll() is None:
            console.kill()


def _read(console: ConsoleProcess) -> None:
    assert console.process.stdout is not None
    for line in console.process.stdout:
        console.lines.append(line)


def _wait_until_ready(console: ConsoleProcess) -> None:
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline:
        if console.process.poll() is not None:
            raise RuntimeError(f"The console ended at once:\n{''.join(console.lines)[-3000:]}")
        if _answers(console) and any("Ctrl-C" in line for line in console.lines):
            return
        time.sleep(0.05)
    console.kill()
    raise RuntimeError(f"The console was not ready in time:\n{''.join(console.lines)[-3000:]}")


def _answers(console: ConsoleProcess) -> bool:
    try:
        with urllib.request.urlopen(f"{console.url}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
