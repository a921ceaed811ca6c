"""Waiting for what another thread or process is to do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(look: Callable[[], T], what: str, limit: float = 30.0) -> T:
    """What `look` returns once that is true; fails after `limit` seconds, naming what did not happen."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {limit:g} s: {what}")
