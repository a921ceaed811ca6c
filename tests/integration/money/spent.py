"""Conversations that have cost something, for the tests of money."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from conversations.models import Conversation
from tests import make

NOON = datetime(2027, 3, 10, 12, tzinfo=UTC)


def ended(begun: datetime = NOON, seconds: float = 600, **more: Any) -> Conversation:
    """One that has ended."""
    row: Conversation = make.conversation(
        status="ended",
        upstream_created_at=begun,
        ended_at=begun + timedelta(seconds=seconds),
        ended_at_source="updated_at",
        **more,
    )
    return row


def running(begun: datetime, **more: Any) -> Conversation:
    """One that runs."""
    row: Conversation = make.conversation(upstream_created_at=begun, **more)
    return row
