"""What is to be exported: checked once, the same for the address, the run and the command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from echoadmin.actors import Limits
from echoadmin.log.asked import clean_filters
from echoadmin.log.reader import FilterError

FORMATS = {
    "ndjson": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "zip": "application/zip",
}


class BadExport(ValueError):
    """An export that can't be. `fields` maps the name of a parameter to what is wrong with it, in words."""

    def __init__(self, **fields: str) -> None:
        self.fields = {name: [words] for name, words in fields.items()}
        super().__init__("; ".join(f"{name}: {words}" for name, words in fields.items()))


@dataclass(frozen=True, slots=True)
class Export:
    """`filters` are those of filtered(); `audio`: samples come inside the messages (a zip has nothing else)."""

    format: str
    filters: dict[str, str] = field(default_factory=dict)
    audio: bool = False
    limits: Limits | None = None  # of the key that asks

    @property
    def content_type(self) -> str:
        """Of the file."""
        return FORMATS[self.format]

    @property
    def label(self) -> str:
        """In words, for people."""
        what = ", ".join(f"{name} {value}" for name, value in self.filters.items()) or "everything"
        return f"{what} as {self.format}{' with audio' if self.audio else ''}"

    def file_name(self, at: datetime | None = None) -> str:
        """A name that sorts by time: log-20261123T041500Z.ndjson."""
        return f"log-{at or datetime.now(UTC):%Y%m%dT%H%M%SZ}.{self.format}"


def checked(format: Any, filters: Mapping[str, Any], audio: Any = False, limits: Limits | None = None) -> Export:
    """The export that is asked for. Raises BadExport; an unknown filter is refused, for it would mean everything."""
    if format not in FORMATS:
        raise BadExport(format=f"Is one of {', '.join(FORMATS)}.")
    if not isinstance(audio, bool):
        raise BadExport(audio="Is true or false.")
    try:
        return Export(format, clean_filters(filters), audio, limits)
    except FilterError as error:
        raise BadExport(**{name: " ".join(words) for name, words in error.fields.items()}) from None
