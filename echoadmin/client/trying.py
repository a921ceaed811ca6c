"""When a request is sent again, and when it must not be. No I/O: a client does what is yielded here.

A GET may always be sent again. A POST only with its Idempotency-Key: then the console does it once, however often it
comes. Anything else only where it surely was not done: the connection was not made, or the console said 429.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from uuid import uuid4

import httpx

from echoadmin.client.calls import Call, Until
from echoadmin.client.errors import ApiError, NoAnswer, TookTooLong, error_of

T = TypeVar("T")
SHORTEST, LONGEST = 0.2, 5.0  # seconds between two tries, where the console does not say


@dataclass(frozen=True)
class Pause:
    """Wait so many seconds."""

    seconds: float


Steps = Generator["Call[Any] | Pause", "httpx.Response | None", T]
"""Yields a call (a response is sent back, or an httpx.TransportError thrown in) or a pause; returns the answer."""


def tries(call: Call[T], patience: float, clock: Callable[[], float] = time.monotonic) -> Steps[T]:
    """The answer, once there is one, trying for `patience` seconds. Raises ApiError and NoAnswer."""
    if call.method == "POST" and call.key is None:
        call = replace(call, key=uuid4().hex)  # one for all tries
    if call.pause:
        yield Pause(call.pause)
    until, number = clock() + patience, 0
    while True:
        error: ApiError | NoAnswer
        try:
            response = yield call
        except httpx.TransportError as failure:
            error = NoAnswer(call.what, failure, call.key)
            wait = _backoff(number) if _may_repeat(call) or isinstance(failure, httpx.ConnectError) else None
        else:
            assert response is not None
            if response.is_success:
                return call.read(response)
            error = error_of(response)
            wait = _wait(call, error, "Idempotent-Replayed" in response.headers, number)
        if wait is None or clock() + wait > until:
            raise error
        yield Pause(wait)
        number += 1


def _may_repeat(call: Call[Any]) -> bool:
    return call.method == "GET" or call.key is not None


def _wait(call: Call[Any], error: ApiError, replayed: bool, number: int) -> float | None:
    """Seconds until the next try; None: the answer is final."""
    if replayed:  # it is what the first was told, and stays so
        return None
    if call.method == "GET" and error.status in (502, 503, 504):
        return error.retry_after or _backoff(number)
    under_way = error.status == 409 and error.code == "idempotency_in_progress"
    if under_way or error.status == 429 or (error.status == 503 and _may_repeat(call)):
        return error.retry_after
    return None


def _backoff(number: int) -> float:
    return float(min(LONGEST, SHORTEST * 2**number))


def looks(until: Until[T], patience: float, clock: Callable[[], float] = time.monotonic) -> Steps[T]:
    """The first answer that will do. Raises TookTooLong, ApiError and NoAnswer."""
    deadline = clock() + until.seconds
    while not until.done(found := (yield from tries(until.call, patience, clock))):
        if clock() > deadline:
            raise TookTooLong(until.what, until.seconds, found)
        yield Pause(until.every)
    return found
