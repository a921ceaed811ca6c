"""What a minute costs now, in words."""

from __future__ import annotations

from django.utils import timezone

from conversations.models.price import rate_at


def price_words(minutes: float | None = None) -> str:
    """What a minute costs, and the most that `minutes` can cost, in a sentence; honest when no price is in force."""
    rate = rate_at(timezone.now())
    if rate is None:
        return "Each minute is billed by Tavus; set a price, or PRICE_PER_MINUTE, to see the cost here."
    words = f"About {rate.per_minute:,.2f} {rate.currency} a minute"
    if minutes is None:
        return words + "."
    most = max(float(rate.per_minute) * minutes, float(rate.minimum))
    return f"{words}, at most {most:,.2f} {rate.currency} in {minutes:,.0f} min."


def price_on_button() -> str:
    """The same on a button."""
    rate = rate_at(timezone.now())
    return f"≈ {rate.per_minute:,.2f} {rate.currency} a minute" if rate else "billed by the minute"
