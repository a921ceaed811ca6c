"""The ASGI application's outer parts: static files, the origin of a WebSocket, the lifespan."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from channels.db import database_sync_to_async
from django.utils import timezone
from pytest_django import Settings

from echoadmin import consoles
from echoadmin.installation import Console, stamp
from echoadmin.lifespan import lifespan
from echoadmin.routing import SameOrigin
from echoadmin.static_files import StaticFiles

CSS = "/static/admin/css/base.css"


async def django_application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": b"Django"})


async def ask(path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "path": path, "method": method, "headers": sent}
    asking = ApplicationCommunicator(StaticFiles(django_application), scope)
    start = await asking.receive_output()
    body = await asking.receive_output()
    return start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, body["body"]


async def test_static_files_are_answered_and_not_again_when_unchanged() -> None:
    status, headers, body = await ask(CSS)
    assert (status, headers["content-type"]) == (200, 'text/css; charset="utf-8"')
    assert int(headers["content-length"]) == len(body)
    again, _, nothing = await ask(CSS, if_none_match=headers["etag"])
    assert (again, nothing) == (304, b"")


async def test_static_files_take_no_posts() -> None:
    assert (await ask(CSS, "POST"))[0] == 405


@pytest.mark.parametrize("path", ["/static/../echoadmin/settings.py", "/static/nothing.css", "/admin/"])
async def test_all_else_goes_to_django(path: str) -> None:
    assert (await ask(path))[0] == 418


async def accept(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})


@pytest.mark.parametrize(
    ("origin", "connects"),
    [
        (None, True),  # a program: it has no page that another site could be
        ("http://console.test:8000", True),
        ("https://echo.example.com", True),
        ("http://console.test:9000", False),  # another program on the same host
        ("https://evil.example", False),
        ("null", False),
    ],
)
async def test_another_sites_page_cannot_open_a_socket(origin: str | None, connects: bool, settings: Settings) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://echo.example.com"]
    headers = [(b"host", b"console.test:8000"), *([(b"origin", origin.encode())] if origin else [])]
    socket = ApplicationCommunicator(SameOrigin(accept), {"type": "websocket", "path": "/ws/", "headers": headers})
    await socket.send_input({"type": "websocket.connect"})
    assert (await socket.receive_output())["type"] == ("websocket.accept" if connects else "websocket.close")


@pytest.mark.django_db(transaction=True)
async def test_a_console_that_may_not_run_does_not_start(settings: Settings) -> None:
    settings.REDIS_URL, settings.ROOMS = "", "worker"
    await database_sync_to_async(_stamped_with_another_console)()
    starting = ApplicationCommunicator(lifespan, {"type": "lifespan"})
    await starting.send_input({"type": "lifespan.startup"})
    answer = await starting.receive_output()
    assert answer["type"] == "lifespan.startup.failed"
    assert "another console runs" in answer["message"]


def _stamped_with_another_console() -> None:
    stamp("sandbox")
    now = timezone.now()
    Console.objects.create(
        name="another", host="elsewhere", pid=1, started_at=now, lease_until=now + timedelta(seconds=30)
    )


@pytest.mark.django_db(transaction=True)
async def test_a_console_holds_its_lease_from_start_to_end(settings: Settings) -> None:
    settings.REDIS_URL, settings.ROOMS = "", "worker"
    await database_sync_to_async(stamp)("sandbox")
    running = ApplicationCommunicator(lifespan, {"type": "lifespan"})
    await running.send_input({"type": "lifespan.startup"})
    assert (await running.receive_output())["type"] == "lifespan.startup.complete"
    assert [row.host async for row in Console.objects.all()] == [consoles.machine()]
    await running.send_input({"type": "lifespan.shutdown"})
    assert (await running.receive_output())["type"] == "lifespan.shutdown.complete"
    assert not await Console.objects.aexists()
