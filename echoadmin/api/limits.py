"""How much one key, or one signed-in user, may ask in a while: RATE_LIMIT requests in RATE_WINDOW seconds. Other things
are counted here too, by policies of their own.

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


@dataclass(frozen=True)
class Standing:
    """How somebody stands by a policy: `most` requests in a window, of which `count` has been used."""

    policy: str
    most: int
    count: Count

    @property
    def wait(self) -> int:
        """Seconds until the window ends."""
        return max(1, math.ceil(self.count.left))

    def headers(self) -> dict[str, str]:
        """RateLimit-Policy and RateLimit."""
        left = max(0, self.most - self.count.used)
        return {
            "RateLimit-Policy": f'"{self.policy}";q={self.most};w={math.ceil(settings.RATE_WINDOW)}',
            "RateLimit": f'"{self.policy}";r={left};t={self.wait}',
        }

    def refusal(self, words: str) -> ApiError:
        """429 with all that a client needs to know."""
        return ApiError(Problem(429, "rate_limited", words, retry_after=self.wait, more_headers=self.headers()))


class Counts:
    """The counts of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._windows: dict[str, tuple[int, float]] = {}  # who → (used, when the window ends)

    def add(self, who: str, window: float, more: int = 1) -> Count:
        """`more` of `who` (0: only look); a window begins with the first request after the last one's end."""
        now = time.monotonic()
        with self._lock:
            if len(self._windows) > MOST_KEPT:
                self._windows = {name: one for name, one in self._windows.items() if one[1] > now}
            used, ends = self._windows.get(who, (0, 0.0))
            if ends <= now:
                used, ends = 0, now + window
            if more:
                self._windows[who] = (used + more, ends)
        return Count(used + more, ends - now)


HERE = Counts()
_away_until = 0.0


@dataclass(frozen=True)
class Policy:
    """By what name something is counted, and how many times RATE_LIMIT of it may be asked in a window."""

    name: str
    times: int = 1


DEFAULT = Policy("default")


def check(request: Any, policy: Policy = DEFAULT) -> None:
    """Counts the request. Raises ApiError (429) when it is one too many."""
    api_key = request.auth if isinstance(request.auth, ApiKey) else None
    standing = _counted(api_key, request.user, policy)
    request._request.rate = standing
    _refuse_too_many(standing)


def charge(api_key: ApiKey | None, user: Any) -> None:
    """The same for what comes over a WebSocket: it counts with the requests of the key, or of who is signed in."""
    _refuse_too_many(_counted(api_key, user, DEFAULT))


def _counted(api_key: ApiKey | None, user: Any, policy: Policy) -> Standing | None:
    """None where there is nobody, or no limit."""
    if not settings.RATE_LIMIT or (api_key is None and not user.is_authenticated):
        return None
    who = f"user:{user.pk}" if api_key is None else f"key:{api_key.first_prefix}"
    count = count_of(who if policy == DEFAULT else f"{who}:{policy.name}", 1)
    return Standing(policy.name, policy.times * settings.RATE_LIMIT, count)


def _refuse_too_many(standing: Standing | None) -> None:
    if standing is not None and standing.count.used > standing.most:
        raise standing.refusal(
            f"More than {standing.most:,} requests in {settings.RATE_WINDOW:g} s. Wait {standing.wait} s; the headers "
            "RateLimit and RateLimit-Policy say how much is left."
        )


def tell(request: Any, response: Any) -> None:
    """RateLimit-Policy and RateLimit, on every answer to a request that was counted."""
    standing: Standing | None = getattr(getattr(request, "_request", request), "rate", None)
    if standing is not None:
        for name, value in standing.headers().items():
            response.headers[name] = value


def count_of(who: str, more: int) -> Count:
    """So many requests of `who` in this window, after `more` (0: only look) are added."""
    global _away_until
    if settings.REDIS_URL and time.monotonic() >= _away_until:
        import redis

        try:
            return _shared(who, more)
        # Out of time on a busy machine, redis-py tells its own closed buffer or socket as it is: ValueError, OSError.
        except (redis.RedisError, OSError, ValueError) as error:
            _away_until = time.monotonic() + REDIS_PAUSE
            logger.warning("requests are counted by this console alone for %g s: %s", REDIS_PAUSE, error)
    return HERE.add(who, settings.RATE_WINDOW, more)


def _shared(who: str, more: int) -> Count:
    """One round trip; the window's end is Redis's own clock's."""
    name = f"echoadmin:rate:{who}"
    window = round(settings.RATE_WINDOW * 1000)
    with _redis(settings.REDIS_URL).pipeline(transaction=True) as pipe:
        if more:
            pipe.set(name, 0, px=window, nx=True)
            pipe.incrby(name, more)
        else:
            pipe.get(name)
        pipe.pttl(name)
        *_, used, left = pipe.execute()
        if left < 0 and more:  # it ended between the two
            pipe.pexpire(name, window)
            pipe.execute()
        left = left if left >= 0 else window
    return Count(int(used or 0), int(left) / 1000)


@cache
def _redis(url: str) -> redis.Redis:
    import redis  # only where there is one: with OpenTelemetry's SDK installed it takes a quarter of a command's start

    return redis.Redis.from_url(url, socket_timeout=REDIS_PATIENCE, socket_connect_timeout=REDIS_PATIENCE)
