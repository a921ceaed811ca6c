"""Which days are asked for: `from` and `to`, both included, or a month. Days are those of UTC."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.dateparse import parse_date

from conversations.money.spending import month_of

Days = tuple[date, date]


def days_of(asked: Mapping[str, str]) -> Days:
    """`from` and `to`; this month where both are left out. Raises ValidationError."""
    first, last = month_of(timezone.now())
    if asked.get("from") or asked.get("to"):
        last = _day("to", asked["to"]) if asked.get("to") else timezone.now().date()
        first = _day("from", asked["from"]) if asked.get("from") else last.replace(day=1)
    if first > last:
        raise ValidationError({"from": ["Is after `to`."]})
    return first, last


def month_asked(text: str) -> Days:
    """A month such as 2026-11; this one for "". Raises ValidationError."""
    if not text:
        return month_of(timezone.now())
    found = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])", text, re.ASCII)
    if found is None or not 1970 <= int(found[1]) <= 9998:
        raise ValidationError({"month": ["Is a month such as 2026-11."]})
    return month_of(datetime(int(found[1]), int(found[2]), 1, tzinfo=UTC))


def _day(name: str, text: str) -> date:
    try:
        found = parse_date(text)
    except ValueError:
        found = None
    if found is None or not 1970 <= found.year <= 9998:
        raise ValidationError({name: ["Is a day such as 2026-11-28."]})
    return found
