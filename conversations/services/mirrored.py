"""How upstream's conversations become rows, and what follows when one has ended."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone

from conversations import outbox
from conversations.bells import ROOM, ring_room_on_commit, ring_tail_on_commit
from conversations.models import Conversation, Room, Wanted
from conversations.services.bodies import is_our_webhook
from echoadmin.actors import Actor
from echoadmin.log.writer import Draft
from echoadmin.mirror.kinds import MirroredKind, Payload, instant, noted, words
from echoadmin.mirror.models import MirrorState
from personas.models import Persona, Replica

OVER = "over"


def take_conversation(row: Conversation, payload: Payload) -> None:
    """The columns of a conversation; what upstream leaves out stays as it was. One that has ended never runs
    again."""
    row.name = words(payload.get("conversation_name") or row.name, 300)
    row.conversation_url = words(payload.get("conversation_url") or row.conversation_url, 2000).split("?")[0]
    row.upstream_created_at = instant(payload.get("created_at")) or row.upstream_created_at
    row.webhooks_here = row.webhooks_here or is_our_webhook(payload.get("callback_url"))
    _take_people(row, payload)
    if row.status != "ended":
        row.status = words(payload.get("status") or row.status, 16)
    if row.status == "ended":
        _take_end(row, payload)


def _take_people(row: Conversation, payload: Payload) -> None:
    persona_id = words(payload.get("persona_id") or row.upstream_persona_id, 128)
    replica_id = words(payload.get("replica_id") or row.upstream_replica_id, 128)
    if persona_id and (row.persona_id is None or persona_id != row.upstream_persona_id):
        row.persona = Persona.objects.filter(upstream_id=persona_id).first()
    if replica_id and (row.replica_id is None or replica_id != row.upstream_replica_id):
        row.replica = Replica.objects.filter(upstream_id=replica_id).first()
    row.upstream_persona_id, row.upstream_replica_id = persona_id, replica_id


def _take_end(row: Conversation, payload: Payload) -> None:
    """Why and when it ended. The reason stands in one of three places (docs.tavus.io, webhooks).

    Tavus bills from creation to end and names no end: `updated_at` of an ended conversation is when it last changed,
    that is when it ended, and its shutdown event is stamped a moment later. Neither can be before the end, so the
    earliest that was ever told is it, and `ended_at_source` says which that was: `updated_at`, `event`, or `console`
    where upstream told none and this console's own clock stands in.
    """
    row.sealed_meeting_token = ""
    reason, shut_down = _shutdown(payload)
    row.ended_reason = _reason(row, words(payload.get("shutdown_reason") or reason, 300))
    told = {"updated_at": instant(payload.get("updated_at")), "event": shut_down}
    if row.ended_at_source in told:
        told[row.ended_at_source] = min(filter(None, (told[row.ended_at_source], row.ended_at)), default=None)
    known = [(at, source) for source, at in told.items() if at is not None]
    if known:
        at, source = min(known, key=lambda one: one[0])
    elif row.ended_at is None:
        at, source = timezone.now(), "console"
    else:
        return
    set_end(row, at, source)


def set_end(row: Conversation, at: datetime, source: str) -> None:
    """It ended then; what it cost is to be reckoned again if that is news."""
    if at != row.ended_at:
        row.settled_seconds = None
    row.ended_at, row.ended_at_source = at, source


def _reason(row: Conversation, upstream: str) -> str:
    """Upstream's word, behind our own reason where this console ended it by itself."""
    if not row.ended_because:
        return upstream or row.ended_reason
    return words(f"{row.ended_because} ({upstream})" if upstream else row.ended_because, 300)


def _shutdown(payload: Payload) -> tuple[Any, datetime | None]:
    events = payload.get("events")
    for event in reversed(events if isinstance(events, list) else []):
        if isinstance(event, dict) and event.get("event_type") == "system.shutdown":
            properties = event.get("properties")
            properties = properties if isinstance(properties, dict) else {}
            return properties.get("shutdown_reason") or properties.get("reason"), instant(event.get("timestamp"))
    return None, None


def state_of(row: Conversation) -> str:
    """`over` once nothing can be said in it any more."""
    over = row.status == "ended" or row.state in (MirrorState.GONE, MirrorState.REJECTED)
    return OVER if over else str(row.status)


def settled(row: Conversation, was: str, actor: Actor) -> list[Draft]:
    """What follows in the same transaction when a conversation has just ended: nothing more is said, nobody wants its
    room."""
    ring_tail_on_commit(row.public_id)
    if was == OVER or state_of(row) != OVER:
        return []
    changes: dict[str, Any] = {"sealed_meeting_token": "", "orphan_since": None, "orphan_kind": ""}
    if row.ended_at is None:
        changes |= {"ended_at": timezone.now(), "ended_at_source": "console", "ended_reason": "no longer there"}
    if row.state == MirrorState.LIVE and not row.ended_reason and not row.test_mode:
        changes["sync_wanted_at"] = timezone.now()  # a list says that it ended, a full look says why
    for name, value in changes.items():
        setattr(row, name, value)
    Conversation.objects.filter(pk=row.pk).update(**changes)
    return [_ended_entry(row, actor, _clear_room(row))]


def _clear_room(row: Conversation) -> list[str]:
    Room.objects.filter(conversation=row).update(wanted=Wanted.IDLE)
    room = Room.objects.select_related("worker").filter(conversation=row).first()
    if room is not None and room.worker is not None:
        ring_room_on_commit(row.pk, room.worker.name, ROOM)
    words = "The conversation ended before it was said."
    return outbox.cancel_queued(row.pk, reason="conversation_ended", detail=words)


def _ended_entry(row: Conversation, actor: Actor, cancelled: list[str]) -> Draft:
    facts = {"reason": row.ended_reason, "seconds": row.seconds, "cancelled": cancelled, "test_mode": row.test_mode}
    return noted(row, "ended", actor, facts)


CONVERSATION = MirroredKind(
    name="conversation",
    model=Conversation,
    take=take_conversation,
    get=lambda client, conversation_id: client.get_conversation(conversation_id),
    state_of=state_of,
    settled=settled,
    disposable=lambda row: not row.made_here and not row.requested and not row.echoes.exists(),
    bookkeeping=frozenset(["conversation_id", "created_at", "updated_at", "events", "meeting_token"]),
)
