"""Creating at upstream: reserve (a committed row) → call (no transaction open) → settle.

A create costs money and can't be repeated safely, so the row is there before the call, and says afterwards what is
known: `live`, `rejected` with upstream's words, or `unknown` when the answer was lost. A process that dies in between
leaves it `reserved`, which is later treated as unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.utils import timezone

from echoadmin.actors import Actor
from echoadmin.log.writer import append
from echoadmin.mirror.kinds import MirroredKind, NotPossible, Payload, about, described, kept, noted
from echoadmin.mirror.models import Mirrored, MirrorState, new_public_id
from echoadmin.tavus.client import TavusClient
from echoadmin.tavus.errors import TavusError
from echoadmin.upstream import calling, client


def create(
    kind: MirroredKind,
    row: Any,
    *,
    actor: Actor,
    call: Callable[[TavusClient], Payload],
    beside: Callable[[], None] = lambda: None,
    at_birth: Callable[[Any, Payload], None] = lambda row, answer: None,
) -> None:
    """Reserve `row`, make the call, settle.

    beside: writes what belongs to the row, in the reserving transaction. at_birth: puts what only the create's answer
    holds into the row. Raises the call's TavusError after settling; its `reference` is the row's public id.
    """
    reserve(row, actor=actor, beside=beside)
    try:
        with calling(actor=actor, **about(row)):
            answer = call(client())
    except TavusError as error:
        settle_failed(row, error, actor)
        error.reference = row.public_id
        raise
    settle_live(kind, row, answer, actor, at_birth)


def reserve(row: Any, *, actor: Actor, beside: Callable[[], None] = lambda: None) -> None:
    """The row, committed, before anything is paid for."""
    row.public_id = row.public_id or new_public_id(row.PREFIX)
    row.state = MirrorState.RESERVED
    row.created_by = actor.name[:200]
    with transaction.atomic(durable=True):
        row.save()
        beside()
        append([noted(row, "requested", actor, {"requested": row.requested, "warnings": row.warnings})])


def settle_live(
    kind: MirroredKind,
    row: Any,
    answer: Payload,
    actor: Actor,
    at_birth: Callable[[Any, Payload], None] = lambda row, answer: None,
) -> None:
    """Upstream made it: the row is live, and holds what the answer told."""
    with transaction.atomic(durable=True):
        current = lock_row(kind.model, row)
        was = kind.state_of(current)
        make_room_for(kind, current, answer[kind.id_field])
        take(kind, current, answer, whole=False)
        at_birth(current, answer)
        current.save()
        drafts = kind.settled(current, was, actor)
        append([noted(current, "created", actor), *drafts])
    row.refresh_from_db()


def settle_failed(row: Any, error: TavusError, actor: Actor) -> None:
    """Upstream refused, or nobody knows: the row says which, in upstream's words."""
    with transaction.atomic(durable=True):
        current = lock_row(type(row), row)
        if current.state == MirrorState.RESERVED:  # else a sync found it meanwhile
            current.state = MirrorState.UNKNOWN if error.may_have_happened else MirrorState.REJECTED
            current.error = described(error)
            current.save(update_fields=["state", "error", "updated_at"])
            append([noted(current, str(current.state), actor, {"error": current.error}, is_error=True)])
    row.refresh_from_db()


def take(kind: MirroredKind, row: Any, payload: Payload, *, whole: bool) -> None:
    """Put an upstream row into a mirror row: it is live, and known as of now. Does not save."""
    before, looked_before = row.payload, row.synced_at
    row.upstream_id = str(payload[kind.id_field])[:128]
    row.payload = kept(row, payload, whole=whole)
    row.state = MirrorState.LIVE
    row.error = None
    row.synced_at = timezone.now()
    kind.take(row, payload)
    kind.compared(row, before, looked_before)


def make_room_for(kind: MirroredKind, row: Any, upstream_id: str) -> None:
    """A sync may have seen the new object before its own create was settled: the row that it made gives way.

    Raises NotPossible when another row has a better claim to it.
    """
    for other in kind.model.objects.filter(upstream_id=upstream_id).exclude(pk=row.pk):
        if not kind.disposable(other):
            raise NotPossible(kind.id_field, f"{upstream_id} belongs to {other.public_id} already.")
        other.delete()


def lock_row(model: type[Mirrored], row: Any) -> Any:
    """The row as the database has it, locked until the commit; what refers to it can be written meanwhile: the rooms
    do so all the time, and hold the room's row that a settling conversation wants, too."""
    return model.objects.select_for_update(no_key=True).get(pk=row.pk)
