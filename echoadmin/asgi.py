"""The ASGI application: HTTP, WebSocket, and the lifespan that holds the console's lease and, inline, its rooms."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "echoadmin.settings")

import django

django.setup(set_prefix=False)  # loads the apps: what follows needs them

from channels.routing import ProtocolTypeRouter

from echoadmin.bodies import BodyLimits
from echoadmin.crowding import Crowding
from echoadmin.lifespan import lifespan
from echoadmin.request_threads import RequestThreads, TurnHandler
from echoadmin.routing import websocket_application
from echoadmin.static_files import StaticFiles

application: Any = ProtocolTypeRouter(
    {
        "http": StaticFiles(Crowding(RequestThreads(BodyLimits(TurnHandler())))),
        "websocket": websocket_application(),
        "lifespan": lifespan,
    }
)
