"""What a minute costs, from when on, and what that makes of a span of time. Nothing is rounded but the last digit.

Before the first row holds PRICE_PER_MINUTE, in CURRENCY, where that is set.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import models

from echoadmin.public_ids import new_public_id

MICROSECOND = timedelta(microseconds=1)
MINUTE = Decimal(60_000_000)  # microseconds
EXACT = Decimal("0.000001")  # the last digit of an amount, and of seconds
KEPT = 5.0  # seconds that this process shows costs by the prices that it has read; whatever decides reads them anew
FOREVER = datetime.max.replace(tzinfo=UTC)


class Price(models.Model):
    """What a minute costs from `valid_from` on, until the next one; `minimum` is what any conversation costs that
    begins under it, at least."""

    public_id = models.CharField(max_length=32, unique=True, editable=False)
    valid_from = models.DateTimeField(unique=True)
    per_minute = models.DecimalField(max_digits=14, decimal_places=6)
    currency = models.CharField(max_length=8)
    minimum = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)
    created_by = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-valid_from"]

    def __str__(self) -> str:
        return f"{self.per_minute.normalize():f} {self.currency} a minute from {self.valid_from:%Y-%m-%d %H:%M} UTC"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Give it its id at birth."""
        self.public_id = self.public_id or new_public_id("pr")
        super().save(*args, **kwargs)


@dataclass(frozen=True, slots=True)
class Rate:
    """A price as it is reckoned with."""

    since: datetime
    per_minute: Decimal
    currency: str
    minimum: Decimal = Decimal(0)


Rates = tuple[Rate, ...]
_shown: tuple[float, Rates] | None = None


def read_rates() -> Rates:
    """All prices, the oldest first, the settings' own before them. One query."""
    rows = Price.objects.order_by("valid_from").values_list("valid_from", "per_minute", "currency", "minimum")
    return tuple(Rate(since, price, currency, minimum or Decimal(0)) for since, price, currency, minimum in rows)


def shown_rates() -> Rates:
    """The same for showing: what another process changed is seen within KEPT seconds."""
    global _shown
    now = time.monotonic()
    if _shown is None or now - _shown[0] > KEPT:
        _shown = (now, read_rates())
    return _shown[1]


def forget_rates() -> None:
    """They have changed: the next look reads them."""
    global _shown
    _shown = None


def with_fallback(rates: Rates) -> Rates:
    """The settings' price before the table's first."""
    if settings.PRICE_PER_MINUTE is None:
        return rates
    before = Rate(datetime.min.replace(tzinfo=UTC), Decimal(str(settings.PRICE_PER_MINUTE)), settings.CURRENCY)
    return (before, *rates)


def rate_at(moment: datetime, rates: Rates | None = None) -> Rate | None:
    """The price in force then; None where there is none."""
    known = with_fallback(shown_rates() if rates is None else rates)
    return next((rate for rate in reversed(known) if rate.since <= moment), None)


def currency_of(start: datetime, rates: Rates | None = None) -> str:
    """In what a conversation that began then is paid; "" where no price was in force."""
    rate = rate_at(start, rates)
    return rate.currency if rate else ""


def cost_between(start: datetime, end: datetime, rates: Rates | None = None) -> Decimal | None:
    """What that span costs, split where the price changes; None where no price was in force when it began.

    Its currency is that of its beginning: a price in another one is for conversations that begin under it.
    """
    known = with_fallback(shown_rates() if rates is None else rates)
    first = rate_at(start, rates)
    if first is None:
        return None
    own = [rate for rate in known if rate.currency == first.currency and first.since <= rate.since < end] or [first]
    ends = [rate.since for rate in own[1:]] + [end]
    micros = sum(
        (max(0, (until - max(start, rate.since)) // MICROSECOND) * rate.per_minute
         for rate, until in zip(own, ends, strict=True)),
        Decimal(0),
    )  # fmt: skip
    return max(micros / MINUTE, first.minimum).quantize(EXACT)


def seconds_between(start: datetime, end: datetime) -> Decimal:
    """To the microsecond."""
    return (Decimal(max(0, (end - start) // MICROSECOND)) / 1_000_000).quantize(EXACT)
