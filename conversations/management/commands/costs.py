"""`manage.py costs`: what conversations came to, for people or as JSON."""

from __future__ import annotations

import json
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from conversations.models import Budget
from conversations.models.price import read_rates
from conversations.money.asking import Days, days_of, month_asked
from conversations.money.budgets import Standing, standings
from conversations.money.rows import csv_of
from conversations.money.spending import KINDS, Cost, costs, unsettled_in
from conversations.money.watching import facts
from echoadmin.shown import lasting, money


class Command(BaseCommand):
    """Reads only; nothing is asked of Tavus."""

    help = "What the conversations of some days (UTC) came to, and how the budgets stand."

    def add_arguments(self, parser: CommandParser) -> None:
        """By what, which days, and how it is told."""
        parser.add_argument("--by", choices=sorted(KINDS), default="day")
        parser.add_argument("--from", dest="first", default="", help="the first day; the month's by default")
        parser.add_argument("--to", dest="last", default="", help="the last day, included; today by default")
        parser.add_argument("--month", default="", help="a month such as 2026-11, instead of days")
        parser.add_argument("--json", action="store_true", help="one JSON object")
        parser.add_argument("--csv", action="store_true", help="each conversation of the month as CSV")

    def handle(self, *args: Any, **options: Any) -> None:
        """Tell it."""
        days, rates = _days(options), read_rates()
        if options["csv"]:
            for block in csv_of(days, rates):
                self.stdout.write(block.decode(), ending="")
            return
        found = costs(options["by"], *days, rates, unsettled_in(*days))
        budgets = standings(Budget.objects.select_related("persona", "user", "key").order_by("name"), rates)
        if options["json"]:
            self.stdout.write(json.dumps(_whole(options["by"], days, found, budgets), indent=2))
        else:
            self._tell(found, budgets)

    def _tell(self, found: list[Cost], budgets: list[Standing]) -> None:
        for one in found:
            cost = money(one.cost, one.currency) or "no price"
            self.stdout.write(f"{one.name}\t{cost}\t{lasting(float(one.seconds))}\t{one.conversations} conversations")
        for standing in budgets:
            budget = standing.budget
            spent = f"{standing.spent:,.2f} of {budget.amount:,.2f} {budget.currency} a {budget.period}"
            self.stdout.write(f"budget {budget.name}: {standing.state}, {spent}")


def _days(options: dict[str, Any]) -> Days:
    """A month, or days. Raises CommandError."""
    try:
        if options["month"] or options["csv"]:
            return month_asked(options["month"])
        return days_of({"from": options["first"], "to": options["last"]})
    except ValidationError as error:
        told = "; ".join(f"{name}: {' '.join(words)}" for name, words in error.message_dict.items())
        raise CommandError(told) from error


def _whole(by: str, days: Days, found: list[Cost], budgets: list[Standing]) -> dict[str, Any]:
    return {
        "from": days[0].isoformat(),
        "to": days[1].isoformat(),
        "by": by,
        "results": [_facts(one) for one in found],
        "budgets": [{**facts(one), "state": one.state} for one in budgets],
    }


def _facts(cost: Cost) -> dict[str, Any]:
    return {
        "key": cost.key,
        "name": cost.name,
        "conversations": cost.conversations,
        "running": cost.running,
        "seconds": float(cost.seconds),
        "cost": None if cost.cost is None else float(cost.cost),
        "currency": cost.currency,
    }
