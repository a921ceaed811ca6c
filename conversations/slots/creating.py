"""A free slot goes to who has waited longest. Each request creates once, whatever dies, and is never tried again.

The claim is committed before Tavus is asked, and the conversation has its id from birth, which is unique: whoever
comes second, because the first was only slow, is refused by the database before it calls. A process that died between
the two called nobody, so its request waits again, in its old place; where the conversation's row is there, that row
says what became of it, and this queue only repeats it.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from conversations.models import Conversation, RequestState, SlotRequest
from conversations.services import mirroring
from conversations.slots.queueing import actor_of, body_of, expire_old, facts
from conversations.slots.standing import slots
from echoadmin.accounts.acting import still_may
from echoadmin.accounts.recording import record
from echoadmin.actors import Actor
from echoadmin.mirror.models import MirrorState
from echoadmin.mirror.resolving import LONGEST_CALL
from echoadmin.sealed import Unreadable
from echoadmin.tavus.errors import TavusError

logger = logging.getLogger(__name__)
AT_ONCE = 5  # creates of one look


def serve_queue(*, actor: Actor) -> list[SlotRequest]:
    """Create for those whose turn it is; returns the requests that this look ended. Calls upstream."""
    ended = [*expire_old(actor=actor), *settle_claimed(actor=actor)]
    if not SlotRequest.objects.filter(state=RequestState.WAITING).exists():
        return ended
    try:
        mirroring.sync_conversations(actor=actor, status="active")  # what ended, or was made, elsewhere
    except TavusError as error:
        logger.warning("the queue for slots waits: Tavus can't be asked what runs: %s", error)
        return ended
    for _ in range(AT_ONCE):
        row = claim_next()
        if row is None:
            break
        ended.append(create_for(row, actor=actor))
    return ended


def claim_next() -> SlotRequest | None:
    """The one whose turn it is, claimed; None where none waits, no slot is free, or another console is at it."""
    with transaction.atomic():
        row = SlotRequest.objects.select_for_update().filter(state=RequestState.WAITING).order_by("id").first()
        if row is None or row.state != RequestState.WAITING or not _is_free():
            return None
        row.state, row.claimed_at = RequestState.CREATING, timezone.now()
        row.save(update_fields=["state", "claimed_at"])
    return row


def _is_free() -> bool:
    """Counting those that were claimed and have no row yet: before the rows, so that none is in neither count."""
    refs = Conversation.objects.values("public_id")
    claimed = SlotRequest.objects.filter(state=RequestState.CREATING).exclude(conversation_ref__in=refs).count()
    standing = slots()
    return standing.limit is None or standing.taken + claimed < standing.limit


def create_for(row: SlotRequest, *, actor: Actor) -> SlotRequest:
    """Create what was asked for, as its asker, if they still may; then say what came of it."""
    who = actor_of(row)
    try:
        if not still_may(who, "manager"):
            return _end(
                row, RequestState.FAILED, actor, {"code": "forbidden", "message": f"{who.name} may not create."}
            )
        mirroring.create_conversation(actor=who, body=body_of(row), join=row.join, public_id=row.conversation_ref)
    except (TavusError, ValueError, Unreadable) as error:
        if not Conversation.objects.filter(public_id=row.conversation_ref).exists():  # refused here: nothing was asked
            code = str(getattr(error, "code", "refused"))
            return _end(row, RequestState.FAILED, actor, {"code": code, "message": str(error)})
    except IntegrityError:  # another console had it, and was only slow
        logger.info("%s was created by another process", row.public_id)
    return _settle(row, actor) or row


def settle_claimed(*, actor: Actor) -> list[SlotRequest]:
    """Requests that a process left in the middle; those that ended are returned."""
    left = SlotRequest.objects.filter(
        state=RequestState.CREATING, claimed_at__lt=timezone.now() - LONGEST_CALL - timedelta(seconds=5)
    )
    return [done for row in left.order_by("id") if (done := _settle(row, actor)) is not None]


def _settle(row: SlotRequest, actor: Actor) -> SlotRequest | None:
    """By its conversation's row; without one nothing was called, and it waits again."""
    made = Conversation.objects.filter(public_id=row.conversation_ref).first()
    if made is None:
        claimed = SlotRequest.objects.filter(pk=row.pk, state=RequestState.CREATING, claimed_at=row.claimed_at)
        claimed.update(state=RequestState.WAITING, claimed_at=None)
        return None
    if made.state in (MirrorState.RESERVED, MirrorState.UNKNOWN):
        return None
    rejected = made.state == MirrorState.REJECTED
    return _end(row, RequestState.FAILED if rejected else RequestState.CREATED, actor, made.error if rejected else None)


def _end(row: SlotRequest, state: str, actor: Actor, error: dict[str, Any] | None) -> SlotRequest:
    with transaction.atomic():
        changes = {"state": state, "error": error, "ended_at": timezone.now()}
        if SlotRequest.objects.filter(pk=row.pk, state=RequestState.CREATING).update(**changes):
            record(f"slot.{state}", actor, {**facts(row), "error": error}, is_error=error is not None)
    row.refresh_from_db()
    return row
