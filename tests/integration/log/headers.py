"""An entry's header, made from the model: apart from how the code under test reads it."""

from __future__ import annotations

from typing import Any

from echoadmin.log.chain import HEADER_COLUMNS, instant
from echoadmin.log.models import Entry


def columns(entry: Entry, public_id: str) -> dict[str, Any]:
    """What the entry's header is made of."""
    found = {column: getattr(entry, column) for column in HEADER_COLUMNS if column != "stream"}
    return {**found, "stream": public_id, "at": instant(entry.at)}
