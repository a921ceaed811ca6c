"""Following the log: new entries in the order of their ids, in batches, each taken in exactly once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Literal

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import F

from echoadmin.log.index.models import Progress
from echoadmin.log.models import Entry

BATCH = 250  # entries in a transaction, so that the log's writer never waits long for SQLite's one lock

After = Literal["storing", "pruning", "nothing"]


@dataclass(frozen=True, slots=True)
class Follower:
    """Something that is made of entries.

    `read` is called outside of transactions, `store`, `forget` and `empty` inside. `tidy` is called outside, after
    entries were put in ("storing") or taken out ("pruning"), for what that leaves to be done, little by little; and
    when there was nothing new ("nothing"), for what would keep others waiting. It tells whether it did something.
    """

    name: str
    columns: tuple[str, ...]  # of Entry, `id` first
    read: Callable[[Sequence[tuple[Any, ...]]], Any]
    store: Callable[[CursorWrapper, Any], None]
    forget: Callable[[CursorWrapper, Any], None]
    empty: Callable[[CursorWrapper], None]
    tidy: Callable[[After], bool] = lambda after: False


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a follower is behind the newest entry. `entries` is the distance of their ids, so at most."""

    entries: int
    seconds: float  # since the oldest entry that is not in happened


def advance(follower: Follower, up_to: int, batch: int = BATCH) -> int:
    """Takes in the next entries with ids up to `up_to`, at most `batch` of them; returns how many they were."""
    while True:
        place, _ = Progress.objects.get_or_create(name=follower.name)
        rows = _rows(follower, place.last_id, up_to, batch)
        if not rows:
            return 0
        made = follower.read(rows)
        with transaction.atomic(), connection.cursor() as cursor:
            # The row's lock comes first; nothing is stored if another was faster, or took entries out meanwhile.
            without_waiting_for_the_disk(cursor)
            unmoved = Progress.objects.filter(name=follower.name, last_id=place.last_id, changes=place.changes)
            if unmoved.update(last_id=rows[-1][0]):
                follower.store(cursor, made)
                break
    follower.tidy("storing")
    return len(rows)


def without_waiting_for_the_disk(cursor: CursorWrapper) -> None:
    """For a transaction that is simply done again where a power cut undoes it: the disk is the log's writer's.

    PostgreSQL keeps the order: what is durable has all before it (postgresql.org/docs/15/wal-async-commit.html). SQLite
    doesn't wait here anyway.
    """
    if connection.vendor == "postgresql":
        cursor.execute("SET LOCAL synchronous_commit = off")


def catch_up(follower: Follower, up_to: int, seconds: float | None = None, batch: int = BATCH) -> int:
    """Takes in all entries up to `up_to`, for `seconds` at most; returns how many they were."""
    until = None if seconds is None else monotonic() + seconds
    taken = 0
    while count := advance(follower, up_to, batch):
        taken += count
        if until is not None and monotonic() > until:
            break
    if not taken:
        follower.tidy("nothing")
    return taken


def forget(follower: Follower, ids: Sequence[int]) -> None:
    """Takes entries out again, as they are now, in the open transaction: before they are changed or deleted."""
    with connection.cursor() as cursor:
        follower.forget(cursor, follower.read(_taken_in(follower, ids)))


def remember(follower: Follower, ids: Sequence[int]) -> None:
    """Puts entries that were taken out in again, as they are now, in the same transaction."""
    with connection.cursor() as cursor:
        follower.store(cursor, follower.read(_taken_in(follower, ids)))


def start_again(follower: Follower) -> None:
    """Empties it: the next advance() begins with the first entry."""
    with transaction.atomic(), connection.cursor() as cursor:
        Progress.objects.update_or_create(
            name=follower.name, defaults={"last_id": 0, "changes": F("changes") + 1}, create_defaults={"last_id": 0}
        )
        follower.empty(cursor)


def reached(follower_name: str) -> int:
    """The id up to which every entry is in."""
    return Progress.objects.filter(name=follower_name).values_list("last_id", flat=True).first() or 0


def lag(follower_name: str) -> Lag:
    """How far it is behind."""
    last_id = reached(follower_name)
    newest = Entry.objects.order_by("-id").values_list("id", flat=True).first() or 0
    first = Entry.objects.filter(id__gt=last_id).order_by("id").values_list("at", flat=True).first()
    seconds = (datetime.now(UTC) - first).total_seconds() if first else 0.0
    return Lag(max(newest - last_id, 0) if first else 0, max(seconds, 0.0))


def _rows(follower: Follower, after: int, up_to: int, batch: int) -> list[tuple[Any, ...]]:
    entries = Entry.objects.filter(id__gt=after, id__lte=up_to).order_by("id")
    return list(entries.values_list(*follower.columns)[:batch])


def _taken_in(follower: Follower, ids: Sequence[int]) -> list[tuple[Any, ...]]:
    """Those of the entries that are in. Locks the follower's row until the transaction ends."""
    Progress.objects.get_or_create(name=follower.name)
    Progress.objects.filter(name=follower.name).update(changes=F("changes") + 1)
    entries = Entry.objects.filter(id__in=list(ids), id__lte=reached(follower.name))
    return list(entries.order_by("id").values_list(*follower.columns))
