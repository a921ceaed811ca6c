"""How budgets stand, and what they refuse.

What counts: what ended conversations came to, what running ones cost so far, and for each that was asked for the least
that it will cost. So what is asked for at the same time counts at once, and can't pass together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Q, Sum
from django.utils import timezone

from conversations.models import Budget, Conversation, Scope
from conversations.models.budget import period_of
from conversations.models.price import EXACT, Rates, cost_between, rate_at, read_rates
from conversations.money.settling import unsettled
from conversations.services.ending import limit_of
from echoadmin.mirror.models import MirrorState

LEAST = timedelta(minutes=1)  # what a conversation takes, at least, by this console's reckoning


class BudgetReached(ValueError):
    """A budget leaves no room for another conversation; nothing was asked of Tavus."""

    code = "budget_reached"
    status = 402
    field = ""

    def __init__(self, standing: Standing) -> None:
        self.standing = standing
        self.message = standing.refusal()
        super().__init__(self.message)


@dataclass(frozen=True, slots=True)
class Standing:
    """A budget in its period. `spent`: so far, reservations included; `still`: what running ones will cost beyond that,
    at most, until their own limits end them."""

    budget: Budget
    since: datetime
    until: datetime
    spent: Decimal
    still: Decimal
    running: int
    least: Decimal

    @property
    def left(self) -> Decimal:
        """Never below 0."""
        return max(Decimal(0), self.budget.amount - self.spent)

    @property
    def percent(self) -> int:
        """Of the amount, rounded down: 100 is reached."""
        return int(self.spent * 100 / self.budget.amount) if self.budget.amount else 100

    @property
    def is_full(self) -> bool:
        """Whether it leaves no room for one more."""
        return self.spent + self.least > self.budget.amount

    @property
    def state(self) -> str:
        """ok, warned, or reached (it has no room for one more)."""
        if self.is_full:
            return "reached"
        return "warned" if self.percent >= self.budget.warns_at else "ok"

    def refusal(self) -> str:
        """Why, and the way out."""
        budget, currency = self.budget, self.budget.currency
        return (
            f"The budget {budget.name!r} ({budget.whose}) leaves {self.left:,.2f} of {budget.amount:,.2f} {currency} a "
            f"{budget.period}, and another conversation takes at least {self.least:,.2f}. Nothing was created. Raise "
            f"the budget ({budget.public_id}), end what runs, or wait until {self.until:%Y-%m-%d %H:%M} UTC."
        )


def standings(budgets: Iterable[Budget], rates: Rates, now: datetime | None = None) -> list[Standing]:
    """How each stands now, in its own currency. Two queries, however many budgets there are."""
    now, budgets = now or timezone.now(), list(budgets)
    if not budgets:
        return []
    sums, counting = _settled_sums(budgets, now), list(_counting())
    return [_standing(budget, sums[f"b{budget.pk}"], counting, rates, now) for budget in budgets]


def _settled_sums(budgets: list[Budget], now: datetime) -> dict[str, Decimal | None]:
    """What is written down in the period of each, in one query."""
    spans = {budget.pk: period_of(budget.period, now) for budget in budgets}
    wanted: dict[str, Any] = {
        f"b{budget.pk}": Sum(
            "settled_cost",
            filter=budget.counts
            & Q(settled_currency=budget.currency)
            & Q(settled_day__gte=spans[budget.pk][0].date(), settled_day__lt=spans[budget.pk][1].date()),
        )
        for budget in budgets
    }  # fmt: skip
    since = min(start for start, _ in spans.values()).date()
    rows = Conversation.objects.filter(settled_seconds__isnull=False, settled_day__gte=since)
    return rows.aggregate(**wanted)


def _counting() -> Iterable[Conversation]:
    """What runs, and what was asked for and is not known to have failed."""
    asked = Conversation.objects.filter(state__in=(MirrorState.RESERVED, MirrorState.UNKNOWN), test_mode=False)
    return (unsettled() | asked).order_by("id")


def _standing(
    budget: Budget, settled: Decimal | None, counting: list[Conversation], rates: Rates, now: datetime
) -> Standing:
    since, until = period_of(budget.period, now)
    spent, still, running = settled or Decimal(0), Decimal(0), 0
    for row in counting:
        rate = rate_at(row.started_at, rates)
        inside = since <= row.started_at < until and takes(budget, row)
        if not inside or rate is None or rate.currency != budget.currency:
            continue
        so_far, most = _reckoned(row, rates, now)
        spent += so_far
        still += max(Decimal(0), most - so_far)
        running += row.ended_at is None
    return Standing(budget, since, until, spent.quantize(EXACT), still.quantize(EXACT), running, _least(now, rates))


def _reckoned(row: Conversation, rates: Rates, now: datetime) -> tuple[Decimal, Decimal]:
    """What it counts now, and what it may come to."""
    if row.ended_at is not None:
        cost = row.reckoned_cost(rates) or Decimal(0)
        return cost, cost
    begun, longest = row.started_at, limit_of(row, "max_call_duration")
    so_far = cost_between(begun, max(now, begun + LEAST), rates) or Decimal(0)
    return so_far, (cost_between(begun, begun + timedelta(seconds=longest), rates) if longest else None) or so_far


def _least(now: datetime, rates: Rates) -> Decimal:
    return cost_between(now, now + LEAST, rates) or Decimal(0)


def takes(budget: Budget, row: Conversation) -> bool:
    """Whether this conversation counts for it."""
    if budget.scope == Scope.PERSONA:
        return budget.persona_id == row.persona_id
    if budget.scope == Scope.USER:
        return budget.user_id == row.created_by_user
    return budget.scope == Scope.ALL or budget.key_id == row.created_by_key


def check_room(row: Conversation) -> None:
    """Raises BudgetReached unless every budget that stops leaves room for this new row.

    Call it in the transaction that reserves the row, after it was saved: it counts then, and the budgets are locked
    until the commit, so that others who ask at the same time see it.
    """
    if row.test_mode:
        return
    stopping = Budget.objects.filter(_about(row), stops=True).order_by("id")
    locked = list(stopping.select_for_update(no_key=True))
    for standing in standings(locked, read_rates()) if locked else []:
        if standing.spent > standing.budget.amount:
            raise BudgetReached(without(standing, standing.least))


def without(standing: Standing, reserved: Decimal) -> Standing:
    """The same before that was reserved."""
    told = {name: getattr(standing, name) for name in Standing.__dataclass_fields__}
    return Standing(**told | {"spent": standing.spent - reserved})


def full_for(row: Conversation) -> Standing | None:
    """The budget that would refuse this row, which is not saved; None where there is room. Locks nothing."""
    found = standings(Budget.objects.filter(_about(row), stops=True).order_by("id"), read_rates())
    return next((standing for standing in found if standing.is_full), None)


def _about(row: Conversation) -> Q:
    whose = Q(scope=Scope.ALL)
    if row.persona_id:
        whose |= Q(scope=Scope.PERSONA, persona=row.persona_id)
    if row.created_by_user:
        whose |= Q(scope=Scope.USER, user=row.created_by_user)
    return whose | Q(scope=Scope.KEY, key=row.created_by_key) if row.created_by_key else whose


__all__ = ["BudgetReached", "Standing", "check_room", "full_for", "standings", "takes"]
