"""`manage.py serve` as people run it: real processes on free ports, in a data folder of the test's own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from echoadmin.processes import alive
from tests.twin_process import running_twin

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.own_database
PATIENCE = 60.0  # seconds; a limit for a slow machine, never a measure


@dataclass
class Place:
    """A data folder and three ports that belong together."""

    data: Path
    port: int
    twin_port: int
    daily_port: int
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """`manage.py serve`, its output in `<data>/../out-<n>`."""
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
        ports = {"PORT": self.port, "TWIN_PORT": self.twin_port, "TWIN_DAILY_PORT": self.daily_port}
        whole = {**kept, "ECHOADMIN_DATA": str(self.data), **{name: str(port) for name, port in ports.items()}}
        with self.output(len(self.started)).open("w") as out:
            process = subprocess.Popen(
                [sys.executable, "manage.py", "serve", *arguments],
                cwd=ROOT,
                env={**whole, "PYTHONUNBUFFERED": "1", **environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                text=True,
                preexec_fn=hear_ctrl_c,
            )
        self.started.append(process)
        return process

    def output(self, number: int = -1) -> Path:
        return self.data.parent / f"out-{number if number >= 0 else len(self.started) - 1}"

    def said(self, number: int = -1) -> str:
        return self.output(number).read_text(encoding="utf-8")

    def ready(self, port: int = 0) -> dict[str, Any]:
        """Wait for /readyz to answer 200; the answer."""

        def look() -> dict[str, Any] | None:
            assert self.started[-1].poll() is None, self.said()
            return get(f"http://127.0.0.1:{port or self.port}/readyz")

        return until(look, self.said)  # type: ignore[no-any-return]

    def twin(self) -> dict[str, Any] | None:
        return get(f"http://127.0.0.1:{self.twin_port}/twin/health")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    here = Place(tmp_path / "var", *free_ports(3))
    yield here
    for process in here.started:
        process.kill()
        process.wait()
    with contextlib.suppress(OSError, ValueError, ProcessLookupError):  # the twin of one that was killed
        os.kill(int(json.loads((here.data / "twin.pid").read_text())["pid"]), signal.SIGKILL)


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as open_:
        sockets = [open_.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def get(url: str) -> dict[str, Any] | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            found: dict[str, Any] = json.loads(answer.read())
            return found
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None


def until(look: Callable[[], Any], why: Callable[[], str] = str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, why()
        time.sleep(0.02)
    return found


def hear_ctrl_c() -> None:
    """In the child: a shell that runs the tests in the background has made them, and all they start, deaf to Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def stop(process: subprocess.Popen[str], number: int = signal.SIGINT) -> int:
    process.send_signal(number)
    return process.wait(PATIENCE)


def test_the_first_start_prints_a_login_and_the_second_does_not_and_ctrl_c_leaves_nothing(place: Place) -> None:
    first = place.start()
    assert place.ready()["parts"]["worker"] == "ok"
    twin = place.twin()
    assert twin is not None
    until(lambda: "Ctrl-C stops it" in place.said())
    assert f"http://127.0.0.1:{place.port}/admin/" in place.said()
    password = place.said().split("password ")[1].split()[0]
    assert sign_in(place.port, password)
    assert stop(first) == 0
    assert not alive(twin["pid"])

    second = place.start()
    place.ready()
    until(lambda: "Ctrl-C stops it" in place.said())
    assert "password" not in place.said()
    assert sign_in(place.port, password)
    twin = place.twin()
    assert stop(second, signal.SIGTERM) == 0
    assert twin is not None
    assert not alive(twin["pid"])
    assert "Traceback" not in place.said(0) + place.said(1)


def sign_in(port: int, password: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    page = opener.open(f"http://127.0.0.1:{port}/admin/login/").read().decode()
    token = page.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
    form = urllib.parse.urlencode(
        {"username": "admin", "password": password, "csrfmiddlewaretoken": token, "next": "/healthz"}
    )
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/admin/login/", form.encode(), {"Origin": f"http://127.0.0.1:{port}"}
    )
    with opener.open(request) as answer:
        return bool(answer.url.endswith("/healthz"))


def test_a_console_that_was_killed_finds_its_twin_again_and_owns_it(place: Place) -> None:
    killed = place.start()
    place.ready()
    before = place.twin()
    assert before is not None
    killed.kill()
    killed.wait()
    assert alive(before["pid"])

    again = place.start()
    place.ready()
    after = place.twin()
    assert after is not None
    assert after["pid"] == before["pid"]
    assert stop(again) == 0
    assert not alive(before["pid"])


def test_the_twin_of_a_killed_console_is_not_left_behind_on_other_ports(place: Place) -> None:
    killed = place.start()
    place.ready()
    left = place.twin()
    assert left is not None
    killed.kill()
    killed.wait()

    place.twin_port, place.daily_port = free_ports(2)
    again = place.start()
    place.ready()
    assert not alive(left["pid"])
    assert stop(again) == 0


def test_a_foreign_twin_is_used_and_goes_on(place: Place, tmp_path: Path) -> None:
    with running_twin(tmp_path / "foreign", port=place.twin_port, daily_port=place.daily_port) as foreign:
        console = place.start(TWIN_SPEED="50")
        place.ready()
        until(lambda: "was running already, and goes on" in place.said(), place.said)
        assert stop(console) == 0
        assert alive(foreign.pid)
        assert foreign.get("/twin/health")["pid"] == foreign.pid


def test_a_twin_whose_daily_side_is_elsewhere_is_refused(place: Place, tmp_path: Path) -> None:
    with running_twin(tmp_path / "foreign", port=place.twin_port) as foreign:
        console = place.start()
        assert console.wait(PATIENCE) == 1
        assert f"TWIN_DAILY_PORT={foreign.daily_port}" in place.said()
        assert "Traceback" not in place.said()


@pytest.mark.parametrize("variable", ["PORT", "TWIN_PORT", "TWIN_DAILY_PORT"])
def test_a_busy_port_is_one_line_that_names_it_and_its_holder(place: Place, variable: str) -> None:
    port = {"PORT": place.port, "TWIN_PORT": place.twin_port, "TWIN_DAILY_PORT": place.daily_port}[variable]
    with socket.socket() as holding:
        holding.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holding.bind(("127.0.0.1", port))
        holding.listen()
        console = place.start()
        assert console.wait(PATIENCE) == 1
    complaint = [line for line in place.said().splitlines() if line.startswith("CommandError")]
    assert len(complaint) == 1
    assert f"port {port} is already in use by pid {os.getpid()}" in complaint[0]
    assert f"{variable}=<port>" in complaint[0]
    assert "Traceback" not in place.said()


def test_a_second_console_on_the_same_database_is_refused_and_harms_nothing(place: Place) -> None:
    first = place.start()
    place.ready()
    twin = place.twin()
    second = place.start("--port", str(free_ports(1)[0]))
    assert second.wait(PATIENCE) == 1
    assert f"another console runs on this database (pid {first.pid}" in place.said()
    assert place.twin() == twin
    assert get(f"http://127.0.0.1:{place.port}/readyz")
    assert stop(first) == 0


def test_the_options_win_over_the_environment(place: Place) -> None:
    (port,) = free_ports(1)
    console = place.start("--port", str(port))
    place.ready(port)
    until(lambda: f"http://127.0.0.1:{port}/admin/" in place.said(), place.said)
    assert stop(console) == 0


def test_a_live_console_starts_no_twin_and_refuses_the_sandboxs_database(place: Place) -> None:
    sandbox = place.start()
    place.ready()
    assert stop(sandbox) == 0

    # The other mode's own file: nothing is mixed up, and there is no twin.
    live = place.start(ECHOADMIN_MODE="live", TAVUS_API_KEY="a-key")
    place.ready()
    assert place.twin() is None
    assert stop(live) == 0

    (place.data / "live.sqlite3").write_bytes((place.data / "sandbox.sqlite3").read_bytes())
    for name in ("live.sqlite3-wal", "live.sqlite3-shm"):
        (place.data / name).unlink(missing_ok=True)
    mixed = place.start(ECHOADMIN_MODE="live", TAVUS_API_KEY="a-key")
    assert mixed.wait(PATIENCE) == 1
    assert "this database belongs to the sandbox mode" in place.said()
    assert "Traceback" not in place.said()


def test_make_that_is_interrupted_alone_stops_the_console_too(place: Place) -> None:
    environment = {
        **os.environ,
        "ECHOADMIN_DATA": str(place.data),
        "TWIN_PORT": str(place.twin_port),
        "TWIN_DAILY_PORT": str(place.daily_port),
    }
    command = ["make", "--no-print-directory", "run", f"PORT={place.port}"]
    with (place.data.parent / "out-0").open("w") as out:
        made = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, text=True,
            preexec_fn=hear_ctrl_c,
        )  # fmt: skip
    place.started.append(made)
    place.ready()
    twin = place.twin()
    assert twin is not None
    made.send_signal(signal.SIGINT)
    made.wait(PATIENCE)
    assert get(f"http://127.0.0.1:{place.port}/healthz") is None
    assert not alive(twin["pid"])
