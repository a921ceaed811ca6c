"""What the page Money shows of a month. A fixed number of queries, however much there is."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from conversations.models import Budget, Conversation
from conversations.models.price import Rates, cost_between, rate_at, read_rates
from conversations.money.asking import Days
from conversations.money.budgets import standings
from conversations.money.spending import Cost, costs, unsettled_in, whole
from conversations.services.ending import limit_of
from echoadmin.accounts.roles import may
from echoadmin.read_only import address
from echoadmin.shown import lasting, money, when

SHOWN = 20  # rows of a table
WIDTH, HEIGHT, GAP = 620, 90, 4


def money_context(request: HttpRequest, days: Days) -> dict[str, Any]:
    """The page's context. days: a month's first and last."""
    rates, running, today = read_rates(), unsettled_in(*days), timezone.now().date()
    by_day = costs("day", *days, rates, running)
    price = rate_at(timezone.now(), rates)
    return {
        "month": f"{days[0]:%B %Y}",
        "price": f"{price.per_minute.normalize():f} {price.currency} a minute" if price else "",
        "tiles": _tiles(by_day, today if days[0] <= today <= days[1] else None),
        "days": day_bars(by_day, days),
        "tables": [
            {"title": "By persona", "rows": _rows(costs("persona", *days, rates, running))},
            {"title": "By creator", "rows": _rows(costs("creator", *days, rates, running))},
        ],
        "running": [_running(row, rates) for row in running if row.ended_at is None][:SHOWN],
        "budgets": _budgets(rates),
        "before": f"?month={days[0] - timedelta(days=1):%Y-%m}",
        "after": f"?month={days[1] + timedelta(days=1):%Y-%m}" if days[1] < today else "",
        "export": f"{reverse('admin:conversations_price_export')}?month={days[0]:%Y-%m}",
        "may_change": may(request.user, "manager"),
    }


def told(cost: Cost) -> str:
    """An amount, or minutes where there is no price."""
    return "no price" if cost.cost is None else money(cost.cost, cost.currency)


def _tiles(by_day: list[Cost], today: date | None) -> list[dict[str, str]]:
    tiles = [{"name": "Month", "value": _sum(by_day)}, {"name": "Time", "value": _time(by_day)}]
    if today is not None:
        now = [one for one in by_day if one.key == today.isoformat()]
        tiles = [{"name": "Today", "value": _sum(now)}, *tiles]
    count = sum(one.conversations for one in by_day)
    return [*tiles, {"name": "Conversations", "value": f"{count:,}"}]


def _sum(found: Iterable[Cost]) -> str:
    return ", ".join(told(one) for one in whole(found)) or money(Decimal(0), settings.CURRENCY)


def _time(found: Iterable[Cost]) -> str:
    return lasting(float(sum((one.seconds for one in found), Decimal(0)))) or "0 s"


def _rows(found: list[Cost]) -> dict[str, Any]:
    shown = [
        {"name": one.name, "cost": told(one), "time": lasting(float(one.seconds)), "count": f"{one.conversations:,}"}
        for one in found[:SHOWN]
    ]
    return {"shown": shown, "more": max(0, len(found) - SHOWN)}


def _running(row: Conversation, rates: Rates) -> dict[str, Any]:
    """What it costs so far, and will yet at most."""
    longest = limit_of(row, "max_call_duration")
    most = cost_between(row.started_at, row.started_at + timedelta(seconds=longest), rates) if longest else None
    so_far = row.reckoned_cost(rates)
    still = max(Decimal(0), most - so_far) if most is not None and so_far is not None else None
    return {
        "name": str(row),
        "address": address(row),
        "by": row.created_by or "not made here",
        "since": when(row.started_at),
        "cost": money(so_far, row.currency) or "no price",
        "still": money(still, row.currency) if still is not None else "nothing is known that ends it",
    }


def _budgets(rates: Rates) -> list[dict[str, Any]]:
    rows = Budget.objects.select_related("persona", "user", "key").order_by("name")
    return [
        {
            "name": one.budget.name,
            "address": address(one.budget),
            "state": one.state,
            "whose": one.budget.whose,
            "words": f"{money(one.spent, one.budget.currency)} of {one.budget.amount:,.2f} a {one.budget.period}",
            "still": money(one.still, one.budget.currency) if one.running else "",
            "percent": min(100, one.percent),
            "full": one.is_full,
        }
        for one in standings(rows, rates)
    ]


def day_bars(by_day: list[Cost], days: Days) -> SafeString:
    """A bar a day, drawn here: by cost, or by time where there is no price."""
    priced = any(one.cost is not None for one in by_day)
    amounts: dict[str, Decimal] = {}
    for one in by_day:
        amounts[one.key] = amounts.get(one.key, Decimal(0)) + ((one.cost or Decimal(0)) if priced else one.seconds)
    every = [days[0] + timedelta(days=n) for n in range((days[1] - days[0]).days + 1)]
    values = [float(amounts.get(day.isoformat(), 0)) for day in every]
    unit = next((one.currency for one in by_day if one.currency), "") if priced else "s"
    top, step = max(values, default=0) or 1, WIDTH / len(every)
    drawn = format_html_join(
        "",
        '<rect x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>',
        (
            (
                f"{n * step:.1f}",
                f"{HEIGHT - max(1.0, HEIGHT * value / top):.1f}",
                f"{step - GAP:.1f}",
                f"{max(1.0, HEIGHT * value / top):.1f}",
                f"{day:%d %b}: {value:,.2f} {unit}",
            )
            for n, (day, value) in enumerate(zip(every, values, strict=True))
        ),
    )
    words = f"By day, at most {max(values):,.2f} {unit}, in all {sum(values):,.2f} {unit}"
    return format_html(
        '<svg class="ea-chart" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>',
        WIDTH,
        HEIGHT,
        words,
        drawn,
    )
