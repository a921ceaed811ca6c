"""A page of the timeline: entries after a number, and what belongs between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from conversations import gaps
from conversations.models import Conversation, Echo, Gap
from conversations.serializers import echo_dict
from conversations.timeline.filling import Filled, filled_in
from conversations.timeline.items import Item, Items, ids_in, inference_id_of
from echoadmin.log import reader
from echoadmin.log.api import shown
from echoadmin.log.chain import instant
from echoadmin.log.models import Entry

STEADY = 100  # entries among which the newest time is the clock: chunks are logged a moment before they leave


@dataclass(frozen=True, slots=True)
class Timeline:
    """Items in their order. `next`: the number to go on after; None where this is all for now."""

    items: list[Item]
    next: int | None


def timeline(conversation: Conversation, after: int = 0, limit: int = 200) -> Timeline:
    """What happened after the entry with the number `after`, at most `limit` entries of it.

    Items are `{"type": …, "n": …, "at": …}`: `entry`; `echo` with all of this page that belongs to it, its chunks
    counted; `heartbeats`, counted; `gap`; and `filled_in`: an event, or a line of the transcript, that only Tavus told.
    A `filled_in` that happened after the newest entry comes again until there is a newer one; its `id` stays the same.
    """
    gaps.catch_up(conversation)
    rows = reader.tail(conversation.public_id, after, limit + 1)
    more = len(rows) > limit
    rows = rows[:limit]
    entries = list(zip(rows, shown(rows, audio=False), strict=True))
    echoes, owners = _echoes(conversation, entries)
    items = Items(echoes, _continued(conversation, echoes, after))
    between = _between(conversation, rows, after, more=more)
    for entry, told in entries:
        while between and between[0][0] <= entry.n:
            items.other(between.pop(0)[1])
        items.entry(entry, told, entry.echo_id or owners.get(inference_id_of(entry, told) or ""))
    for _, item in between:
        items.other(item)
    return Timeline(items.listed, rows[-1].n if more else None)


def _echoes(
    conversation: Conversation, entries: Sequence[tuple[Entry, Item]]
) -> tuple[dict[int, Item], dict[str, int]]:
    """The echoes of these entries by their numbers, and the numbers by all ids that they go by."""
    numbers, names = ids_in(entries)
    if not numbers and not names:
        return {}, {}
    named = Q(inference_id__in=names) | Q(heard_id__in=names) | Q(wire_id__in=names)
    found = Echo.objects.filter(Q(pk__in=numbers) | named, conversation=conversation)
    found = found.select_related("conversation", "again_of")
    owners = {name: echo.pk for echo in found for name in (echo.wire_id, echo.heard_id, echo.inference_id) if name}
    return {echo.pk: echo_dict(echo) for echo in found}, owners


def _continued(conversation: Conversation, echoes: dict[int, Item], after: int) -> set[int]:
    """Those of the echoes that earlier entries belong to."""
    if not after or not echoes:
        return set()
    before = Entry.objects.filter(stream__public_id=conversation.public_id, echo_id__in=list(echoes), n__lte=after)
    return {number for number in before.values_list("echo_id", flat=True).distinct() if number is not None}


def _between(conversation: Conversation, rows: list[Entry], after: int, *, more: bool) -> list[tuple[int, Item]]:
    """What is no entry and belongs to this page, with the number of the entry before which it stands."""
    placed = [(gap.n, _gap_item(gap)) for gap in _gaps(conversation, rows, after, more=more)]
    start = _clock(conversation, after) if after else None
    end = _clock(conversation, rows[-1].n) if rows and more else None
    for one in filled_in(conversation):
        if (start is None or one.at >= start) and (end is None or one.at < end):
            before = next(
                (row.n for row in rows if not row.late and row.at > one.at), rows[-1].n + 1 if rows else after + 1
            )
            placed.append((before, _filled_item(one, before)))
    return sorted(placed, key=lambda pair: pair[0])


def _gaps(conversation: Conversation, rows: list[Entry], after: int, *, more: bool) -> list[Gap]:
    found = Gap.objects.filter(conversation=conversation, n__gt=after).order_by("n", "id")
    return list(found.filter(n__lte=rows[-1].n) if more else found)


def _clock(conversation: Conversation, n: int) -> datetime | None:
    """What time it was when the entry with this number was written."""
    entries = Entry.objects.filter(stream__public_id=conversation.public_id, n__lte=n, late=False).order_by("-n")
    return max(entries.values_list("at", flat=True)[:STEADY], default=None)


def _gap_item(gap: Gap) -> Item:
    columns = ("kind", "first_n", "last_n", "count", "first_seq", "last_seq", "sender", "reason", "expected", "seconds")
    told: dict[str, Any] = {name: getattr(gap, name) for name in columns}
    told |= {"from_at": instant(gap.from_at), "to_at": instant(gap.to_at) if gap.to_at else None}
    return {"type": "gap", "n": gap.n, "at": told["from_at"], "gap": {"id": gap.pk, **told}}


def _filled_item(one: Filled, n: int) -> Item:
    return {
        "type": "filled_in",
        "n": n,
        "id": one.id,
        "at": instant(one.at),
        "event_type": one.event_type,
        "in_room": one.in_room,
        "message": one.message,
    }
