"""The WebSocket side of the console: its routes, who is asking, and that a page of ours asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from django.conf import settings
from django.urls import re_path

from conversations.live import websocket_urlpatterns

Application = Callable[..., Awaitable[None]]


class SameOrigin:
    """Denies a WebSocket that another site's page opens in the name of whoever is logged in here.

    A browser always sends Origin. Programs send none, and bring no cookie that a stranger could use.
    """

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Application, send: Application) -> None:
        """Pass the connection on, or deny it (HTTP 403)."""
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1")
        host = headers.get(b"host", b"").decode("latin-1")
        if not origin or urlsplit(origin).netloc == host or origin in settings.CSRF_TRUSTED_ORIGINS:
            await self.application(scope, receive, send)
        else:
            await deny(scope, receive, send)


async def deny(scope: dict[str, Any], receive: Application, send: Application) -> None:
    """Close a connection before it is accepted: the client sees HTTP 403."""
    await receive()
    await send({"type": "websocket.close"})


def websocket_application() -> Application:
    """Every WebSocket route behind the origin check, with the logged-in user in its scope."""
    routes = URLRouter([*websocket_urlpatterns, re_path("", deny)])  # type: ignore[arg-type]
    return SameOrigin(AuthMiddlewareStack(routes))
