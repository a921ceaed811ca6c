"""Conversation by conversation: of some days, as rows and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.db.models import Q, QuerySet

from conversations.models import Conversation
from conversations.models.price import Rates
from conversations.money.asking import Days
from conversations.money.settling import unsettled

COLUMNS = (
    "id", "conversation_id", "name", "persona", "persona_name", "created_by", "key", "started_at", "ended_at",
    "ended_at_source", "ended_reason", "seconds", "cost", "currency",
)  # fmt: skip
BLOCK = 500  # rows that are read at a time
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def costly(days: Days) -> QuerySet[Conversation]:
    """Conversations of these days that cost, or may have cost, in no order."""
    begun = datetime.combine(days[0], time(), UTC), datetime.combine(days[1] + timedelta(days=1), time(), UTC)
    upstream = Q(upstream_created_at__gte=begun[0], upstream_created_at__lt=begun[1])
    ours = Q(upstream_created_at=None, created_at__gte=begun[0], created_at__lt=begun[1])
    open_ = Q(pk__in=unsettled().filter(upstream | ours).values("pk"))
    return Conversation.objects.filter(Q(settled_day__range=days) | open_).select_related("persona").order_by()


def facts(row: Conversation, rates: Rates) -> dict[str, Any]:
    """One of them. `ended_at_source`: updated_at or event (Tavus's own times), console (this console's clock), or ""
    while it runs. `seconds` and `cost` are unrounded."""
    cost = row.settled_cost if row.settled_seconds is not None else row.reckoned_cost(rates)
    return {
        "id": row.public_id,
        "conversation_id": row.upstream_id,
        "name": row.name,
        "persona": row.persona.public_id if row.persona else None,
        "persona_name": row.persona.name if row.persona else "",
        "created_by": row.created_by,
        "key": row.created_by_key,
        "started_at": row.started_at,
        "ended_at": row.ended_at,
        "ended_at_source": row.ended_at_source,
        "ended_reason": row.ended_reason,
        "seconds": row.exact_seconds,
        "cost": cost,
        "currency": row.currency,
    }


def csv_of(days: Days, rates: Rates) -> Iterator[bytes]:
    """The same as CSV, oldest first, block by block; a text that a spreadsheet would reckon is quoted."""
    yield _lines([list(COLUMNS)])
    after = 0
    while rows := list(costly(days).filter(pk__gt=after).order_by("pk")[:BLOCK]):
        yield _lines([[_cell(value) for value in facts(row, rates).values()] for row in rows])
        after = rows[-1].pk


def _lines(rows: list[list[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
