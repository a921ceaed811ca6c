"""A page's form that is too large is refused before it is read: Django would first write all of it to disk."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings

Application = Callable[..., Awaitable[None]]


class UploadLimit:
    """An ASGI application that takes no body over LARGEST_PAGE_UPLOAD under /admin/; the API has limits of its own."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Application, send: Application) -> None:
        """By what the request says of its length; one that does not say it is not for a page."""
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"0")
        if not scope["path"].startswith("/admin/") or (
            b"transfer-encoding" not in headers and length.isdigit() and int(length) <= settings.LARGEST_PAGE_UPLOAD
        ):
            await self.application(scope, receive, send)
            return
        words = f"This is larger than the {settings.LARGEST_PAGE_UPLOAD // 1_000_000} MB that a page takes."
        way_out = "Cut the file, or make it smaller: ffmpeg -i FILE -ac 1 -ar 24000 out.flac"
        body = json.dumps({"error": {"code": "too_large", "message": words, "way_out": way_out}}).encode()
        told = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        told += [(b"connection", b"close"), (b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
        await send({"type": "http.response.start", "status": 413, "headers": told})
        await send({"type": "http.response.body", "body": body})
