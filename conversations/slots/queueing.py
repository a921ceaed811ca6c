"""The queue for the next slot: asked for, cancelled, out of time. Nothing here calls upstream."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from conversations.models import Conversation, RequestState, SlotRequest
from conversations.refusals import NotNow
from conversations.services import bodies
from echoadmin.accounts.recording import record
from echoadmin.actors import Actor
from echoadmin.mirror.models import new_public_id
from echoadmin.sealed import seal, unseal
from echoadmin.tavus.wire import redact, storable


class NotWaiting(NotNow):
    """The request is past waiting."""

    code = "not_waiting"


def wait_for_slot(*, actor: Actor, body: Any, join: bool = False, public_id: str = "") -> SlotRequest:
    """A create that waits its turn, for SLOT_WAIT_HOURS at most. The body is read now, so that what could never be
    made is refused at once; budgets are asked when its turn has come. Raises what `bodies.read_body` raises."""
    asked = bodies.read_body(body)
    row = SlotRequest(
        public_id=public_id,
        conversation_ref=new_public_id(Conversation.PREFIX),
        sealed_body=seal(json.dumps(asked)),
        requested=storable(redact(asked)),
        join=join,
        actor={**asdict(actor), "request_id": actor.request_id},
        created_by=actor.name[:200],
        expires_at=timezone.now() + timedelta(hours=settings.SLOT_WAIT_HOURS),
    )
    with transaction.atomic():
        row.save()
        record("slot.requested", actor, facts(row))
    return row


def cancel(*, actor: Actor, request: SlotRequest) -> SlotRequest:
    """It waits no more. Cancelling twice is once; raises NotWaiting for one whose turn has come."""
    with transaction.atomic():
        waiting = SlotRequest.objects.filter(pk=request.pk, state=RequestState.WAITING)
        changed = waiting.update(state=RequestState.CANCELLED, ended_at=timezone.now())
        if changed:
            record("slot.cancelled", actor, facts(request))
    request.refresh_from_db()
    if request.state != RequestState.CANCELLED:
        words = f"It is {request.state}. Its conversation is {request.conversation_ref}: end that, if it runs."
        raise NotWaiting("request", words)
    return request


def expire_old(*, actor: Actor) -> list[SlotRequest]:
    """Those that have waited for too long; returns them."""
    now, gone = timezone.now(), []
    for row in SlotRequest.objects.filter(state=RequestState.WAITING, expires_at__lte=now).order_by("id"):
        with transaction.atomic():
            waiting = SlotRequest.objects.filter(pk=row.pk, state=RequestState.WAITING)
            if waiting.update(state=RequestState.EXPIRED, ended_at=now):
                record("slot.expired", actor, facts(row), is_error=True)
                gone.append(row)
    return gone


def body_of(row: SlotRequest) -> dict[str, Any]:
    """What is to be sent. Raises Unreadable when the secret key has changed since."""
    body: dict[str, Any] = json.loads(unseal(row.sealed_body))
    return body


def actor_of(row: SlotRequest) -> Actor:
    """Who asked, as they were then."""
    return Actor(**row.actor)


def facts(row: SlotRequest) -> dict[str, Any]:
    """A request as the log has it."""
    told = {"id": row.public_id, "conversation": row.conversation_ref, "requested": row.requested, "join": row.join}
    return {**told, "by": row.created_by, "expires_at": row.expires_at.isoformat()}
