"""Gaps in the database: a conversation's entries are looked through once, in batches, by whoever comes first."""

from __future__ import annotations

import copy
from time import monotonic
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet

from conversations.gaps.finding import Closed, Filled, Finder, Found, Seen, Step
from conversations.models import Conversation, Gap, GapKind, GapScan
from echoadmin.log import reader
from echoadmin.log.models import Entry, Kind, Progress, Stream

BATCH = 2_000  # entries that matter, in a transaction
IDS = 5_000  # entries of all conversations, in a step
PROGRESS = "gaps"

# What can tell of a gap: numbered messages, what happened to the room, what came late, and the end.
_TELLING = (
    Q(seq__isnull=False, direction="in", kind=Kind.APP_MESSAGE)
    | Q(kind=Kind.ROOM)
    | Q(late=True)
    | Q(kind=Kind.OPERATOR, event_type="conversation.ended")
)
_COLUMNS = ("n", "at", "kind", "event_type", "direction", "seq", "sender", "late")


def gaps_of(conversation: Conversation) -> QuerySet[Gap]:
    """A conversation's gaps as its entries are now, in the order in which they show."""
    catch_up(conversation)
    return Gap.objects.filter(conversation=conversation).order_by("n", "id")


def catch_up(conversation: Conversation) -> int:
    """Looks through the entries that are new; returns how many entries that is."""
    began: int | None = None
    while True:
        scan, _ = GapScan.objects.get_or_create(conversation=conversation)
        began = scan.reached_n if began is None else began
        last = reader.last_n(conversation.public_id)
        if scan.reached_n >= last:
            return scan.reached_n - began
        _step(conversation, scan, last)


def find_new(safe_head: int, seconds: float) -> int:
    """Looks through all conversations that have new entries up to the id `safe_head`, for about `seconds`; returns in
    how many."""
    until = monotonic() + seconds
    looked = 0
    place, _ = Progress.objects.get_or_create(name=PROGRESS)
    while place.last_id < safe_head and monotonic() < until:
        new = Entry.objects.filter(id__gt=place.last_id, id__lte=safe_head).order_by("id")
        rows = list(new.values_list("id", "stream_id")[:IDS])
        if not rows:
            break
        names = Stream.objects.filter(pk__in={stream for _, stream in rows}).values_list("public_id", flat=True)
        for conversation in Conversation.objects.filter(public_id__in=list(names)).order_by("id"):
            catch_up(conversation)
            looked += 1
        place.last_id = rows[-1][0]
        Progress.objects.filter(name=PROGRESS).update(last_id=place.last_id)
    return looked


def _step(conversation: Conversation, scan: GapScan, last: int) -> None:
    """One batch. Read first; written only if nobody else was faster."""
    seen = _read(conversation, scan.reached_n, last)
    reached = seen[-1].n if len(seen) == BATCH else last
    finder = Finder(conversation.started_at if conversation.upstream_id else None, copy.deepcopy(scan.state))
    for one in seen:
        finder.take(one)
    with transaction.atomic():
        unmoved = GapScan.objects.filter(pk=scan.pk, reached_n=scan.reached_n)
        if unmoved.update(reached_n=reached, state=finder.state):
            for step in finder.steps:
                _write(conversation, step)


def _read(conversation: Conversation, after: int, last: int) -> list[Seen]:
    stream = Stream.objects.filter(public_id=conversation.public_id).values("id")[:1]
    entries = Entry.objects.filter(_TELLING, stream=stream, n__gt=after, n__lte=last).order_by("n")
    rows = list(entries.values_list(*_COLUMNS)[:BATCH])
    room = [row[0] for row in rows if row[2] == Kind.ROOM]
    told = list(Entry.objects.filter(stream=stream, n__in=room)) if room else []
    facts = {entry.n: message for entry, message in zip(told, reader.messages(told, audio=False), strict=True)}
    return [Seen._make((*row, _object(facts.get(row[0])))) for row in rows]


def _object(message: Any) -> dict[str, Any]:
    return message if isinstance(message, dict) else {}


def _write(conversation: Conversation, step: Step) -> None:
    mine = Gap.objects.filter(conversation=conversation)
    match step:
        case Found():
            Gap.objects.create(conversation=conversation, **step.columns)
        case Closed():
            mine.filter(kind=GapKind.NOT_IN_ROOM, to_at__isnull=True).update(**step.columns)
        case Filled():
            _fill(mine, step.sender, step.seq)


def _fill(mine: QuerySet[Gap], sender: str, seq: int) -> None:
    """Takes a number out of the gap that it was missing in; one in the middle leaves two."""
    gap = mine.filter(kind=GapKind.MISSING_SEQ, sender=sender, first_seq__lte=seq, last_seq__gte=seq).first()
    if gap is None or gap.first_seq is None or gap.last_seq is None:
        return  # it came twice
    if gap.first_seq == gap.last_seq:
        gap.delete()
        return
    if gap.first_seq < seq < gap.last_seq:
        columns = {field.attname: getattr(gap, field.attname) for field in Gap._meta.concrete_fields}
        del columns["id"]
        Gap.objects.create(**{**columns, "first_seq": seq + 1, "count": gap.last_seq - seq})
        Gap.objects.filter(pk=gap.pk).update(last_seq=seq - 1, count=seq - gap.first_seq)
        return
    end = {"first_seq": F("first_seq") + 1} if seq == gap.first_seq else {"last_seq": F("last_seq") - 1}
    Gap.objects.filter(pk=gap.pk).update(**end, count=F("count") - 1)
