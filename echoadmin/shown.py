"""How values are shown on pages: times, durations, money, ids, states. All give safe HTML or plain words."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

NOTHING = mark_safe('<span class="ea-nothing">–</span>')


def when(at: datetime | None) -> SafeString:
    """A time: UTC as written here, the viewer's own zone once the page's script has run, exact UTC on hover."""
    if at is None:
        return NOTHING
    at = at.astimezone(UTC)
    exact = at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + " UTC"
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), exact, at.strftime("%d %b %H:%M:%S"))


def lasting(seconds: float | None) -> str:
    """Seconds in human units: 0.4 s, 12.4 s, 2:05, 1:02:05."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds % 1 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def after(seconds: float) -> str:
    """A place in time, for a column of them: +0.0 s, +12.4 s, +2:05."""
    seconds = max(0.0, seconds)
    return f"+{seconds:.1f} s" if seconds < 59.95 else f"+{lasting(max(60.0, seconds))}"


def size(bytes_: int | None) -> str:
    """Bytes in human units."""
    if bytes_ is None:
        return ""
    if bytes_ < 1024:
        return f"{bytes_} B"
    return f"{bytes_ / 1024:.1f} KB" if bytes_ < 1024 * 1024 else f"{bytes_ / 1024 / 1024:.1f} MB"


def money(amount: Decimal | float | None, currency: str = "") -> str:
    """An amount, in the installation's currency unless told; "" when there is none."""
    return "" if amount is None else f"≈ {amount:,.2f} {currency or settings.CURRENCY}"


def code(value: object) -> SafeString:
    """An id, in monospace."""
    return format_html('<code class="ea-id">{}</code>', value) if value else NOTHING


def state(value: str) -> SafeString:
    """A state: the word, and the colour that the style sheet has for it."""
    return format_html('<span class="ea-state" data-state="{}">{}</span>', value, value) if value else NOTHING


def link(url: str, words: object) -> SafeString:
    """A link within the console."""
    return format_html('<a class="ea-link" href="{}">{}</a>', url, words)
