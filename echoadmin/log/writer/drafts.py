"""What is handed to the writer, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db.backends.utils import CursorWrapper


class Refused(Exception):
    """A unit's guard said no: nothing of the unit was written."""


class LogFull(RuntimeError):
    """The database is away, and as many units wait for it as may wait. The unit was not taken."""


class LogClosed(RuntimeError):
    """The writer was stopped before the unit was written."""


class Place:
    """Where an entry stands that lies in the spool: its number comes when it's put into the database."""

    __slots__ = ("n",)

    def __init__(self) -> None:
        self.n: int | None = None


Number = int | Place
"""An entry's number in its stream, or what will know it."""


def known(numbers: Iterable[Number]) -> list[int]:
    """The numbers that are known by now: all of them once it's the turn of an entry that was put behind theirs."""
    found = (one.n if isinstance(one, Place) else one for one in numbers)
    return [n for n in found if n is not None]


@dataclass(slots=True)
class Draft:
    """One entry to be. Texts that are too long for their column are cut there; `message` is kept whole.

    `message` is any JSON value: the app message as on the wire, or the facts of what happened. A function is asked for
    it when it is the entry's turn: for what names earlier entries, whose numbers may not be known before. Where it
    carries audio (`properties.audio`, base64), the samples go to a clip and not into the body: `samples` (inbound) are
    put in a clip of their own, `clip` (outbound) names the range where they already lie. Base64 that would not be given
    back the same from its samples stays in the body as it came.
    """

    stream: str  # the stream's public id: "cv_…" or "account"
    kind: str
    event_type: str
    at: datetime | None = None  # UTC; None = now
    direction: str | None = None  # "in" | "out" | None
    family: str = "other"
    sender: str | None = None
    sender_name: str | None = None
    inference_id: str | None = None
    echo_id: int | None = None
    conversation_ref: str | None = None
    persona_ref: str | None = None
    actor: str | None = None
    api_key_ref: str | None = None
    is_error: bool = False
    epoch: int | None = None
    seq: int | None = None
    request_id: str | None = None
    message: Any = None
    samples: bytes | None = None  # PCM16LE mono
    clip: tuple[int, int, int] | None = None  # clip id, first byte, bytes
    said: str | None = None  # the words, for search


class Written(NamedTuple):
    """An entry that is in the database. `id` is None where the database does not tell it (PostgreSQL).

    Of a unit that `happened` it may lie in the spool only: `n` is then a Place, and there is no digest yet.
    """

    id: int | None
    stream: str
    n: Number
    digest: bytes


@dataclass(slots=True)
class Unit:
    """Entries that are committed whole or not at all, in order with the other units.

    `guard` runs first in the transaction, in a savepoint of its own; False means that nothing of the unit is written,
    the guard's own statements included; a list of drafts is a yes, and they are written behind `drafts`, for what only
    the guard could know. `after` runs when the numbers are known, in the same transaction, and undoes its unit by
    raising. Both may run again when the database failed; neither may wait for anything. `after` may lock only rows that
    `guard` locked already: others' transactions lock their rows first, and the log's streams last.

    `plain`: the guard is one statement, which changes nothing where it says no, and nothing that a key asks for; it
    goes without the savepoint, which costs more than most guards do.

    `guard_key` and `guard_all` are instead of a guard, for what changes nothing and would be asked for every message
    ("is this room still mine?"): `guard_all` gets the keys of many units at once and returns those that say yes.

    `happened`: the entries tell of what has come already, or has to leave now, whatever the database does. While it's
    away such a unit is done as soon as it lies in the spool. Put into the database later, its entries are written
    whatever the guard says, for they did happen; one with a `guard_key` is not asked at all.
    """

    drafts: list[Draft]
    guard: Callable[[CursorWrapper], bool | list[Draft]] | None = None
    after: Callable[[CursorWrapper, list[Written]], None] | None = None
    guard_key: Hashable = None
    guard_all: Callable[[CursorWrapper, list[Any]], Container[Any]] | None = None
    plain: bool = False
    happened: bool = False

    @property
    def can_be_spooled(self) -> bool:
        """Whether its entries can be stored by another process, which knows neither guard nor `after`."""
        told = all(not callable(draft.message) for draft in self.drafts)
        unguarded = self.guard is None and self.guard_key is None
        return bool(self.drafts) and self.after is None and (self.happened or unguarded) and told

    @property
    def leaves(self) -> bool:
        """Whether something waits to leave until this is durable."""
        return any(draft.direction == "out" for draft in self.drafts)
