"""What a form offers to be replayed: the echoes of a conversation, each with its place in time."""

from __future__ import annotations

from dataclasses import dataclass

from conversations.models import Conversation, Echo

MOST = 200  # echoes on one form


@dataclass(frozen=True, slots=True)
class Offer:
    """One echo. `at`: seconds after the first one that was sent; None for one that never was."""

    echo: Echo
    at: float | None


@dataclass(frozen=True, slots=True)
class Offered:
    """What the form shows, and the ids of the echoes that were sent after these, which it does not show."""

    lines: list[Offer]
    rest: list[int]


def offered(conversation: Conversation, only: int | None = None) -> Offered:
    """The first MOST echoes in their order, or `only` this one. Two queries."""
    found = conversation.echoes.order_by("position")
    echoes = list(found.filter(pk=only) if only is not None else found[:MOST])
    sent = [echo.sending_at for echo in echoes if echo.sending_at is not None]
    began = min(sent) if sent else None
    lines = [
        Offer(echo, (echo.sending_at - began).total_seconds() if echo.sending_at and began else None) for echo in echoes
    ]
    return Offered(lines, _rest(conversation, echoes) if only is None and len(echoes) == MOST else [])


def _rest(conversation: Conversation, shown: list[Echo]) -> list[int]:
    later = conversation.echoes.filter(position__gt=shown[-1].position, sending_at__isnull=False)
    return list(later.order_by("position").values_list("pk", flat=True))
