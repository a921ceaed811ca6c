"""Budgets are looked at again and again: each warns once in its period, and says once that it is reached."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from conversations.models import Budget
from conversations.models.price import read_rates
from conversations.money.budgets import Standing, standings
from echoadmin.actors import Actor
from echoadmin.alerts.raising import raise_alert
from echoadmin.mirror.kinds import account_entry


def watch_budgets(*, actor: Actor, now: datetime | None = None) -> list[Standing]:
    """Raise what is to be told; returns the standings of which something was."""
    budgets = Budget.objects.select_related("persona", "user", "key").order_by("id")
    return [standing for standing in standings(budgets, read_rates(), now) if _tell(standing, actor)]


def _tell(standing: Standing, actor: Actor) -> bool:
    if standing.state == "ok":
        return False
    reached = standing.state == "reached"
    column, verb = ("reached_for", "reached") if reached else ("warned_for", "warned")
    with transaction.atomic():
        untold = Budget.objects.filter(pk=standing.budget.pk).exclude(**{column: standing.since})
        changes = {"warned_for": standing.since, column: standing.since}
        if not untold.update(**changes):
            return False
        percent = "is reached" if reached else f"is spent to {standing.percent} %"
        raise_alert(f"Budget {standing.budget.name} {percent}", account_entry(f"budget.{verb}", actor, facts(standing)))
    return True


def facts(standing: Standing) -> dict[str, Any]:
    """How a budget stands, as the log has it."""
    budget = standing.budget
    return {
        "id": budget.public_id,
        "name": budget.name,
        "period": budget.period,
        "since": standing.since.isoformat(),
        "amount": f"{budget.amount:.2f}",
        "spent": str(standing.spent),
        "still": str(standing.still),
        "currency": budget.currency,
        "percent": standing.percent,
        "stops": budget.stops,
    }
