"""What goes past the queue, or takes out of it: cancel, interrupt, and every other interaction."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from conversations import bells, interactions, outbox
from conversations.models import Conversation, Echo, EchoState, Interaction
from conversations.refusals import NotNow, Refusal, Unspeakable
from conversations.services.rooms import operator_draft
from conversations.services.speaking.queueing import WAITING, locked_room, ring
from echoadmin.actors import Actor
from echoadmin.log.writer import append


@dataclass(frozen=True, slots=True)
class Interrupted:
    """What an interrupt did at once: the ids of what it cancelled, and the interaction that was queued for the
    room."""

    cancelled: list[str]
    interaction: Interaction


def cancel(*, actor: Actor, echo: Echo) -> Echo:
    """Take a waiting echo out of the queue; raises NotNow once it is being sent (interrupt it then)."""
    with transaction.atomic():
        taken = Echo.objects.filter(pk=echo.pk, state__in=WAITING).update(
            state=EchoState.CANCELLED, reason="cancelled", detail=f"Cancelled by {actor.name}.", ended_at=timezone.now()
        )
        echo.refresh_from_db()
        if not taken:
            raise NotNow(
                "state", f"It is {echo.state} and can't be cancelled any more; interrupt the conversation to stop it."
            )
        append([operator_draft(actor, echo.conversation, "echo.cancel", inference_id=echo.inference_id)])
        ring(echo.conversation, bells.ECHO)
    return echo


def interrupt(*, actor: Actor, conversation: Conversation) -> Interrupted:
    """Cancel the queue and stop what the replica says. What came of it is in the interaction's `result`, soon."""
    with transaction.atomic():
        room = locked_room(conversation)
        cancelled = outbox.cancel_queued(
            conversation.pk, reason="interrupted", detail=f"An interrupt by {actor.name} cancelled what waited."
        )
        message = interactions.interrupt(str(conversation.upstream_id))
        interaction = _interaction(actor, conversation, message)
        append([operator_draft(actor, conversation, "echo.interrupt", cancelled=cancelled)])
        ring(conversation, bells.INTERACTION, room)
    return Interrupted(cancelled, interaction)


def send_interaction(*, actor: Actor, conversation: Conversation, message: dict[str, Any]) -> Interaction:
    """Queue any other interaction; `message` is a whole app message, checked for what Daily can carry."""
    checked = check_message(message)
    with transaction.atomic():
        room = locked_room(conversation)
        interaction = _interaction(actor, conversation, checked)
        ring(conversation, bells.INTERACTION, room)
    return interaction


def check_message(message: object) -> dict[str, Any]:
    """The message as it would leave. Raises Refusal for what can't, or has a way of its own."""
    checked = interactions.raw(message)
    if r"\u0000" in json.dumps(checked).replace(r"\\", ""):
        raise Unspeakable("message", "Holds a NUL character, which not every database can keep. Remove it.")
    if checked.get("event_type") == "conversation.echo":
        raise Refusal(
            "event_type", "An echo goes through echoes/, where it is paced, followed and kept; send it there."
        )
    return checked


def _interaction(actor: Actor, conversation: Conversation, message: dict[str, Any]) -> Interaction:
    return Interaction.objects.create(
        conversation=conversation,
        event_type=str(message.get("event_type", ""))[:120],
        message=message,
        actor=actor.name,
        api_key_ref=actor.api_key_ref or "",
        request_id=actor.request_id or "",
        source=actor.source,
        queued_at=timezone.now(),
    )
