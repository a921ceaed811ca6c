"""The twin as a process: two listeners on one event loop, a pid file, and a clean end."""

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import signal
import ssl
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from aiohttp import web

from echoadmin import clock

from . import control, media, tavus_api
from .certificates import Certificates, ensure_certificates
from .daily_rooms import DailyRooms
from .settings import TwinSettings
from .vendor import Vendor

log = logging.getLogger("echoadmin.twin")
LARGEST_REQUEST = 4 * 1024 * 1024


class CannotStart(Exception):
    """Why a twin cannot start, in one line for a person."""


def run(settings: TwinSettings) -> None:
    """Run a twin until SIGTERM or SIGINT, then write everything down and return. Raises :class:`CannotStart`."""
    with _only_one(settings):
        certificates = ensure_certificates(settings.folder)
        asyncio.run(_serve(settings, certificates))


async def _serve(settings: TwinSettings, certificates: Certificates) -> None:
    clock.drive_loop(asyncio.get_running_loop())
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    vendor = Vendor(settings)
    vendor.ca_file = certificates.ca_file.resolve()
    runners: list[web.AppRunner] = []
    try:
        vendor.port = await _listen(runners, _tavus_app(vendor), settings.host, settings.port, None)
        vendor.daily_port = await _listen(
            runners, _daily_app(vendor), settings.host, settings.daily_port, _tls(certificates)
        )
        _resume(vendor)
        flushing = asyncio.create_task(vendor.store.keep_flushing())
        _write_pid_file(vendor)
        _say(f"Twin: Tavus API http://{settings.host}:{vendor.port}, Daily https://localhost:{vendor.daily_port}")
        await asyncio.wait([asyncio.create_task(stopped.wait()), flushing], return_when=asyncio.FIRST_COMPLETED)
        if flushing.done():
            flushing.result()
        flushing.cancel()
    finally:
        for runner in runners:
            await runner.cleanup()
        await vendor.close()
        _remove_pid_file(settings.pid_file)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _resume(vendor: Vendor) -> None:
    vendor.reopen()
    for row in vendor.replicas.values():
        if row["status"] == "started":
            asyncio.get_running_loop().call_later(vendor.settings.training_seconds, tavus_api.trained, vendor, row)


def _tavus_app(vendor: Vendor) -> web.Application:
    order = [control.loopback_only, tavus_api.go_wrong, tavus_api.refuse_in_json]
    app = web.Application(middlewares=order, client_max_size=LARGEST_REQUEST)
    app[tavus_api.VENDOR] = vendor
    app.add_routes([*tavus_api.routes(), *control.routes(), *media.routes()])
    return app


def _daily_app(vendor: Vendor) -> web.Application:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", DailyRooms(vendor).handle)
    return app


def _tls(certificates: Certificates) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.cert_file, certificates.key_file)
    return context


async def _listen(
    runners: list[web.AppRunner], app: web.Application, host: str, port: int, tls: ssl.SSLContext | None
) -> int:
    """Listen, and return the port: the one asked for, or a free one for 0."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.3)
    await runner.setup()
    runners.append(runner)
    site = web.TCPSite(runner, host, port, ssl_context=tls)
    try:
        await site.start()
    except OSError as error:
        raise CannotStart(f"The twin cannot listen on {host}:{port}: {error.strerror}. Is the port taken?") from None
    return int(runner.addresses[0][1])


@contextlib.contextmanager
def _only_one(settings: TwinSettings) -> Iterator[None]:
    """Hold the data folder's lock: two twins would write over one another."""
    settings.folder.mkdir(parents=True, exist_ok=True)
    with (settings.folder / "lock").open("a") as lock:
        _lock(lock, settings.data)
        yield


def _lock(lock: IO[str], data: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CannotStart(f"Another twin already uses the data folder {data}.") from None


def _write_pid_file(vendor: Vendor) -> None:
    path = vendor.settings.pid_file
    fresh = path.with_suffix(f".{os.getpid()}")
    content = {"pid": os.getpid(), "port": vendor.port, "daily_port": vendor.daily_port, "started": time.time()}
    fresh.write_text(json.dumps(content))
    fresh.replace(path)


def _remove_pid_file(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if json.loads(path.read_text()).get("pid") == os.getpid():
            path.unlink()
