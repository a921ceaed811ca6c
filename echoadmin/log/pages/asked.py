"""What a visitor asked the log for: the address is all of it. Filters as chips, and the addresses beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.http import HttpRequest, QueryDict
from django.urls import reverse

from echoadmin.log import reader
from echoadmin.log.models import Direction, Kind
from echoadmin.log.naming import names

FAMILIES = ("echo", "speaking", "utterance", "presence", "tool", "context", "room", "other")
PRESETS = {
    "15m": ("15 minutes", timedelta(minutes=15)),
    "1h": ("hour", timedelta(hours=1)),
    "24h": ("24 hours", timedelta(days=1)),
    "7d": ("7 days", timedelta(days=7)),
    "30d": ("30 days", timedelta(days=30)),
}
LABELS = {
    "kind": "kind",
    "family": "family",
    "direction": "direction",
    "event_type": "type",
    "conversation": "conversation",
    "persona": "persona",
    "sender": "sender",
    "actor": "by",
    "api_key": "API key",
    "inference_id": "inference id",
    "echo": "echo",
    "is_error": "went wrong",
    "at_after": "from",
    "at_before": "before",
    "text": "words",
}
LONGEST = 60  # characters of a value in a chip


@dataclass(frozen=True, slots=True)
class Said:
    """One filter, in words."""

    name: str
    label: str
    value: str
    at: str  # ISO 8601, for a time


@dataclass(frozen=True, slots=True)
class Chip(Said):
    """One filter: what it says, and the address without it."""

    without: str


def in_words(filters: Mapping[str, str], named: Mapping[str, str]) -> list[Said]:
    """Filters as people read them. `named`: what conversations are called."""
    shown = dict(Kind.choices) | dict(Direction.choices) | {"true": "yes", "false": "no"} | dict(named)
    return [
        Said(
            name,
            LABELS.get(name, name),
            _cut(shown.get(value, value) if name != "text" else value),
            value if name.startswith("at_") else "",
        )
        for name, value in filters.items()
    ]


class Asked:
    """The filters of a request, as texts; and addresses of the log that differ in one thing."""

    def __init__(self, query: QueryDict) -> None:
        self.query = query
        self.values = {name: query.get(name, "").strip() for name in reader.FILTERS}
        self.given = {name: value for name, value in self.values.items() if value}
        self.noise = bool(query.get("noise"))
        self.cursor = query.get("cursor") or None

    def address(self, **changes: str | None) -> str:
        """The log's address with these changes, on its first page; None and "" take a parameter away."""
        wanted: dict[str, str | None] = dict(self.given)
        if self.noise:
            wanted["noise"] = "1"
        wanted |= changes
        query = QueryDict(mutable=True)
        for name, value in wanted.items():
            if value:
                query[name] = value
        told = query.urlencode()
        return reverse("admin:log_entry_changelist") + (f"?{told}" if told else "")

    def filters_query(self) -> str:
        """The filters alone, as the tail and the export take them."""
        query = QueryDict(mutable=True)
        query.update(self.given)
        return query.urlencode()

    def chips(self) -> list[Chip]:
        """One for each filter that is given."""
        named = names({self.given["conversation"]}) if "conversation" in self.given else {}
        return [
            Chip(one.name, one.label, one.value, one.at, self.address(**{one.name: None}))
            for one in in_words(self.given, named)
        ]

    def presets(self) -> list[tuple[str, str]]:
        """(address, words) of the usual time ranges."""
        return [(self.address(at_after=None, at_before=None, last=key), words) for key, (words, _) in PRESETS.items()]


def since(request: HttpRequest) -> str | None:
    """The address that `?last=1h` stands for: from then on, as a moment, so that its pages hang together."""
    last = PRESETS.get(request.GET.get("last", ""))
    if last is None:
        return None
    begins = (datetime.now(UTC) - last[1]).replace(second=0, microsecond=0)
    return Asked(request.GET).address(at_after=f"{begins:%Y-%m-%dT%H:%M:%SZ}", at_before=None)


def choices() -> dict[str, Any]:
    """What the filters' form offers."""
    return {"kinds": Kind.choices, "directions": Direction.choices, "families": FAMILIES}


def _cut(words: str) -> str:
    return words if len(words) <= LONGEST else words[:LONGEST] + "…"
