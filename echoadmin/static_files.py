"""Scripts, styles and pictures, answered before Django: no request thread, no middleware, conditional requests kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from whitenoise.middleware import WhiteNoiseMiddleware

Application = Callable[..., Awaitable[None]]


class StaticFiles:
    """An ASGI application that answers for every static file the installed apps ship, and passes all else on."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.files: dict[str, Any] = WhiteNoiseMiddleware().files

    async def __call__(self, scope: dict[str, Any], receive: Application, send: Application) -> None:
        """Answer when the path is a static file's."""
        file = self.files.get(scope["path"])
        if file is None:
            await self.application(scope, receive, send)
            return
        environ = {f"HTTP_{_text(name).upper().replace('-', '_')}": _text(value) for name, value in scope["headers"]}
        answer, body = await asyncio.to_thread(_open, file, scope["method"], environ)
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
        headers.append((b"x-content-type-options", b"nosniff"))
        await send({"type": "http.response.start", "status": int(answer.status), "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _text(raw: bytes) -> str:
    return raw.decode("latin-1")


def _open(file: Any, method: str, environ: dict[str, str]) -> tuple[Any, bytes]:
    answer = file.get_response(method, environ)
    if answer.file is None:
        return answer, b""
    with answer.file as content:
        return answer, content.read()
