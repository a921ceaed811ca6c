"""`manage.py runrooms`: a worker as a process of its own, which holds rooms until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from conversations.probe_port import probes_at
from conversations.rooms import claims
from conversations.rooms.claims import NameTaken
from conversations.rooms.gauges import shown
from conversations.rooms.worker import RunningWorker, start_worker, stop_worker
from echoadmin.duties import OTHERS_FIRST
from echoadmin.garbage import spare_what_is_loaded
from echoadmin.installation import WrongMode, refuse_other_mode
from echoadmin.serving.ports import PortTaken, listen_on


class Command(BaseCommand):
    help = "Hold rooms in a process of its own (ECHOADMIN_ROOMS=worker); any number of them may run."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--name", default="", help="the worker's name (ECHOADMIN_WORKER, or made from host and pid)"
        )
        parser.add_argument(
            "--capacity", type=int, choices=range(1, 10_001), metavar="N", help="rooms at most (ECHOADMIN_CAPACITY)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.REDIS_URL:
            self.stderr.write("Without REDIS_URL no bell reaches this process: it looks for work every 2 s.")
        try:
            refuse_other_mode(settings.MODE)
            connection.close()
            name = options["name"] or settings.WORKER or claims.name_of_this_process()
            port = settings.WORKER_PORT  # taken before anything runs: a message that comes later may be lost
            listening = listen_on(settings.HOST, port, "ECHOADMIN_WORKER_PORT") if port else None
            asyncio.run(self._run(name, options["capacity"], listening))
        except (NameTaken, WrongMode, FileNotFoundError, PortTaken) as reason:
            raise CommandError(str(reason)) from reason

    async def _run(self, name: str, capacity: int | None, listening: socket.socket | None) -> None:
        """Until a signal comes, or somebody drains it by page or REST; then rooms are handed over, and at a (second)
        signal left at once."""
        signals: asyncio.Queue[None] = asyncio.Queue()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, signals.put_nowait, None)
        worker = await start_worker(name, capacity=capacity, duties_overdue=OTHERS_FIRST)
        spare_what_is_loaded()
        try:
            with _answering(worker, listening):
                self.stdout.write(f"worker {worker.row.name} is ready; Ctrl-C drains it, twice stops it")
                await _first_of(signals.get(), worker.keeper.drained.wait())
                self.stdout.write(f"worker {worker.row.name} hands over {len(worker.keeper.rooms)} rooms")
                await _first_of(signals.get(), worker.drain())
        finally:
            await stop_worker()
        self.stdout.write(f"worker {worker.row.name} has left its rooms")


@contextmanager
def _answering(worker: RunningWorker, listening: socket.socket | None) -> Iterator[None]:
    """Its probes and metrics, where it has a port for them."""
    with shown(worker), probes_at(listening) if listening else nullcontext():
        yield


async def _first_of(*waits: Coroutine[Any, Any, Any]) -> None:
    """Until one of them is done; the others are given up."""
    tasks = {asyncio.create_task(one) for one in waits}
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
