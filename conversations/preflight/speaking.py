"""Before the first line: what stands between what is typed and the replica's mouth, as this console knows it."""

from __future__ import annotations

from django.urls import reverse

from conversations.models import Conversation, Room, RoomState, Wanted
from conversations.preflight.checks import Check, good, odd, persona_checks, worker_check, wrong
from echoadmin.read_only import address
from echoadmin.shown import lasting

SHORT = 60  # seconds that are left


def before_speaking(conversation: Conversation, room: Room | None) -> list[Check]:
    """From the database alone; a few queries at most, of which none grows."""
    if not conversation.is_active:
        words = f"It is {conversation.status if conversation.state == 'live' else conversation.state}."
        add = reverse("admin:conversations_conversation_add")
        return [wrong("conversation", words, "Start a new one to say something.", add)]
    checks = [_time(conversation)]
    persona = conversation.persona
    if persona is not None and persona.pipeline_mode:
        checks += persona_checks(persona, persona.payload or persona.requested)
    return [*checks, *_room(conversation, room)]


def _time(conversation: Conversation) -> Check:
    if not conversation.max_call_duration:
        return odd("time", "Nothing is known that ends it by itself.", "End it when it is not needed any more.")
    left = max(0, conversation.max_call_duration - conversation.seconds)
    if left < SHORT:
        return odd("time", f"It ends by itself in {lasting(left)}.", "Start a new one for more.")
    return good("time", f"It goes on for {lasting(left)} at most.")


def _room(conversation: Conversation, room: Room | None) -> list[Check]:
    where = address(conversation)
    if room is None or room.wanted != Wanted.JOINED:
        return [wrong("room", "This console is not in its room.", "Join it: what is said goes through it.", where)]
    if room.state != RoomState.JOINED:
        told = room.error or "Lines wait in the queue until it is."
        return [worker_check(), odd("room", f"The room is {room.state}. {told}", "Wait, or join again.", where)]
    checks = [good("room", f"This console is in its room, by {room.worker or 'a worker'}.", where)]
    if not room.replica_present:
        way_out = "Lines wait in the queue; one whose turn has come fails when the replica stays away for too long."
        return [*checks, odd("replica", "The replica has not come yet.", way_out, where)]
    return [*checks, good("replica", "The replica is in the room.", where)]
