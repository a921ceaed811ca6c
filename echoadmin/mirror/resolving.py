"""Finding out what became of a create whose answer was lost: by its reference, else by name, ids and time, else by a
person."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from echoadmin.actors import Actor
from echoadmin.log.writer import append
from echoadmin.mirror.creating import lock_row, make_room_for, take
from echoadmin.mirror.kinds import MirroredKind, NotPossible, Payload, about, noted
from echoadmin.mirror.models import MirrorState
from echoadmin.upstream import calling, client

LONGEST_CALL = timedelta(minutes=2)  # a reserved row older than this was left by a process that died
ABOUT_THEN = timedelta(minutes=5)  # two clocks, and the time that a lost call took


def pending(kind: MirroredKind, *, younger_than: timedelta | None = None) -> list[Any]:
    """The rows whose fate nobody knows: unknown ones, and those left reserved by a process that died."""
    since = timezone.now() - younger_than if younger_than else datetime.min.replace(tzinfo=UTC)
    left = Q(state=MirrorState.RESERVED, created_at__lt=timezone.now() - LONGEST_CALL)
    lost = Q(state=MirrorState.UNKNOWN) | left
    return list(kind.model.objects.filter(lost, upstream_id=None, created_at__gte=since).order_by("id"))


def resolve(
    kind: MirroredKind,
    waiting: list[Any],
    listed: Iterable[Payload],
    *,
    actor: Actor,
    fits: Callable[[Any, Payload], bool],
    refers: Callable[[Any, Payload], bool] = lambda row, payload: False,
) -> list[Any]:
    """Adopt for each waiting row the upstream object that it made; returns the rows that were found.

    refers: the upstream row carries this row's own reference: that is proof. fits: it may be the one; taken only when
    exactly one unmirrored row fits, and it fits no other waiting row.
    """
    free = [payload for payload in listed if payload.get(kind.id_field)]
    taken = _mirrored(kind, [str(payload[kind.id_field]) for payload in free])
    found = []
    for row in waiting:
        proven = [payload for payload in free if refers(row, payload)]
        fitting = [payload for payload in free if str(payload[kind.id_field]) not in taken and fits(row, payload)]
        rivals = [other for other in waiting if other is not row and any(fits(other, payload) for payload in fitting)]
        if proven:
            chosen, found_by = proven[:1], "reference"
        else:
            chosen, found_by = fitting if len(fitting) == 1 and not rivals else [], "name"
        with suppress(NotPossible):  # somebody else settled it meanwhile
            for payload in chosen:
                adopt(kind, row, str(payload[kind.id_field]), actor=actor, found_by=found_by)
                found.append(row)
    return found


def adopt(kind: MirroredKind, row: Any, upstream_id: str, *, actor: Actor, found_by: str) -> None:
    """Upstream's `upstream_id` is what this row asked for. found_by: `reference`, `name` or `person`.

    Raises NotPossible when the row isn't pending or the object is another row's, TavusError when upstream can't be
    asked or has none.
    """
    _refuse_unless_pending(row)
    with calling(actor=actor, **about(row)):
        payload = kind.get(client(), upstream_id)
    with transaction.atomic(durable=True):
        current = lock_row(kind.model, row)
        _refuse_unless_pending(current)
        was = kind.state_of(current)
        make_room_for(kind, current, upstream_id)
        take(kind, current, {**payload, kind.id_field: upstream_id}, whole=True)
        current.save()
        drafts = kind.settled(current, was, actor)
        append([noted(current, "adopted", actor, {"found_by": found_by}), *drafts])
    row.refresh_from_db()


def give_up(kind: MirroredKind, row: Any, *, actor: Actor) -> None:
    """A person looked and says that upstream never made it: the row is rejected. Raises NotPossible when it isn't
    pending."""
    with transaction.atomic(durable=True):
        current = lock_row(kind.model, row)
        _refuse_unless_pending(current)
        current.state = MirrorState.REJECTED
        current.error = {
            "code": "given_up",
            "message": f"{actor.name} looked for it at Tavus and found nothing.",
            "before": current.error,
        }
        current.save(update_fields=["state", "error", "updated_at"])
        append([noted(current, "given_up", actor)])
    row.refresh_from_db()


def _refuse_unless_pending(row: Any) -> None:
    if row.upstream_id is not None or row.state not in (MirrorState.UNKNOWN, MirrorState.RESERVED):
        raise NotPossible("state", f"This one is {row.state}: only what is unknown can be matched or given up.")


def _mirrored(kind: MirroredKind, ids: list[str]) -> set[str]:
    """Of upstream's objects, those that another row has for good; one that a sync found may still be claimed by its
    maker."""
    rows = kind.model.objects.filter(upstream_id__in=ids)
    return {str(row.upstream_id) for row in rows if not kind.disposable(row)}
