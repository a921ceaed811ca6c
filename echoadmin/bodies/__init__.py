"""Request bodies are limited before they are read: Django would first write all of one to disk, and then ask who sent
it.

Three limits, each told in the API's shape: 413 by the length that is announced, and by the bytes that come; 401 (after
too many wrong keys 429) before more than a form's worth is taken from somebody who is not known here; 408 for a body
that dribbles in.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from echoadmin.api.problems import ApiError, Problem
from echoadmin.bodies.allowed import FREELY, is_known, largest, needs_to_be_known
from echoadmin.request_ids import request_id_of

Application = Callable[..., Awaitable[Any]]

GRACE = 20.0  # seconds that any body may take
SLOWEST = 4_000  # bytes a second of a longer one; real-time PCM16 at 8 kHz is four times that
LINGER = 1.0  # seconds in which a refused body is thrown away, so that its sender gets to read the answer


class BodyLimits:
    """An ASGI application that passes on what may be read, and answers for the rest."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Application, send: Application) -> None:
        """Pass the request on, its body counted while it is read."""
        body = Body(scope, receive)
        with contextlib.suppress(Refused):
            await body.announced()
        if body.problem is None:
            await self.application(scope, body.receive, body.sending(send))
        if body.problem is not None and not body.answered:
            await refuse(scope, receive, send, body.problem)


class Refused(Exception):
    """The body is read no further; `Body.problem` says why."""


class Body:
    """What comes of one request's body, and how much more of it may."""

    def __init__(self, scope: dict[str, Any], receive: Application) -> None:
        self.problem: Problem | None = None
        self.answered = False
        self._scope = scope
        self._receive = receive
        self._headers = dict(scope["headers"])
        self._most = FREELY
        self._came = 0
        self._known = False
        self._whole = False
        self._began: float | None = None

    async def announced(self) -> None:
        """Judge what the headers say. Raises Refused."""
        length = self._headers.get(b"content-length", b"0")
        if not length.isdigit():
            self._refuse(Problem(400, "invalid", "Content-Length is to be a number."))
        await self._take(int(length[:18]))

    async def receive(self) -> dict[str, Any]:
        """The next piece; to the application a body that is refused looks like a client that went away."""
        if self._whole:
            return await self._receive()
        try:
            message = await self._in_time()
            self._came += len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
            await self._take(self._came)
        except Refused:
            return {"type": "http.disconnect"}
        return message

    def sending(self, send: Application) -> Application:
        """`send`, and a note that the application has answered."""

        async def noted(message: dict[str, Any]) -> None:
            self.answered = True
            await send(message)

        return noted

    async def _in_time(self) -> dict[str, Any]:
        now = asyncio.get_running_loop().time()
        self._began = self._began or now
        left = self._began + GRACE + self._came / SLOWEST - now
        try:
            return await asyncio.wait_for(self._receive(), max(0.0, left))
        except TimeoutError:
            words = f"The body came too slowly: it has {GRACE:g} s, and more at {SLOWEST:,} bytes a second. Send again."
            return self._refuse(Problem(408, "too_slow", words))

    async def _take(self, size: int) -> None:
        """Whether `size` bytes may come in all. Who it is, is asked once, and only of who sends much."""
        if size <= FREELY:
            return
        if not self._known and needs_to_be_known(self._scope["path"]):
            try:
                self._known = await is_known(self._scope)
            except ApiError as refused:
                self._refuse(refused.problem)
            if not self._known:
                words = "Who are you? Send `Authorization: Bearer <key>`, or sign in. The body was not read."
                self._refuse(Problem(401, "unauthenticated", words))
        self._most = max(self._most, largest(self._scope["path"], self._header(b"content-type")))
        if size > self._most:
            words = f"The body is larger than the {_told(self._most)} that this address takes. "
            self._refuse(Problem(413, "too_large", words + "Send less, or send it in pieces."))

    def _header(self, name: bytes) -> str:
        return str(self._headers.get(name, b"").decode("latin-1"))

    def _refuse(self, problem: Problem) -> Any:
        self.problem = problem
        raise Refused


async def refuse(scope: dict[str, Any], receive: Application, send: Application, problem: Problem) -> None:
    """Answer, and for a moment throw away what is still sent: a connection that is cut takes the answer with it."""
    request_id = request_id_of(dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1"))
    body = json.dumps(problem.body(request_id)).encode()
    await send(
        {"type": "http.response.start", "status": problem.status, "headers": _headers(problem, request_id, body)}
    )
    await send({"type": "http.response.body", "body": body, "more_body": True})
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER):
            while (await receive()).get("more_body"):
                pass
    await send({"type": "http.response.body", "body": b""})


def _headers(problem: Problem, request_id: str, body: bytes) -> Iterable[tuple[bytes, bytes]]:
    yield b"content-type", b"application/json"
    yield b"content-length", b"%d" % len(body)
    yield b"connection", b"close"
    yield b"cache-control", b"no-store"
    yield b"x-content-type-options", b"nosniff"
    yield b"x-request-id", request_id.encode()
    for name, value in problem.headers().items():
        yield name.lower().encode(), value.encode()
    if problem.status == 401:
        yield b"www-authenticate", b'Bearer realm="echoadmin"'


def _told(size: int) -> str:
    return f"{size // 1_000_000} MB" if size >= 1_000_000 else f"{size // 1000} KB"
