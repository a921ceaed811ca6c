"""How long entries are kept: LOG_KEEP_DAYS, and LOG_KEEP_DAYS_… by family or kind. The most particular one counts:
the family's, then the kind's, then the one for the rest. Unset: the next one says; 0: for good."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from echoadmin.log.models import Kind

# Entries that tell of holds, erasures, pruning and keys: without them the rest could not be verified.
KEPT = "NOT (kind = 'operator' AND event_type LIKE 'log.%%')"


@dataclass(frozen=True, slots=True)
class Rule:
    """Entries that fit `condition` (SQL) are pruned when they happened before `before`."""

    name: str
    days: float
    before: datetime
    condition: str

    def __str__(self) -> str:
        return f"{self.name or 'the rest'}, {self.days:g} days"


def rules(now: datetime) -> list[Rule]:
    """The rules that prune something, as the settings have them."""
    set_ = {name: days for name, days in settings.LOG_KEEP_DAYS.items() if days is not None}
    kinds = [name for name in set_ if name in Kind.values]
    families = [name for name in set_ if name and (name not in kinds or name == Kind.ROOM)]
    conditions = {"": _all_but(families, kinds)}
    conditions |= {kind: f"kind = '{kind}' AND {_all_but(families, [])}" for kind in kinds}
    conditions |= {family: f"family = '{family}'" for family in families}  # what is of kind room is of that family
    return [
        Rule(name, days, now - timedelta(days=days), f"{conditions[name]} AND {KEPT}")
        for name, days in set_.items()
        if days > 0
    ]


def _all_but(families: list[str], kinds: list[str]) -> str:
    left_out = [f"family NOT IN ({_listed(families)})"] if families else []
    left_out += [f"kind NOT IN ({_listed(kinds)})"] if kinds else []
    return " AND ".join(left_out) or "1 = 1"


def _listed(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
