"""Words: a new text, and what was said before, again or in another place."""

from __future__ import annotations

from typing import Any

from conversations import interactions
from conversations.models import Conversation, Echo, EchoState
from conversations.refusals import NotNow
from conversations.services.speaking.queueing import digest_of, queue
from echoadmin.actors import Actor

SAYABLE_AGAIN = (EchoState.UNCONFIRMED, EchoState.FAILED, EchoState.INTERRUPTED, EchoState.CANCELLED, EchoState.SPOKEN)


def speak_text(*, actor: Actor, conversation: Conversation, text: str, inference_id: str | None = None) -> Echo:
    """Queue a text echo. The same id with the same text gives the same echo; raises a Refusal for what can't be."""
    body, fields = words_of(text)
    return queue(actor, conversation, inference_id, body, fields, closed=True)


def words_of(text: str) -> tuple[str, dict[str, Any]]:
    """What tells these words from others, and the columns of their echo; raises a Refusal for what can't be said."""
    interactions.check_text(text)
    fields = {"modality": "text", "text": text, "seconds": interactions.estimated_seconds(text)}
    return digest_of("text", text), fields


def say_again(*, actor: Actor, echo: Echo, inference_id: str | None = None) -> Echo:
    """A new echo with the words or samples of one that ended; only a person or the client ever asks for this."""
    if echo.state not in SAYABLE_AGAIN:
        raise NotNow("state", f"It is {echo.state}; only an echo that has ended can be said again.")
    names = ("modality", "text", "clip_id", "sample_rate", "seconds", "pacing")
    fields: dict[str, Any] = {name: getattr(echo, name) for name in names}
    fields["again_of"] = echo
    return queue(actor, echo.conversation, inference_id, echo.body_sha256, fields, closed=True)


def say_of(
    *, actor: Actor, conversation: Conversation, origin: Echo, inference_id: str, text: str | None = None
) -> Echo:
    """A new echo with the words (`text` in their place, if given) or samples of another one, which it names."""
    if text is not None or origin.modality == "text":
        body, fields = words_of(origin.text if text is None else text)
    else:
        names = ("modality", "clip_id", "sample_rate", "seconds", "pacing")
        fields, body = {name: getattr(origin, name) for name in names}, origin.body_sha256
    fields["replay_of"] = origin.pk
    return queue(actor, conversation, inference_id, body, fields, closed=True)
