"""One HTTP attempt as an observer is told of it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Exchange:
    """One HTTP attempt with the Tavus API, secrets already masked.

    path: as sent, without host and query. request_body: parsed JSON, or None. status: None when no answer came.
    response_body: parsed JSON; a text of at most 2 KB when it wasn't JSON; None when it was empty or never came.
    error: what went wrong on the way, in words, None when an answer came whole. started_at: UTC. seconds: until the
    whole answer was there. attempt: 1 for the first.
    """

    method: str
    path: str
    query: dict[str, str]
    request_body: Any
    status: int | None
    response_body: Any
    error: str | None
    started_at: dt.datetime
    seconds: float
    attempt: int
