"""Syncing a whole list from upstream, a hundred rows in a transaction, never while asking for the next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from echoadmin.actors import Actor
from echoadmin.log.writer import Draft, append
from echoadmin.mirror.creating import take
from echoadmin.mirror.kinds import MirroredKind, Payload, kept, noted
from echoadmin.mirror.looking import look
from echoadmin.mirror.models import MirrorState
from echoadmin.tavus.errors import BadReply, TavusError

BATCH = 100
LOOKS = 50  # single objects asked for in one sync, at most


@dataclass
class SyncResult:
    """What a sync found. complete: the list was read to its end. problems: what stood in the way, in words."""

    seen: int = 0
    new: int = 0
    changed: int = 0
    gone: int = 0
    complete: bool = True
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        told = f"{self.seen} seen, {self.new} new, {self.changed} changed, {self.gone} gone"
        return f"{told}; {'; '.join(self.problems)}"[:500] if self.problems else told

    def facts(self) -> Payload:
        """The same for an entry."""
        return {name: getattr(self, name) for name in ("seen", "new", "changed", "gone", "complete", "problems")}


def sync_list(
    kind: MirroredKind,
    rows: Iterable[Payload],
    *,
    actor: Actor,
    result: SyncResult,
    admit: Callable[[Payload], Any | None],
) -> set[str]:
    """Write upstream's rows into the mirror; returns the upstream ids that were seen.

    admit: for a row that has no mirror row, gives one to write it to (unsaved, or one that waited for it), or None to
    leave it for now. A list that can't be read to its end is told in `result`; what came before is kept. Raises
    TavusError when nothing came at all.
    """
    seen: set[str] = set()
    pages = iter(rows)
    while batch := _next_batch(pages, result, anything_seen=bool(seen)):
        named = [row for row in batch if row.get(kind.id_field)]
        if len(named) < len(batch):
            result.problems.append(f"{len(batch) - len(named)} rows have no {kind.id_field}")
        seen.update(str(row[kind.id_field]) for row in named)
        _store(kind, named, actor, result, admit)
    result.seen += len(seen)
    return seen


def look_at_missing(kind: MirroredKind, missing: Iterable[Any], *, actor: Actor, result: SyncResult) -> None:
    """Ask upstream, one by one, for rows that its list lacked: they are gone, or the list drifted while it was
    read."""
    for count, row in enumerate(missing):
        if count >= LOOKS:
            result.problems.append(
                f"more than {LOOKS} {kind.name}s are missing from the list; the next sync looks at the rest"
            )
            return
        try:
            look(kind, row, actor=actor)
        except TavusError as error:
            result.problems.append(f"{row.upstream_id}: {error}")
            if error.status is None:
                return  # no connection: the others would only wait for the same
        result.gone += row.state == MirrorState.GONE


def _next_batch(rows: Iterator[Payload], result: SyncResult, *, anything_seen: bool) -> list[Payload]:
    batch: list[Payload] = []
    try:
        for row in islice(rows, BATCH):
            batch.append(row)  # noqa: PERF402 - what came before an error is kept
    except BadReply as error:
        if not (batch or anything_seen):
            raise
        result.complete = False
        result.problems.append(error.message)
    return batch


def _store(
    kind: MirroredKind, batch: list[Payload], actor: Actor, result: SyncResult, admit: Callable[[Payload], Any | None]
) -> None:
    with transaction.atomic(durable=True):
        ids = [str(payload[kind.id_field]) for payload in batch]
        known = {
            row.upstream_id: row
            for row in kind.model.objects.select_for_update(no_key=True).filter(upstream_id__in=ids)
        }
        drafts: list[Draft] = []
        untouched: list[int] = []
        for payload in batch:
            row = known.get(str(payload[kind.id_field]))
            if row is not None and _same(row, payload):
                untouched.append(row.pk)
            elif row is not None:
                drafts += _write(kind, row, payload, actor)
                result.changed += 1
            elif (fresh := admit(payload)) is not None:
                drafts += _insert(kind, fresh, payload, actor, result)
        kind.model.objects.filter(pk__in=untouched).update(synced_at=timezone.now())
        if drafts:
            append(drafts)


def _same(row: Any, payload: Payload) -> bool:
    return row.state == MirrorState.LIVE and row.payload == kept(row, payload, whole=False)


def _write(kind: MirroredKind, row: Any, payload: Payload, actor: Actor) -> list[Draft]:
    was, was_gone = kind.state_of(row), row.state == MirrorState.GONE
    take(kind, row, payload, whole=False)
    row.save()
    drafts = kind.settled(row, was, actor)
    return [*drafts, noted(row, "returned", actor)] if was_gone else drafts


def _insert(kind: MirroredKind, row: Any, payload: Payload, actor: Actor, result: SyncResult) -> list[Draft]:
    waited = row.pk is not None
    was = kind.state_of(row)
    try:
        with transaction.atomic():
            take(kind, row, payload, whole=False)
            row.save()
    except IntegrityError:  # another sync was faster
        return []
    result.new += 1
    if waited:
        return [noted(row, "adopted", actor, {"found_by": "reference"}), *kind.settled(row, was, actor)]
    return [noted(row, "discovered", actor)] if kind.name == "conversation" else []
