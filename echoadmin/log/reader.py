"""Reading the log: pages by cursor, tails, and entries as the API shows them. Nothing here counts rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from echoadmin.actors import Limits
from echoadmin.log.chain import instant
from echoadmin.log.cursors import Cursor, CursorError, read_cursor
from echoadmin.log.filters import FILTERS, EntryFilter, FilterError, filtered, within
from echoadmin.log.heads import SafeHead, safe_head
from echoadmin.log.models import Entry, EntryQuerySet, Stream
from echoadmin.log.rebuild import message, messages
from echoadmin.log.search import indexed_up_to

__all__ = [
    "FILTERS",
    "CursorError",
    "EntryFilter",
    "FilterError",
    "Page",
    "SafeHead",
    "Tail",
    "as_dicts",
    "filtered",
    "last_n",
    "message",
    "messages",
    "neighbours",
    "page",
    "read",
    "tail",
    "tail_all",
    "tail_cursor",
    "within",
]

HIGHEST = 2**63 - 1
FEW = 5_000  # entries that may be looked through for a page

UpstreamIds = Callable[[set[str]], Mapping[str, str | None]]  # our conversations' ids → Tavus's


@dataclass(frozen=True, slots=True)
class Page:
    """Entries in the asked order, and the cursors of the pages beside it; None where there is none."""

    rows: list[Entry]
    next: str | None
    previous: str | None


@dataclass(frozen=True, slots=True)
class Tail:
    """Entries in the order of their ids, each to be followed from `cursor`; `caught_up`: no more for now."""

    rows: list[Entry]
    cursor: str
    caught_up: bool


def page(entries: EntryQuerySet, cursor: str | None = None, limit: int = 50, newest_first: bool = True) -> Page:
    """One page of what filtered() returned. Raises CursorError."""
    order = f"-{entries.key}" if newest_first else entries.key
    place = read_cursor(cursor, entries.fingerprint, order) if cursor else None
    back = place is not None and place.back
    downwards = newest_first is not back
    low, high = (0, HIGHEST)
    if place is not None:
        low, high = (0, place.value) if downwards else (place.value + 1, HIGHEST)
    rows = read(entries, low, high, limit + 1, newest_first=downwards)
    more = len(rows) > limit
    rows = rows[:limit][::-1] if back else rows[:limit]

    def beside(row: Entry, backwards: bool) -> str:
        return str(Cursor(entries.fingerprint, order, getattr(row, entries.key), backwards))

    if not rows:
        return Page([], None, None)
    has_next, has_previous = (True, more) if back else (more, place is not None)
    return Page(
        rows,
        beside(rows[-1], False) if has_next else None,
        beside(rows[0], True) if has_previous else None,
    )


def read(
    entries: EntryQuerySet, low: int = 0, high: int = HIGHEST, limit: int = 50, *, newest_first: bool = True
) -> list[Entry]:
    """The first entries, of what filtered() returned, with low <= key < high (the key is `entries.key`), in its order.

    It is the quick way to them, whatever the filters are. A search finds nothing that is not indexed yet.
    """
    search = entries.search
    if search is None:
        return _plain(entries, low, high, limit, newest_first=newest_first)
    if search.asked:
        return search.read(entries, low, high, limit, newest_first=newest_first)
    # The newest entries are not in the index yet: those are looked through one by one.
    border = min(indexed_up_to() + 1, high)
    newest = partial(_plain, _among_newest(entries, max(low, border)), max(low, border), high)
    indexed = partial(search.read, entries, low, border)
    first, second = (newest, indexed) if newest_first else (indexed, newest)
    rows = first(limit, newest_first=newest_first)
    return rows if len(rows) == limit else rows + second(limit - len(rows), newest_first=newest_first)


def _among_newest(entries: EntryQuerySet, low: int) -> EntryQuerySet:
    """`entries` from the id `low` on, which are few, by their ids: a planner could take the way of a long stream."""
    ids = list(Entry.objects.filter(id__gte=low).order_by("id").values_list("id", flat=True)[: FEW + 1])
    return entries if len(ids) > FEW else entries.filter(id__in=ids)


def _plain(entries: EntryQuerySet, low: int, high: int, limit: int, *, newest_first: bool) -> list[Entry]:
    key = entries.key
    bounds = {f"{key}__gte": low} if low else {}
    if high < HIGHEST:
        bounds[f"{key}__lt"] = high
    return list(entries.filter(**bounds).order_by(f"-{key}" if newest_first else key)[:limit])


def tail(stream: str, after_n: int, limit: int = 100, **filters: Any) -> list[Entry]:
    """The stream's entries after number `after_n`, oldest first; `filters` as those of filtered()."""
    if filters.get("text"):
        return _found_tail(stream, after_n, limit, filters)
    if filters:
        entries = filtered({**filters, "conversation": stream})
    else:  # the live view's way: many times a second
        entries = Entry.objects.filter(stream=Stream.objects.filter(public_id=stream).values("id")[:1])
    return list(entries.filter(n__gt=after_n).order_by("n")[:limit])


def _found_tail(stream: str, after_n: int, limit: int, filters: Mapping[str, Any]) -> list[Entry]:
    """Within a stream, ids rise with n."""
    last = Entry.objects.filter(stream__public_id=stream, n__lte=after_n).order_by("-n").values_list("id", flat=True)
    entries = filtered({**filters, "conversation": stream})
    return read(entries, (last.first() or 0) + 1, limit=limit, newest_first=False)


def neighbours(entry: Entry, count: int = 10, limits: Limits | None = None) -> tuple[list[Entry], list[Entry]]:
    """The `count` entries before and after `entry` in its stream that one may read, oldest first."""
    stream = Entry.objects.filter(*([within(limits)] if limits else []), stream=entry.stream_id)
    before = list(stream.filter(n__lt=entry.n).order_by("-n")[:count])
    return before[::-1], list(stream.filter(n__gt=entry.n).order_by("n")[:count])


def last_n(stream: str) -> int:
    """The number of the stream's newest entry; 0 for an empty stream, or none."""
    return Stream.objects.filter(public_id=stream).values_list("last_n", flat=True).first() or 0


def tail_all(
    cursor: str | None,
    filters: Mapping[str, Any],
    limit: int = 100,
    head: Callable[[], int] = safe_head,
    limits: Limits | None = None,
) -> Tail:
    """Entries of all streams after `cursor`, oldest first; without a cursor, from the newest on. Raises CursorError.

    On PostgreSQL it follows those who write by as long as they take: see SafeHead.
    """
    entries = filtered(filters, limits)
    safe = head()
    if entries.search and entries.search.asked:
        safe = min(safe, indexed_up_to())
    after = read_cursor(cursor, entries.fingerprint, "tail").value if cursor else safe
    entries.key = "id"  # across streams, even if the filter leaves but one
    rows = read(entries, after + 1, safe + 1, limit, newest_first=False)
    caught_up = len(rows) < limit
    reached = max(after, safe) if caught_up else rows[-1].pk
    return Tail(rows, str(Cursor(entries.fingerprint, "tail", reached)), caught_up)


def tail_cursor(entry: Entry, fingerprint: str) -> str:
    """The place just after `entry` in the tail across streams."""
    return str(Cursor(fingerprint, "tail", entry.pk))


def as_dicts(entries: Sequence[Entry], upstream_ids: UpstreamIds, audio: bool = False) -> list[dict[str, Any]]:
    """Entries as the API shows them. `upstream_ids` is asked once for the ids that Tavus gave the conversations."""
    refs = {entry.conversation_ref for entry in entries if entry.conversation_ref}
    theirs = upstream_ids(refs) if refs else {}
    return [_as_dict(*pair, theirs) for pair in zip(entries, messages(entries, audio), strict=True)]


def _as_dict(entry: Entry, message: Any, upstream_ids: Mapping[str, str | None]) -> dict[str, Any]:
    return {
        "id": entry.pk,
        "n": entry.n,
        "at": instant(entry.at),
        "kind": entry.kind,
        "direction": entry.direction,
        "event_type": entry.event_type,
        "sender": entry.sender,
        "sender_name": entry.sender_name,
        "inference_id": entry.inference_id,
        "echo": entry.echo_id,
        "conversation": entry.conversation_ref,
        "conversation_id": upstream_ids.get(entry.conversation_ref or ""),
        "actor": entry.actor,
        "seq": entry.seq,
        "is_error": entry.is_error,
        "message": message,
    }
