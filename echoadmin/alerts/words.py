"""Rules and alerts in words."""

from __future__ import annotations

from django.utils.safestring import SafeString

from echoadmin.alerts.models import Alert, Rule
from echoadmin.shown import state

UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def condition(rule: Rule) -> str:
    """When it raises an alert."""
    return "any entry" if rule.threshold == 1 else f"{rule.threshold:,} entries within {span(rule.window)}"


def span(seconds: int) -> str:
    """A window: 5 minutes, 90 seconds."""
    size, unit = next((size, unit) for size, unit in UNITS if seconds % size == 0)
    count = seconds // size
    return f"{count:,} {unit}{'' if count == 1 else 's'}"


def rule_state(rule: Rule) -> SafeString:
    """Active, off, or that it can't look."""
    return state("error" if rule.enabled and rule.error else "active" if rule.enabled else "off")


def found_words(alert: Alert) -> str:
    """How much it found."""
    return f"{alert.count:,} {'entry' if alert.count == 1 else 'entries'}"
