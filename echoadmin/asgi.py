"""The ASGI application: HTTP, WebSocket, and the lifespan that holds the console's lease and, inline, its rooms."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "echoadmin.settings")

from django.core.asgi import get_asgi_application

django_application = get_asgi_application()  # loads the apps: what follows needs them

from channels.routing import ProtocolTypeRouter

from echoadmin.bodies import BodyLimits
from echoadmin.lifespan import lifespan
from echoadmin.request_threads import RequestThreads
from echoadmin.routing import websocket_application
from echoadmin.static_files import StaticFiles

application: Any = ProtocolTypeRouter(
    {
        "http": StaticFiles(RequestThreads(BodyLimits(django_application))),
        "websocket": websocket_application(),
        "lifespan": lifespan,
    }
)
