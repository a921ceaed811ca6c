"""Requests are lent threads, and with them connections, that outlive them."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.db import connection

from echoadmin import request_threads
from echoadmin.request_threads import RequestThreads, let_go

pytestmark = pytest.mark.django_db(transaction=True)
on_sqlite = pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL's connections have a pool")


class Served:
    """An application that notes which thread and which connection each of its requests had."""

    def __init__(self) -> None:
        self.threads: list[int] = []
        self.connections: list[int] = []
        self.here = asyncio.Semaphore(0)
        self.go_on = asyncio.Event()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        await sync_to_async(self.note)()
        self.here.release()
        if scope["path"] == "/wait":
            await self.go_on.wait()
        await sync_to_async(let_go)()
        await send({"type": "http.response.start", "status": 204, "headers": []})

    def note(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        self.threads.append(threading.get_ident())
        self.connections.append(id(connection.connection))


async def ask(application: Any, path: str = "/") -> None:
    asking = ApplicationCommunicator(application, {"type": "http", "path": path, "method": "GET", "headers": []})
    await asking.receive_output(10)
    await asking.wait()


async def test_one_request_after_another_has_the_same_thread() -> None:
    served = Served()
    application = RequestThreads(served)
    for _ in range(3):
        await ask(application)
    assert len(set(served.threads)) == 1
    assert served.threads[0] != threading.get_ident()


@on_sqlite
async def test_and_the_same_connection() -> None:
    served = Served()
    application = RequestThreads(served)
    for _ in range(3):
        await ask(application)
    assert len(set(served.connections)) == 1


async def test_requests_at_once_have_a_thread_each_and_few_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_threads, "KEPT", 2)
    served = Served()
    application = RequestThreads(served)
    asking = [asyncio.create_task(ask(application, "/wait")) for _ in range(5)]
    for _ in asking:
        await served.here.acquire()
    assert len(set(served.threads)) == 5
    served.go_on.set()
    await asyncio.gather(*asking)
    kept = {thread.ident for thread in threading.enumerate() if thread.name.startswith("request_")}
    async with asyncio.timeout(10):
        while len(kept & set(served.threads)) != 2:
            await asyncio.sleep(0.01)
            kept = {thread.ident for thread in threading.enumerate() if thread.name.startswith("request_")}


async def test_a_request_that_fails_gives_its_thread_back() -> None:
    async def fails(scope: Any, receive: Any, send: Any) -> None:
        await sync_to_async(threads.append)(0)
        threads.append(await sync_to_async(threading.get_ident)())
        raise RuntimeError("it failed")

    threads: list[int] = []
    application = RequestThreads(fails)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="it failed"):
            await application({"type": "http", "path": "/"}, None, None)  # type: ignore[arg-type]
    assert threads[1] == threads[3]
