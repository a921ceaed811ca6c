"""A text that arrives bit by bit: one utterance, each sentence of which is an echo of its own.

Its sentences are `<inference_id>.1`, `.2`, …, queued in order as they are whole, so each is claimed, logged and told by
the ledger like any other echo, and at most once. What an interrupt stops, it stops for good: nothing of an utterance is
queued after an interrupt that came since it began, whoever asked for that.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from django.db import transaction

from conversations import interactions
from conversations.models import Conversation, Echo, Interaction
from conversations.refusals import EchoClosed, IdTaken
from conversations.services.speaking.queueing import check_can_speak, check_place, locked_room
from conversations.services.speaking.saying import speak_text
from echoadmin.actors import Actor

MOST_SENTENCES = 99_999


@dataclass
class Utterance:
    """A text whose rest is still to come. `said`: the inference_ids of its sentences so far."""

    conversation_id: int
    inference_id: str
    interrupt_id: int  # of the newest interrupt before it began
    said: list[str] = field(default_factory=list)


def open_text(*, actor: Actor, conversation: Conversation, inference_id: str | None = None) -> Utterance:
    """Begin an utterance; nothing is stored before its first sentence. Raises a Refusal for what could not be said."""
    own = inference_id or uuid.uuid4().hex
    interactions.check_inference_id(f"{own}.{MOST_SENTENCES}")
    check_can_speak(conversation)
    check_place(actor, conversation, None)
    if conversation.echoes.filter(inference_id__in=(own, f"{own}.1")).exists():
        raise IdTaken("inference_id", f"{own} was used before. Use a new one for each text.")
    return Utterance(conversation.pk, own, _newest_interrupt(conversation.pk))


def say_next(*, actor: Actor, utterance: Utterance, text: str) -> Echo:
    """Queue its next sentence. Raises EchoClosed after an interrupt, and what `speak_text` raises."""
    conversation = Conversation.objects.select_related("persona").get(pk=utterance.conversation_id)
    with transaction.atomic():
        locked_room(conversation)  # an interrupt locks it too: it came before, or cancels what is queued here
        if _newest_interrupt(conversation.pk) > utterance.interrupt_id:
            raise EchoClosed("inference_id", "An interrupt stopped this text; its rest is not said. Begin a new one.")
        number = len(utterance.said) + 1
        echo = speak_text(
            actor=actor,
            conversation=conversation,
            text=text,
            inference_id=f"{utterance.inference_id}.{number}",
        )
    utterance.said.append(echo.inference_id)
    return echo


def _newest_interrupt(conversation_id: int) -> int:
    own = Interaction.objects.filter(conversation=conversation_id, event_type="conversation.interrupt")
    return own.order_by("-id").values_list("id", flat=True).first() or 0
