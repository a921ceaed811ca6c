"""Rooms on a real twin, by the real SDK in this process: a worker on a loop of its own, tests in plain sync code."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from django.conf import LazySettings

from conversations import bells
from conversations.rooms import worker as worker_module
from conversations.rooms.worker import RunningWorker, start_worker
from echoadmin import duties
from tests.integration.rooms.driving import InRoom, open_conversation
from tests.loop_thread import LoopThread
from tests.sdk_client import SdkClient, sdk_client
from tests.twin_process import TwinProcess


class Workers:
    """Starts workers in this process, and stops at the end what still runs."""

    def __init__(self, thread: LoopThread) -> None:
        self._thread = thread
        self.running: list[RunningWorker] = []

    def start(self, name: str = "") -> RunningWorker:
        """A worker with a name that no other test has used."""
        worker = self._thread.do(start_worker(name or f"w-{uuid.uuid4().hex[:8]}"))
        self.running.append(worker)
        return worker

    def stop(self, worker: RunningWorker) -> None:
        """A clean end: rooms are left, the lease is given back."""
        self.running.remove(worker)
        self._thread.do(worker.stop(10))

    def stop_all(self) -> None:
        for worker in reversed(list(self.running)):
            self.stop(worker)
        worker_module._running = None
        bells.use_loop(None)


@pytest.fixture
def twin(session_twin: TwinProcess, settings: LazySettings, tmp_path_factory: pytest.TempPathFactory) -> TwinProcess:
    """The run's twin without faults; the settings lead there, and the clocks of workers run ten times faster."""
    session_twin.request("DELETE", "/twin/faults")
    settings.TAVUS_API_URL = session_twin.url
    settings.DAILY_PROXY_URL = session_twin.daily_url
    settings.DAILY_CA_FILE = session_twin.ca_file
    settings.DATA = session_twin.data_dir
    settings.WORKER_LEASE = 3.0
    return session_twin


@pytest.fixture
def workers(
    transactional_db: None, twin: TwinProcess, loop_thread: LoopThread, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workers]:
    """Workers without duties: what a duty would do, a test does when it wants it."""
    monkeypatch.setattr(duties, "REGISTRY", {})
    made = Workers(loop_thread)
    yield made
    made.stop_all()


@pytest.fixture
def worker(workers: Workers) -> RunningWorker:
    """One worker, running."""
    return workers.start()


@pytest.fixture
def idle(transactional_db: None, twin: TwinProcess) -> Iterator[InRoom]:
    """A conversation that runs upstream, and whose room nobody has asked for yet."""
    opened = open_conversation(twin)
    yield opened
    opened.end_upstream()


@pytest.fixture
def room(idle: InRoom, worker: RunningWorker) -> InRoom:
    """The same, joined by a worker, with the replica there."""
    idle.join()
    return idle


@pytest.fixture
def other(room: InRoom) -> Iterator[InRoom]:
    """A second conversation, joined by the same worker."""
    opened = open_conversation(room.twin)
    opened.join()
    yield opened
    opened.end_upstream()


@pytest.fixture
def guest(room: InRoom) -> Iterator[SdkClient]:
    """Somebody else in the same room, by the same SDK in a process of its own."""
    with sdk_client(room.twin.daily_url, room.twin.ca_file) as client:
        assert client.join(room.conversation.conversation_url, name="guest") is None
        yield client
