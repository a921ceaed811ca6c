"""Starts and stops this process's worker: inside the console (inline) or as a process of its own (runrooms)."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256

from django.conf import settings
from django.db import connection

from conversations import bells
from conversations.consumers import RoomsConsumer
from conversations.models import Worker
from conversations.rooms import claims
from conversations.rooms.daily import Link, initialise
from conversations.rooms.desk import Desk
from conversations.rooms.events import Event
from conversations.rooms.keeper import Keeper
from echoadmin import __version__, tracing
from echoadmin.duties import DutyThread
from echoadmin.installation import Installation, stamp
from echoadmin.log.writer import Folder, Writer
from echoadmin.log_lines import name_process
from echoadmin.runs import RunThread

logger = logging.getLogger(__name__)

STOP_TIMEOUT = 10.0  # s for all rooms to be left

_running: RunningWorker | None = None


class RunningWorker:
    """The parts of one worker, started in order and stopped in reverse."""

    def __init__(self, row: Worker, spool: Folder, duties: DutyThread) -> None:
        self.row, self.spool = row, spool
        self.writer = Writer(on_commit=bells.Tails().grew, spool=spool)
        self.duties = duties
        self.runs = RunThread(row.name)
        self.keeper = Keeper(self._desk, _make_link)
        self.consumer = RoomsConsumer(self.keeper)
        self.tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """On the loop that the rooms will live on."""
        self.writer.start()
        self.duties.start()
        self.runs.start()
        self.tasks = [
            asyncio.create_task(self.keeper.run(), name="keeper"),
            asyncio.create_task(self.consumer.listen(), name="rooms consumer"),
        ]

    async def drain(self) -> None:
        """Until every room is another worker's, or left."""
        self.duties.stopping.set()
        self.runs.stopping.set()
        await self.keeper.drain()

    async def stop(self, timeout: float) -> None:
        """Leave the rooms, flush the log, give back the lease."""
        self.duties.stopping.set()
        self.runs.stopping.set()
        await self.keeper.stop(timeout)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await asyncio.to_thread(self._close)

    @property
    def alive(self) -> bool:
        """Whether it holds its lease and its loops run."""
        return bool(self.tasks) and not any(task.done() for task in self.tasks)

    def _desk(self, keeper: Keeper) -> Desk:
        return Desk(self.row, self.writer, keeper.may_claim, bells.ring_tail)

    def _close(self) -> None:
        self.writer.stop(timeout=5)
        self.duties.stop(timeout=5)
        self.keeper.desk.close()


async def start_worker(
    name: str = "", *, capacity: int | None = None, duties_overdue: timedelta = timedelta(0)
) -> RunningWorker:
    """Start this process's worker on the running loop, for `capacity` rooms (WORKER_CAPACITY); raises NameTaken while
    another process has its name."""
    global _running
    bundle = settings.DATA / "ca-bundle.pem"
    initialise(ca_file=settings.DAILY_CA_FILE, bundle_path=bundle, trace=settings.DAILY_SDK_TRACE)
    row, spool = await asyncio.to_thread(_register, worker_name(name), capacity or settings.WORKER_CAPACITY)
    name_process(worker=row.name)
    tracing.start(row.name)
    bells.use_loop(asyncio.get_running_loop())
    _running = RunningWorker(row, spool, DutyThread(row.name, overdue=duties_overdue))
    _running.start()
    logger.info("worker %s holds up to %d rooms", row.name, row.capacity)
    return _running


def _register(name: str, capacity: int) -> tuple[Worker, Folder]:
    try:
        row = claims.register(name, capacity=capacity, version=__version__)
        return row, _spool_folder(row.name, stamp(settings.MODE))
    finally:
        connection.close()  # this thread is the loop's, and may never be used again


def _spool_folder(owner: str, installation: Installation) -> Folder:
    """In the data folder, which workers of other installations may share: theirs are not for this database."""
    belongs = sha256(f"{installation.mode} {installation.database_key}".encode()).hexdigest()[:16]
    return Folder(settings.DATA / "spool", owner, belongs, int(settings.LOG_SPOOL_MB * 2**20))


async def stop_worker() -> None:
    """Stop it again; does nothing when none runs."""
    global _running
    worker, _running = _running, None
    if worker is not None:
        await worker.stop(STOP_TIMEOUT)
        bells.use_loop(None)
        await asyncio.to_thread(tracing.stop)


def running_worker() -> RunningWorker | None:
    """This process's worker, if it has one."""
    return _running


def worker_name(given: str = "") -> str:
    """`given`, ECHOADMIN_WORKER, or one made from the host's name; in the characters that a channel may have."""
    name = given or settings.WORKER or f"{claims.HOST}-console"
    return re.sub(r"[^A-Za-z0-9._-]", "-", name)[:80]


def _make_link(name: str, on_event: Callable[[Event], None]) -> Link:
    return Link(name=name, proxy_url=settings.DAILY_PROXY_URL, on_event=on_event)
