"""Sums of costs: what is written down, in one query, and what runs, up to now.

A conversation belongs, whole, to the day and the month (UTC) in which it began.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, Min, Sum
from django.db.models.functions import TruncMonth

from conversations.models import Conversation
from conversations.models.price import Rates, currency_of, seconds_between
from conversations.money.settling import unsettled

NOT_OURS = "not made here"


@dataclass(slots=True)
class Cost:
    """What so many conversations came to. `cost` is None where no price was in force for any of them."""

    key: str
    name: str
    currency: str
    conversations: int = 0
    running: int = 0
    seconds: Decimal = field(default_factory=Decimal)
    cost: Decimal | None = None

    def add(self, conversations: int, running: int, seconds: Decimal | None, cost: Decimal | None) -> None:
        """Some more of them."""
        self.conversations += conversations
        self.running += running
        self.seconds += seconds or Decimal(0)
        if cost is not None:
            self.cost = (self.cost or Decimal(0)) + cost


@dataclass(frozen=True, slots=True)
class By:
    """How costs are told apart. columns: what settled rows are grouped by; key and name: of such a group, and of a row
    that still runs."""

    columns: dict[str, Any]
    told: Callable[[dict[str, Any]], tuple[str, str]]
    of_row: Callable[[Conversation], tuple[str, str]]


def _persona(row: Conversation) -> tuple[str, str]:
    return (row.persona.public_id, str(row.persona)) if row.persona else ("", row.upstream_persona_id or "no persona")


def _user_name(created_by: str) -> str:
    return created_by.split(" (key ")[0] or NOT_OURS


KINDS: dict[str, By] = {
    "persona": By(
        {
            "a": Min("persona__public_id"),
            "b": Min("persona__name"),
            "c": Min("upstream_persona_id"),
            "group": "persona",
        },
        lambda row: (row["a"] or "", row["b"] or row["a"] or row["c"] or "no persona"),
        _persona,
    ),
    "key": By(
        {"a": Min("created_by"), "group": "created_by_key"},
        lambda row: (row["created_by_key"], row["a"] if row["created_by_key"] else "without a key"),
        lambda row: (row.created_by_key, row.created_by if row.created_by_key else "without a key"),
    ),
    "user": By(
        {"a": Min("created_by"), "group": "created_by_user"},
        lambda row: (str(row["created_by_user"] or ""), _user_name(row["a"] or "")),
        lambda row: (str(row.created_by_user or ""), _user_name(row.created_by)),
    ),
    "creator": By(
        {"group": "created_by"},
        lambda row: (row["created_by"], row["created_by"] or NOT_OURS),
        lambda row: (row.created_by, row.created_by or NOT_OURS),
    ),
    "day": By(
        {"group": "settled_day"},
        lambda row: (row["settled_day"].isoformat(),) * 2,
        lambda row: (row.started_at.date().isoformat(),) * 2,
    ),
    "month": By(
        {"group": "month", "month": TruncMonth("settled_day")},
        lambda row: (f"{row['month']:%Y-%m}",) * 2,
        lambda row: (f"{row.started_at:%Y-%m}",) * 2,
    ),
}


def costs(by: str, first: date, last: date, rates: Rates, running: Iterable[Conversation]) -> list[Cost]:
    """By one of KINDS, of the days from `first` to `last`: days and months in order, all else dearest first. One
    query. running: `unsettled_in` of the same days."""
    kind = KINDS[by]
    found: dict[tuple[str, str], Cost] = {}
    for row in _settled(kind, first, last):
        key, name = kind.told(row)
        cost = found.setdefault((key, row["settled_currency"]), Cost(key, name, row["settled_currency"]))
        cost.add(row["n"], 0, row["seconds"], row["cost"])
    for one in running:
        key, name = kind.of_row(one)
        currency = currency_of(one.started_at, rates)
        cost = found.setdefault((key, currency), Cost(key, name, currency))
        seconds = seconds_between(one.started_at, one.billed_until)
        cost.add(1, one.ended_at is None, seconds, one.reckoned_cost(rates))
    if by in ("day", "month"):
        return sorted(found.values(), key=lambda cost: cost.key)
    return sorted(found.values(), key=lambda cost: (-(cost.cost or 0), -cost.seconds, cost.name))


def _settled(kind: By, first: date, last: date) -> Any:
    made = {name: made for name, made in kind.columns.items() if name != "group" and not isinstance(made, Min)}
    least = {name: made for name, made in kind.columns.items() if isinstance(made, Min)}
    rows = Conversation.objects.filter(settled_seconds__isnull=False, settled_day__range=(first, last)).order_by()
    grouped = rows.annotate(**made).values(kind.columns["group"], "settled_currency")
    return grouped.annotate(n=Count("id"), seconds=Sum("settled_seconds"), cost=Sum("settled_cost"), **least)


def unsettled_in(first: date, last: date) -> list[Conversation]:
    """What runs, or has just ended, of those days. One query; as many rows as there are slots, mostly."""
    rows = unsettled().select_related("persona").order_by("id")
    return [row for row in rows if first <= row.started_at.date() <= last]


def whole(found: Iterable[Cost]) -> list[Cost]:
    """All of them together, one for each currency."""
    sums: dict[str, Cost] = {}
    for one in found:
        total = sums.setdefault(one.currency, Cost("", "all", one.currency))
        total.add(one.conversations, one.running, one.seconds, one.cost)
    return sorted(sums.values(), key=lambda cost: -(cost.cost or 0))


def month_of(moment: datetime) -> tuple[date, date]:
    """Its first and last day."""
    first = moment.date().replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)
