"""A twin of its own for a test: a real process on free ports, in a folder of its own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
START_LIMIT = 30.0
STOP_LIMIT = 15.0


@dataclass
class TwinProcess:
    """A running twin: where it answers, and how to end it."""

    url: str
    daily_url: str
    ca_file: str
    pid: int
    data_dir: Path
    process: "subprocess.Popen[str]" = field(repr=False)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def daily_port(self) -> int:
        return int(self.daily_url.rpartition(":")[2])

    def stop(self) -> int:
        """End it cleanly (SIGTERM) and return its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """End it at once (SIGKILL)."""
        return self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(STOP_LIMIT)

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Ask one of the twin's own paths (or Tavus's, with a key that it accepts); return the JSON, None for none."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"x-api-key": "a-test", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def get(self, path: str) -> Any:
        return self.request("GET", path)

    def post(self, path: str, body: Any = None) -> Any:
        return self.request("POST", path, body if body is not None else {})

    def fault(self, kind: str, **details: Any) -> str:
        """Arm a fault and return its id."""
        return str(self.post("/twin/faults", {"kind": kind, **details})["id"])

    def messages(self, conversation_id: str, after: int = 0) -> list[dict[str, Any]]:
        """Return what the room carried, in order of arrival."""
        found: list[dict[str, Any]] = self.get(f"/twin/rooms/{conversation_id}/messages?after={after}")
        return found

    def room(self, conversation_id: str) -> dict[str, Any]:
        return next(room for room in self.get("/twin/rooms") if room["conversation_id"] == conversation_id)


def start_twin(data_dir: Path, speed: float = 50.0, port: int = 0, daily_port: int = 0) -> TwinProcess:
    """Start a twin and wait until it answers. Port 0 picks a free one."""
    data_dir.mkdir(parents=True, exist_ok=True)
    pid_file = data_dir / "twin.pid"
    # After a kill the old one still lies there, and would be taken for the new one's.
    pid_file.unlink(missing_ok=True)
    options = {"--data": data_dir, "--speed": speed, "--port": port, "--daily-port": daily_port}
    arguments = [str(part) for pair in options.items() for part in pair]
    process = subprocess.Popen(
        [sys.executable, "-m", "echoadmin.twin", *arguments], cwd=ROOT, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, env={key: value for key, value in os.environ.items() if not key.startswith("TWIN_")},
    )  # fmt: skip
    health = _wait_until_it_answers(process, pid_file)
    url = f"http://127.0.0.1:{health['port']}"
    return TwinProcess(url, health["daily_url"], health["ca_file"], health["pid"], data_dir, process)


def _wait_until_it_answers(process: "subprocess.Popen[str]", pid_file: Path) -> dict[str, Any]:
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"The twin ended at once, with exit code {process.returncode}.")
        with contextlib.suppress(FileNotFoundError, urllib.error.URLError, ConnectionError):
            port = json.loads(pid_file.read_text())["port"]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/twin/health", timeout=5) as answer:
                health: dict[str, Any] = json.loads(answer.read())
                return health
        time.sleep(0.02)
    process.kill()
    raise RuntimeError("The twin did not answer in time.")


@contextlib.contextmanager
def running_twin(data_dir: Path, speed: float = 50.0, port: int = 0, daily_port: int = 0) -> Iterator[TwinProcess]:
    """A twin for the length of a ``with``; it is ended afterwards, whatever happened."""
    twin = start_twin(data_dir, speed, port, daily_port)
    try:
        yield twin
    finally:
        twin.stop()


@pytest.fixture
def twin(tmp_path: Path) -> Iterator[TwinProcess]:
    """A twin of the test's own, fifty times faster than life."""
    with running_twin(tmp_path / "twin-data") as started:
        yield started
