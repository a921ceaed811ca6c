"""How sending ends: the SDK's answer to one message, and why an echo must not go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings

from conversations.models import EchoState


class Answer:
    """The SDK's completion of one message: None, or Daily's words."""

    def __init__(self, stir: Callable[[], None]) -> None:
        self.came = False
        self.error: str | None = None
        self._stir = stir

    def __call__(self, error: str | None) -> None:
        self.came, self.error = True, error
        self._stir()


@dataclass(slots=True)
class Stop:
    """Why the echo in hand must not go on."""

    state: str
    reason: str
    detail: str


def unconfirmed(reason: str, detail: str) -> Stop:
    """Sent, and not seen to be spoken."""
    return Stop(EchoState.UNCONFIRMED, reason, detail)


def room_lost() -> Stop:
    """The connection went away while it was being sent."""
    return unconfirmed("room_lost", "The room was lost while it was being sent; whether it arrived is not known.")


def completion_missing() -> Stop:
    """The SDK said neither yes nor no."""
    return unconfirmed(
        "completion_missing", f"Daily's SDK gave no answer within {settings.ECHO_COMPLETION_DEADLINE:g} s."
    )


def send_failed(words: str) -> Stop:
    """Daily's SDK refused a message, in its own words."""
    return Stop(EchoState.FAILED, "send_failed", words)
