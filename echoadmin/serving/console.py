"""The console's process from start to end: prepare, listen, run beside its companions, stop everything in order."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import FrameType
from typing import Any

import uvicorn
from django.conf import settings
from django.db import connections

from echoadmin import __version__, consoles
from echoadmin.serving import first_start, ports
from echoadmin.serving.companions import CannotStart, companions
from echoadmin.serving.under_make import stop_with_make
from echoadmin.streaming import STOPPING

GRACE = 4  # seconds that answers under way may take once the console is told to stop
LAST_RESORT = 5.0  # seconds after the orderly end in which the process must be gone

Say = Callable[[str], Any]


def serve(say: Say) -> None:
    """Run the console until SIGINT, SIGTERM or SIGHUP.

    Raises PortTaken, CannotStart, SecondConsole or WrongMode, each with one line that says the way out.
    """
    with ExitStack() as running, suppress(KeyboardInterrupt):
        _make_stoppable()
        stop_with_make()
        listening = running.enter_context(ports.listen_on(settings.HOST, settings.PORT, "PORT"))
        password = first_start.prepare(settings.MODE)
        running.callback(consoles.release)
        consoles.take()
        beside = companions()
        for companion in beside:
            running.callback(companion.stop)
            companion.start()
        logging.getLogger("uvicorn.error").addFilter(_without_traces_of_clients)
        config = _uvicorn_config()
        config.load()  # the longest part of a start, while the companions make theirs
        lines = [line for companion in beside for line in companion.ready()]
        connections.close_all()
        _run(_Server(config, lambda: _greet(say, password, lines)), listening)
    say("stopped.")
    _leave_nothing_behind()


def _run(server: uvicorn.Server, listening: socket.socket) -> None:
    try:
        server.run([listening])
    except SystemExit as failure:
        raise CannotStart("the console did not start; what is wrong stands above") from failure


class _Server(uvicorn.Server):
    """Uvicorn, that tells when it answers, and those who would stream for good when it ends."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self.on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        STOPPING.set()
        await super().shutdown(sockets)


def _without_traces_of_clients(record: logging.LogRecord) -> bool:
    """A client that sends what is no UTF-8 is a line in the log; Uvicorn's trace would look like a fault here."""
    if record.msg == "Invalid UTF-8 sequence received from client.":
        record.exc_info, record.levelno, record.levelname = None, logging.WARNING, "WARNING"
    return True


def _uvicorn_config() -> uvicorn.Config:
    return uvicorn.Config(
        "echoadmin.asgi:application",
        loop="uvloop" if os.name == "posix" else "asyncio",
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=4 * 1024 * 1024,
        lifespan="on",
        log_config=None,
        access_log=False,  # the webhook's secret is in its path
        server_header=False,
        proxy_headers=bool(settings.TRUSTED_PROXIES),
        forwarded_allow_ips=",".join(settings.TRUSTED_PROXIES),
        timeout_graceful_shutdown=GRACE,
    )


def _greet(say: Say, password: str | None, lines: list[str]) -> None:
    at = settings.PUBLIC_URL or f"http://{settings.HOST}:{settings.PORT}"
    say(f"echoadmin {__version__}, {settings.MODE} mode")
    say(f"console   {at}/admin/")
    if password:
        say(f"login     admin   password {password}   (made just now, and shown only this once)")
    say(f"API       {at}/api/v1/   key: manage.py create_api_key --user admin --label me")
    for line in lines:
        say(line)
    say(f"data      {settings.DATA}")
    say("Ctrl-C stops it.")


def _make_stoppable() -> None:
    """SIGINT, SIGTERM and SIGHUP end the console in order, also where a shell had the first ignored (`serve &`)."""
    signal.signal(signal.SIGINT, _stop)
    signal.signal(signal.SIGTERM, _stop)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup means it
        signal.signal(signal.SIGHUP, lambda number, frame: signal.raise_signal(signal.SIGTERM))


def _stop(number: int, frame: FrameType | None) -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)  # what is being stopped now is not cut short
    raise KeyboardInterrupt


def _leave_nothing_behind() -> None:
    """A thread that still waits on something must not keep the process once everything has been stopped in order."""
    ending = threading.Timer(LAST_RESORT, os._exit, [0])
    ending.daemon = True
    ending.start()
