"""Changing prices and budgets. Each function is keyword-only, takes the actor, and leaves an entry of who did what.

Each raises Django's ValidationError naming the fields that can't be.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from conversations.models import Budget, Period, Price, Scope
from conversations.models.price import forget_rates, rate_at, read_rates
from conversations.money.settling import reckon_again
from echoadmin.accounts.models import ApiKey
from echoadmin.accounts.recording import record
from echoadmin.actors import Actor
from personas.models import Persona

MOST = Decimal("99999999")


def save_price(
    *, actor: Actor, price: Price | None = None, public_id: str = "", valid_from: Any, per_minute: Any,
    currency: Any = None, minimum: Any = None,
) -> Price:  # fmt: skip
    """A new price, or `price` changed. What ended after the earlier of the old and the new `valid_from` is reckoned
    again, which takes a duty some seconds; until then it is shown as reckoned on the spot."""
    row = price or Price(public_id=public_id, created_by=actor.name[:200])
    changed = [row.valid_from] if price else []
    row.valid_from = _moment("valid_from", valid_from)
    row.per_minute = _amount("per_minute", per_minute)
    row.currency = _currency(currency)
    row.minimum = None if minimum in (None, "") else _amount("minimum", minimum)
    try:
        with transaction.atomic():
            row.save()
            again = reckon_again([*changed, row.valid_from])
            record("price.saved", actor, {**price_facts(row), "reckoned_again": again})
            transaction.on_commit(forget_rates)
    except IntegrityError:
        words = "There is a price from that moment on already. Change that one, or give another moment."
        raise ValidationError({"valid_from": [words]}) from None
    return row


def delete_price(*, actor: Actor, price: Price) -> None:
    """The one before it holds on; what it made is reckoned again."""
    facts = price_facts(price)
    with transaction.atomic():
        price.delete()
        again = reckon_again([price.valid_from])
        record("price.deleted", actor, {**facts, "reckoned_again": again})
        transaction.on_commit(forget_rates)


def price_facts(row: Price) -> dict[str, Any]:
    """A price as the log has it."""
    return {
        "id": row.public_id,
        "valid_from": row.valid_from.isoformat(),
        "per_minute": str(row.per_minute),
        "currency": row.currency,
        "minimum": None if row.minimum is None else str(row.minimum),
    }


def save_budget(
    *, actor: Actor, budget: Budget | None = None, public_id: str = "", name: Any, amount: Any,
    scope: Any = Scope.ALL, of: Any = "", period: Any = Period.MONTH, currency: Any = None, warns_at: Any = 80,
    stops: Any = True, ends: Any = False,
) -> Budget:  # fmt: skip
    """A new budget, or `budget` changed. of: the persona (either id), the user (name) or the API key (prefix) of the
    scope. Refused while no price is in force: nothing would ever count."""
    row = budget or Budget(public_id=public_id, created_by=actor.name[:200])
    row.name = _name(name)
    row.amount = _amount("amount", amount, least=Decimal("0.01"))
    row.scope, row.period = _choice("scope", scope, Scope), _choice("period", period, Period)
    row.persona, row.user, row.key = _whose(row.scope, of)
    row.currency = _currency(currency)
    if rate_at(timezone.now(), read_rates()) is None:
        raise ValidationError({"amount": ["No price is in force, so nothing would count. Set a price first."]})
    row.warns_at = _percent(warns_at)
    row.stops, row.ends = _flag("stops", stops), _flag("ends", ends)
    row.warned_for = row.reached_for = None  # what was told was about other terms
    with transaction.atomic():
        row.save()
        record("budget.saved", actor, budget_facts(row))
    return row


def delete_budget(*, actor: Actor, budget: Budget) -> None:
    """It warns and stops no more."""
    facts = budget_facts(budget)
    with transaction.atomic():
        budget.delete()
        record("budget.deleted", actor, facts)


def budget_facts(row: Budget) -> dict[str, Any]:
    """A budget as the log has it."""
    own = {name: getattr(row, name) for name in ("name", "scope", "period", "currency", "warns_at", "stops", "ends")}
    return {"id": row.public_id, **own, "of": of_whom(row), "amount": f"{row.amount:.2f}"}


def of_whom(row: Budget) -> str:
    """The id by which its persona, user or key is named; "" for all."""
    if row.persona:
        return row.persona.public_id
    if row.user:
        return str(row.user.get_username())
    return str(row.key_id or "")


def _whose(scope: str, of: Any) -> tuple[Persona | None, Any, ApiKey | None]:
    wanted = of.strip() if isinstance(of, str) else ""
    if scope == Scope.ALL:
        return None, None, None
    persona = Persona.objects.by_any_id(wanted).first() if scope == Scope.PERSONA and wanted else None
    user = get_user_model().objects.filter(username=wanted).first() if scope == Scope.USER else None
    key = ApiKey.objects.filter(prefix=wanted).first() if scope == Scope.KEY and wanted else None
    if not (persona or user or key):
        named = {"persona": "a persona, by either id", "user": "a user, by name", "key": "an API key, by its prefix"}
        raise ValidationError({"of": [f"Is {named[scope]}; there is none that is called {wanted[:80]!r}."]})
    return persona, user, key


def _moment(name: str, value: Any) -> datetime:
    try:
        found = value if isinstance(value, datetime) else parse_datetime(str(value).strip())
        day = None if found else parse_date(str(value).strip())
    except ValueError:
        found = day = None
    if found is None and day is None:
        raise ValidationError({name: ["Is a time such as 2026-12-01T00:00:00Z, or a day; both are UTC."]})
    found = found or datetime.combine(day, datetime.min.time())  # type: ignore[arg-type]
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _amount(name: str, value: Any, least: Decimal = Decimal(0)) -> Decimal:
    try:
        if isinstance(value, bool):
            raise InvalidOperation
        amount = Decimal(str(value).strip())
    except InvalidOperation:
        raise ValidationError({name: ["Is a number, such as 0.37."]}) from None
    if not (amount.is_finite() and least <= amount <= MOST):
        raise ValidationError({name: [f"Is a number from {least} to {MOST:,}."]})
    return amount.quantize(Decimal("0.000001"))


def _currency(value: Any) -> str:
    """As given, else that of the price in force, else the settings'."""
    rate = rate_at(timezone.now(), read_rates())
    found = str(value or (rate.currency if rate else settings.CURRENCY)).strip().upper()
    if not re.fullmatch(r"[A-Z]{3,8}", found):
        raise ValidationError({"currency": ["Is a currency's code, such as USD."]})
    return found


def _name(value: Any) -> str:
    if not isinstance(value, str) or not 1 <= len(value.strip()) <= 100:
        raise ValidationError({"name": ["Is a text of 1 to 100 characters."]})
    return value.strip()


def _choice(name: str, value: Any, choices: Any) -> str:
    if value not in choices.values:
        raise ValidationError({name: [f"Is one of {', '.join(choices.values)}."]})
    return str(value)


def _percent(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 100:
        raise ValidationError({"warns_at": ["Is a percentage from 1 to 100."]})
    return value


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValidationError({name: ["Is true or false."]})
    return value
