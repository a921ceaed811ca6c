"""Several echoes at once: all of them are queued, in their order, or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conversations import audio, interactions
from conversations.models import Conversation, Echo
from conversations.refusals import Refusal
from conversations.services.speaking.audio import check_pacing, drop_unused, stored
from conversations.services.speaking.queueing import (
    Wish,
    check_can_speak,
    check_place,
    item,
    queue_all,
)
from conversations.services.speaking.saying import words_of
from echoadmin.actors import Actor
from echoadmin.log import clips


@dataclass(frozen=True)
class Saying:
    """Words, or samples (PCM16 mono), under an id of their own."""

    inference_id: str
    text: str | None = None
    pcm: bytes = b""
    sample_rate: int = audio.RATE  # Hz
    pacing: str = "lead"


def speak_all(*, actor: Actor, conversation: Conversation, utterances: Sequence[Saying]) -> list[Echo]:
    """Queue them; those that the same utterances made before are given back. Raises a Refusal for what can't be, whose
    field names the one it is about, counted from 0: `items[3].text`."""
    check_can_speak(conversation)
    _check_ids(utterances)
    if any(one.text is None for one in utterances):  # what would be refused in the end, before samples are stored
        check_place(actor, conversation, utterances[0].inference_id)
    wishes: list[Wish] = []
    try:
        for number, one in enumerate(utterances):
            with item(number):
                wishes.append(_wish(one))
        echoes = queue_all(actor, conversation, wishes)
    except BaseException:
        for wish in wishes:
            if "clip_id" in wish.fields:
                clips.drop_clip(wish.fields["clip_id"])
        raise
    drop_unused([wish.fields for wish in wishes], echoes)
    return echoes


def _check_ids(utterances: Sequence[Saying]) -> None:
    seen: dict[str, int] = {}
    for number, one in enumerate(utterances):
        with item(number):
            interactions.check_inference_id(one.inference_id)
            if one.inference_id in seen:
                raise Refusal("inference_id", f"Is that of items[{seen[one.inference_id]}], too.")
        seen[one.inference_id] = number


def _wish(one: Saying) -> Wish:
    if one.text is not None:
        return Wish(one.inference_id, *words_of(one.text))
    audio.check_sample_rate(one.sample_rate)
    return Wish(one.inference_id, *stored([one.pcm], one.sample_rate, check_pacing(one.pacing)))
