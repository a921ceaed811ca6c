"""What is broken and mended: a whole installation of real processes, in a folder of its own, on free ports."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tests.acceptance.chaos.asking import Api
from tests.acceptance.chaos.postgresql import PostgreSQL
from tests.acceptance.chaos.redis_server import RedisServer
from tests.console_process import ConsoleProcess, free_ports, start_console
from tests.twin_process import TwinProcess, start_twin
from tests.worker_process import WorkerProcess, start_worker

LEASE = 3.0  # s
SPEED = 20.0  # replicas speak so many times faster
QUICK = {
    "ECHOADMIN_LEASE": f"{LEASE:g}",
    "ECHO_STOP_FACTOR": "0.5",  # an end that nobody heard is not waited for as long as in life
    "ECHO_STOP_EXTRA": "4",
}


class Slot:
    """A place for one console or worker, which is a new process each time that it is started."""

    def __init__(self, name: str, start: Callable[[], ConsoleProcess | WorkerProcess]) -> None:
        self.name, self._start = name, start
        self.now: ConsoleProcess | WorkerProcess | None = None
        self.frozen = False

    def start(self) -> None:
        """A new process, ready."""
        self.now, self.frozen = self._start(), False

    def kill(self) -> None:
        """kill -9."""
        if self.now is not None:
            self.now.kill()
            self.now = None

    def freeze(self) -> None:
        """SIGSTOP."""
        self._signal(signal.SIGSTOP)
        self.frozen = True

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)
        self.frozen = False

    def terminate(self, limit: float) -> int:
        """SIGTERM, and wait for the end; its exit code. Raises TimeoutExpired."""
        assert self.now is not None
        self._signal(signal.SIGTERM)
        code = self.now.process.wait(limit)
        self.now = None
        return code

    def ended(self) -> int | None:
        """The exit code of a process that nobody ended."""
        return None if self.now is None else self.now.process.poll()

    def _signal(self, number: signal.Signals) -> None:
        assert self.now is not None
        os.kill(self.now.process.pid, number)


class Place:
    """Two consoles and two workers on PostgreSQL and Redis, or, embedded, one console alone; and the twin."""

    def __init__(self, folder: Path, *, embedded: bool) -> None:
        self.folder, self.embedded = folder, embedded
        self.postgresql: PostgreSQL | None = None
        self.redis: RedisServer | None = None
        self.consoles: list[Slot] = []
        self.workers: list[Slot] = []
        self.twin: TwinProcess
        self.api: Api
        self._ending = ExitStack()

    @property
    def holders(self) -> list[Slot]:
        """The processes that hold rooms."""
        return self.workers or self.consoles

    @property
    def slots(self) -> list[Slot]:
        """Every process of the console's own."""
        return [*self.consoles, *self.workers]

    def open(self) -> None:
        """Start everything, and wait until all of it is ready."""
        self.twin = start_twin(self.folder / "twin", SPEED)
        self._ending.callback(self.twin.kill)
        settings = QUICK | {"DAILY_CA_FILE": self.twin.ca_file}
        if not self.embedded:
            settings |= self._services()
        ports = free_ports(1 if self.embedded else 2)
        self.consoles = [self._console(number, port, settings) for number, port in enumerate(ports, 1)]
        self.consoles[0].start()  # alone: it makes the tables
        console = self.first_console
        self.api = Api([f"http://127.0.0.1:{port}" for port in ports], console.api_key("chaos"))
        if not self.embedded:
            self.workers = [self._worker(number, console.environment) for number in (1, 2)]
            start_all([*self.consoles[1:], *self.workers])

    @property
    def first_console(self) -> ConsoleProcess:
        """For commands beside it."""
        console = self.consoles[0].now
        assert isinstance(console, ConsoleProcess)
        return console

    def close(self) -> None:
        """End everything, in whatever state it is."""
        for slot in reversed(self.slots):
            if slot.now is not None and slot.frozen:
                slot.thaw()
            slot.kill()
        self._ending.close()

    def _services(self) -> dict[str, str]:
        self.postgresql = PostgreSQL(self.folder / "postgresql")
        self._ending.callback(self._stop_postgresql)
        self.postgresql.create()
        self.redis = RedisServer(self.folder / "redis")
        self._ending.callback(self.redis.kill)
        self.redis.start()
        return {
            "DATABASE_URL": self.postgresql.url,
            "REDIS_URL": self.redis.url,
            "ECHOADMIN_ROOMS": "worker",
            "ECHOADMIN_SECRET_KEY": secrets.token_urlsafe(48),
            "ECHOADMIN_SIGNING_KEY": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",  # of 32 zero bytes
        }

    def _stop_postgresql(self) -> None:
        if self.postgresql is not None and self.postgresql.runs:
            self.postgresql.stop("immediate")

    def _console(self, number: int, port: int, settings: dict[str, str]) -> Slot:
        data, ports = self.folder / f"console-{number}", [port, self.twin.port, self.twin.daily_port]
        return Slot(data.name, lambda: start_console(data, ports, twin=self.twin, **settings))

    def _worker(self, number: int, environment: dict[str, str]) -> Slot:
        data = self.folder / f"worker-{number}"
        return Slot(data.name, lambda: start_worker(data.name, data, environment))


def start_all(slots: list[Slot]) -> None:
    """Side by side: most of a start is waiting."""
    with ThreadPoolExecutor(max(1, len(slots))) as threads:
        for started in [threads.submit(slot.start) for slot in slots]:
            started.result()
