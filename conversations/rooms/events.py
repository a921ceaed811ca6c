"""A link to a Daily room and what it reports: plain facts, stamped on arrival, free of the SDK and of Django."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Heard:
    """An app message arrived; `sender` is the session id of who sent it."""

    at: datetime
    message: Any
    sender: str


@dataclass(frozen=True, slots=True)
class Present:
    """A participant joined or changed: `{id, name, joined_at, is_replica, is_us}`."""

    at: datetime
    participant: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Left:
    """A participant left."""

    at: datetime
    participant_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The SDK's own word for where the call is: joining, joined, leaving, left."""

    at: datetime
    state: str


@dataclass(frozen=True, slots=True)
class Network:
    """The signalling connection was interrupted, or is connected again."""

    at: datetime
    event: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """`count` app messages were given up: the inbox was full, or the SDK could not read what `sender` sent."""

    at: datetime
    count: int
    reason: str = "inbox_full"
    sender: str = ""


Event = Heard | Present | Left | StateChanged | Network | Dropped


class JoinFailed(Exception):
    """The room could not be joined. `kind` is coarse: gone, refused, certificate, unreachable, timeout, other; or
    not_allowed, when nobody was asked."""

    def __init__(self, kind: str, words: str) -> None:
        super().__init__(words)
        self.kind = kind
        self.words = words

    def told(self, tries: int, again_in: float | None) -> str:
        """For people: what failed, and what comes next; `again_in` seconds, or None when it was the last try."""
        then = (
            "It is the last one: join the room to try again"
            if again_in is None
            else f"It is tried again in {again_in:g} s"
        )
        return f"Join failed ({self.kind}), try {tries}: {self.words.rstrip('.')}. {then}."


class Link(Protocol):
    """A connection to a room, as `rooms.daily` makes it."""

    session_id: str

    async def join(self, url: str, token: str, timeout: float) -> None:
        """Raises JoinFailed."""

    def send(self, message: dict[str, Any], done: Callable[[str | None], None]) -> None:
        """Hand over one message."""

    async def leave(self, timeout: float) -> None:
        """Leave and release."""
