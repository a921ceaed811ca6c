"""What a machine asks a console: is the process alive, can it do its work, and how much of it is there.

`/healthz` answers while the process does. `/readyz` answers 200 only when the database answers with every migration
applied and every registered probe is well, else 503 with what is wrong. Both need no login and no Host header that the
console knows: load balancers have neither.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase

from echoadmin import __version__
from echoadmin.serving.first_start import unapplied_migrations

logger = logging.getLogger(__name__)

Probe = Callable[[], str]

_probes: dict[str, Probe] = {}


def register(name: str, probe: Probe) -> None:
    """Make readiness depend on `probe`, which returns "" when all is well and else one sentence of what is not."""
    _probes[name] = probe


def unregister(name: str) -> None:
    """Readiness no longer depends on `name`."""
    _probes.pop(name, None)


def readiness() -> dict[str, str]:
    """What each part says: "ok", or what is wrong with it."""
    found = {"database": _database(), "channel layer": _channel_layer()}
    for name, probe in list(_probes.items()):
        try:
            found[name] = probe() or "ok"
        except Exception as error:
            logger.exception("the readiness probe %s failed", name)
            found[name] = f"{type(error).__name__}: {error}"
    return found


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        missing = [] if _migrated else unapplied_migrations()
    except DatabaseError as error:
        return f"does not answer: {error}"
    if missing:
        return f"{len(missing)} migrations are not applied ({missing[0]} first); run manage.py migrate"
    _migrated.add(True)
    return "ok"


def _channel_layer() -> str:
    if not settings.REDIS_URL:
        return "ok"  # in this process's memory
    import redis

    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2) as client:
            client.ping()
    except (redis.RedisError, OSError, ValueError) as error:  # see echoadmin.api.limits
        return f"Redis does not answer: {error}"
    return "ok"


_migrated: set[bool] = set()  # once true it stays true for this code: looked up until then


def healthz() -> HttpResponse:
    """The process answers, and says which mode it is in: a program that spends money can ask first."""
    return JsonResponse({"status": "ok", "version": __version__, "mode": settings.MODE})


def readyz() -> HttpResponse:
    """200 and what was looked at, or 503 and what is wrong."""
    parts = readiness()
    ready = all(state == "ok" for state in parts.values())
    return JsonResponse({"status": "ready" if ready else "not ready", "parts": parts}, status=200 if ready else 503)


PATHS: dict[str, Callable[[], HttpResponse]] = {"/healthz": healthz, "/readyz": readyz}


def probes(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: answers the two probes before hosts, sessions and logins are looked at."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        probe = PATHS.get(request.path_info)
        return probe() if probe else get_response(request)

    return answer
