"""Looking at one object upstream. Here, and nowhere else, is decided that something is gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.utils import timezone

from echoadmin.actors import Actor
from echoadmin.log.writer import Draft, append
from echoadmin.mirror.creating import lock_row, take
from echoadmin.mirror.kinds import MirroredKind, NotPossible, Payload, about, noted
from echoadmin.mirror.models import MirrorState
from echoadmin.tavus.errors import NotFound
from echoadmin.upstream import calling, client


def look(kind: MirroredKind, row: Any, *, actor: Actor) -> None:
    """Ask upstream for the whole object and write what it says; the row is then live, or gone.

    Gone is what upstream itself says it doesn't have when asked for it by id: not what a list lacks, nor what can't
    be reached. Raises TavusError when upstream can't be asked, NotPossible when it never had the object.
    """
    asked = known_upstream_id(kind, row)
    with calling(actor=actor, **about(row)):
        try:
            payload = kind.get(client(), asked)
        except NotFound:
            mark_gone(kind, row, actor)
            return
    write_looked(kind, row, {**payload, kind.id_field: asked}, actor=actor)


def write_looked(
    kind: MirroredKind,
    row: Any,
    payload: Payload,
    *,
    actor: Actor,
    change: Callable[[Any], list[Draft]] = lambda current: [],
) -> None:
    """Write what upstream said of the whole object. change: alters the row before, and gives entries of its own."""
    with transaction.atomic(durable=True):
        current = lock_row(kind.model, row)
        was, was_gone = kind.state_of(current), current.state == MirrorState.GONE
        own = change(current)
        take(kind, current, payload, whole=True)
        current.save()
        drafts = [*own, *kind.settled(current, was, actor)]
        if was_gone:
            drafts.append(noted(current, "returned", actor))
        if drafts:
            append(drafts)
    row.refresh_from_db()


def mark_gone(kind: MirroredKind, row: Any, actor: Actor) -> None:
    """Upstream no longer has it; the row, its echoes and its log stay."""
    with transaction.atomic(durable=True):
        current = lock_row(kind.model, row)
        was = kind.state_of(current)
        fresh = current.state != MirrorState.GONE
        current.state = MirrorState.GONE
        current.synced_at = timezone.now()
        current.save()
        drafts = kind.settled(current, was, actor)
        if fresh:
            drafts.append(noted(current, "gone", actor))
        if drafts:
            append(drafts)
    row.refresh_from_db()


def known_upstream_id(kind: MirroredKind, row: Any) -> str:
    """The row's upstream id; raises NotPossible when there is none to speak to upstream about."""
    if row.upstream_id is None:
        unsettled = row.state in (MirrorState.UNKNOWN, MirrorState.RESERVED)
        way_out = "Find out what became of it first." if unsettled else "Create a new one."
        raise NotPossible(
            kind.id_field, f"This {kind.name} is {row.state}: Tavus has none that belongs to it. {way_out}"
        )
    return str(row.upstream_id)
