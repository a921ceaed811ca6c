"""A console of its own for a test: `manage.py serve`, a real process with a twin beside it, in a folder of its own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests import migrated
from tests.twin_process import TwinProcess

ROOT = Path(__file__).resolve().parent.parent
START_LIMIT = 60.0  # seconds
STOP_LIMIT = 20.0
OURS = ("ECHOADMIN_", "TWIN_", "DJANGO_", "DATABASE_URL", "REDIS_URL", "MAKE", "HOST", "PORT", "PUBLIC_URL")


@dataclass
class ConsoleProcess:
    """A running console: where it answers, who may sign in, and how to end it."""

    url: str
    twin_url: str
    data: Path
    environment: dict[str, str] = field(repr=False)
    process: subprocess.Popen[bytes] = field(repr=False)
    user: str = "admin"
    password: str = field(default="", repr=False)

    @property
    def pid(self) -> int:
        return self.process.pid

    def api_key(self, label: str = "test") -> str:
        """A new API key of the first login, made by the command that people use."""
        return self.manage("create_api_key", "--user", self.user, "--label", label).splitlines()[-1]

    def said(self) -> str:
        """What it printed so far."""
        return (self.data / "serve.log").read_text(errors="replace")

    def manage(self, *arguments: str) -> str:
        """Run another manage.py command on the same data; returns what it printed, raises when it fails."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=ROOT, env=self.environment, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"manage.py {arguments[0]} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def stop(self) -> int:
        """End it as Ctrl-C does; returns its exit code."""
        return self._end(signal.SIGINT)

    def kill(self) -> int:
        """End it at once (SIGKILL); its twin lives on."""
        return self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


def free_ports(count: int) -> list[int]:
    """Ports that were free just now, all different."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def start_console(
    data: Path,
    ports: list[int] | None = None,
    *,
    twin: TwinProcess | None = None,
    fresh: bool = False,
    **settings: str,
) -> ConsoleProcess:
    """Start a console and wait for its /readyz. settings: further environment, such as TWIN_SPEED="50".

    ports: console, twin, the twin's Daily; the same ones again for a console that takes up another's data.
    twin: one that runs already, to be used instead of one of its own.
    fresh: the console makes its database itself, as at a first start of people's.
    """
    data.mkdir(parents=True, exist_ok=True)
    port, twin_port, daily_port = ports or free_ports(3)
    if twin is not None:
        twin_port, daily_port = twin.port, twin.daily_port
    if not fresh and not {"DATABASE_URL", "ECHOADMIN_MODE"} & settings.keys():
        migrated.put_into(data)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    own = {"PORT": port, "TWIN_PORT": twin_port, "TWIN_DAILY_PORT": daily_port, "ECHOADMIN_DATA": data}
    environment = inherited | {name: str(value) for name, value in own.items()} | settings
    with (data / "serve.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "serve"], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
    console = ConsoleProcess(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{twin_port}", data, environment, process)
    _wait_until_ready(console)
    told = re.search(r"password (\S+)", console.said())
    console.password = told.group(1) if told else ""
    return console


def _wait_until_ready(console: ConsoleProcess) -> None:
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline:
        if console.process.poll() is not None:
            raise RuntimeError(f"The console ended at once:\n{console.said()}")
        if _is_ready(console.url) and "Ctrl-C" in console.said():
            return
        time.sleep(0.05)
    console.kill()
    raise RuntimeError(f"The console was not ready in {START_LIMIT:.0f} s:\n{console.said()}")


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


@contextlib.contextmanager
def running_console(
    data: Path,
    ports: list[int] | None = None,
    *,
    twin: TwinProcess | None = None,
    fresh: bool = False,
    **settings: str,
) -> Iterator[ConsoleProcess]:
    """A console, and its twin, for the length of a `with`; both are ended afterwards, whatever happened."""
    console = start_console(data, ports, twin=twin, fresh=fresh, **settings)
    try:
        yield console
    finally:
        console.stop()
