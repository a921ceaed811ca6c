"""Places in the log, as clients hold them: opaque, and good only for the filter and order they were made for."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256

from echoadmin.installation import Installation

_keys: list[str] = []


def database_key() -> str:
    """What tells this database's cursors from another's; empty in a database that no console was started on."""
    if not _keys:
        key = Installation.objects.values_list("database_key", flat=True).first()
        if key is None:
            return ""
        _keys.append(sha256(key.encode()).hexdigest()[:16])
    return _keys[0]


class CursorError(ValueError):
    """A cursor that can't be read, or that belongs to another filter, order or database."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Next to the entry with the key `value`: after it in the list's order, or before it when `back`."""

    fingerprint: str  # of the filter and the database
    order: str  # "-id", "id", "-n", "n", "tail"
    value: int
    back: bool = False

    def __str__(self) -> str:
        packed = json.dumps([1, self.fingerprint, self.order, self.value, int(self.back)], separators=(",", ":"))
        return urlsafe_b64encode(packed.encode()).decode().rstrip("=")


def read_cursor(text: str, fingerprint: str, order: str) -> Cursor:
    """The cursor in `text`. Raises CursorError unless it was made for the same filter and order."""
    try:
        version, made_for, in_order, value, back = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        cursor = Cursor(str(made_for), str(in_order), int(value), bool(back))
    except (ValueError, TypeError) as error:
        raise CursorError("this is no cursor: take `next` or `previous` of an answer as it is") from error
    if version != 1 or not 0 <= cursor.value < 2**63:
        raise CursorError("this cursor is of no kind that is known here: start again without one")
    if (cursor.fingerprint, cursor.order) != (fingerprint, order):
        raise CursorError("this cursor belongs to another filter, order or database: start again without one")
    return cursor
