"""How much one key, or one signed-in user, may ask in a while: RATE_LIMIT requests in RATE_WINDOW seconds.

Told as draft-ietf-httpapi-ratelimit-headers has it. Where consoles share a Redis they share the count; without one
there is one console, which counts by itself. A Redis that is away lets each console count by itself meanwhile: a
limit protects the console, and must not be what stops it.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from django.conf import settings

from echoadmin.accounts.models import ApiKey
from echoadmin.api.problems import ApiError, Problem

if TYPE_CHECKING:
    import redis

logger = logging.getLogger(__name__)

REDIS_PATIENCE = 0.25  # seconds
REDIS_PAUSE = 5.0  # seconds without Redis after it failed
MOST_KEPT = 10_000  # of those that are counted in this process, before the old ones are swept


@dataclass(frozen=True)
class Count:
    """So many requests in this window, which ends in `left` seconds."""

    used: int
    left: float


class Counts:
    """The counts of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._windows: dict[str, tuple[int, float]] = {}  # who → (used, when the window ends)

    def add(self, who: str, window: float) -> Count:
        """One more of `who`; a window begins with the first request after the last one's end."""
        now = time.monotonic()
        with self._lock:
            if len(self._windows) > MOST_KEPT:
                self._windows = {name: one for name, one in self._windows.items() if one[1] > now}
            used, ends = self._windows.get(who, (0, 0.0))
            if ends <= now:
                used, ends = 0, now + window
            self._windows[who] = (used + 1, ends)
        return Count(used + 1, ends - now)


HERE = Counts()
_away_until = 0.0


def check(request: Any) -> None:
    """Counts the request. Raises ApiError (429) when it is one too many."""
    who = _who(request)
    if who is None or not settings.RATE_LIMIT:
        return
    count = _count(who)
    request._request.rate = count
    if count.used > settings.RATE_LIMIT:
        wait = max(1, math.ceil(count.left))
        words = (
            f"More than {settings.RATE_LIMIT:,} requests in {settings.RATE_WINDOW:g} s. Wait {wait} s; the headers "
            "RateLimit and RateLimit-Policy say how much is left."
        )
        raise ApiError(Problem(429, "rate_limited", words, retry_after=wait))


def tell(request: Any, response: Any) -> None:
    """RateLimit-Policy and RateLimit, on every answer to a request that was counted."""
    count = getattr(getattr(request, "_request", request), "rate", None)
    if count is None:
        return
    left = max(0, settings.RATE_LIMIT - count.used)
    response.headers["RateLimit-Policy"] = f'"default";q={settings.RATE_LIMIT};w={math.ceil(settings.RATE_WINDOW)}'
    response.headers["RateLimit"] = f'"default";r={left};t={max(1, math.ceil(count.left))}'


def _who(request: Any) -> str | None:
    if isinstance(request.auth, ApiKey):
        return f"key:{request.auth.first_prefix}"
    return f"user:{request.user.pk}" if request.user.is_authenticated else None


def _count(who: str) -> Count:
    global _away_until
    if settings.REDIS_URL and time.monotonic() >= _away_until:
        import redis

        try:
            return _shared(who)
        except redis.RedisError as error:
            _away_until = time.monotonic() + REDIS_PAUSE
            logger.warning("requests are counted by this console alone for %g s: %s", REDIS_PAUSE, error)
    return HERE.add(who, settings.RATE_WINDOW)


def _shared(who: str) -> Count:
    """One round trip; the window's end is Redis's own clock's."""
    name = f"echoadmin:rate:{who}"
    window = round(settings.RATE_WINDOW * 1000)
    with _redis(settings.REDIS_URL).pipeline(transaction=True) as pipe:
        pipe.set(name, 0, px=window, nx=True)
        pipe.incr(name)
        pipe.pttl(name)
        _, used, left = pipe.execute()
        if left < 0:  # it ended between the two
            pipe.pexpire(name, window)
            pipe.execute()
            left = window
    return Count(int(used), int(left) / 1000)


@cache
def _redis(url: str) -> redis.Redis:
    import redis  # only where there is one: with OpenTelemetry's SDK installed it takes a quarter of a command's start

    return redis.Redis.from_url(url, socket_timeout=REDIS_PATIENCE, socket_connect_timeout=REDIS_PATIENCE)
