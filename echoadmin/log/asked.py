"""Filters that people keep or hand on: checked once, and kept as they were given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from echoadmin.log import reader


def clean_filters(filters: Mapping[str, Any]) -> dict[str, str]:
    """The filters that are given, as texts. Raises FilterError; an unknown one is refused, for it would mean all."""
    for name, value in filters.items():
        if name not in reader.FILTERS:
            known = ", ".join(reader.FILTERS)
            raise reader.FilterError({str(name)[:80]: [f"There is no such filter. There are: {known}."]})
        if not isinstance(value, str | int | bool):
            raise reader.FilterError({name: ["Is a text."]})
    given = {name: _text(value) for name, value in filters.items() if value != ""}
    reader.filtered(given)
    return given


def _text(value: str | int) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
