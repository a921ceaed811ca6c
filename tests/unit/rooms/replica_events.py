"""The replica's interactions, as the vendor sends them: both families of each fact."""

from __future__ import annotations

from typing import Any

from conversations import interactions
from conversations.interactions import Reading


def message(event_type: str, inference_id: str | None, **properties: Any) -> dict[str, Any]:
    """One interaction; without an id where `inference_id` is None, for every extra is optional."""
    made: dict[str, Any] = {"message_type": "conversation", "event_type": event_type, "conversation_id": "c1"}
    if inference_id is not None:
        made["inference_id"] = inference_id
    return made | ({"properties": properties} if properties else {})


def started(inference_id: str | None = None) -> Reading:
    """The replica began: the older family."""
    return interactions.read(message("conversation.replica.started_speaking", inference_id))


def started_too(inference_id: str | None = None) -> Reading:
    """The replica began: the unified family."""
    return interactions.read(message("conversation.started_speaking", inference_id, role="replica"))


def stopped(inference_id: str | None = None, *, interrupted: bool = False) -> Reading:
    """The replica ended: the older family."""
    return interactions.read(
        message("conversation.replica.stopped_speaking", inference_id, duration=1.0, interrupted=interrupted)
    )


def stopped_too(inference_id: str | None = None, *, interrupted: bool = False) -> Reading:
    """The replica ended: the unified family."""
    return interactions.read(
        message("conversation.stopped_speaking", inference_id, role="replica", duration=1.0, interrupted=interrupted)
    )


def streaming(words: str, inference_id: str | None = None) -> Reading:
    """What was said so far."""
    return interactions.read(
        message("conversation.utterance.streaming", inference_id, role="replica", speech=words, final=False)
    )


def uttered(words: str, inference_id: str | None = None) -> Reading:
    """All that was said."""
    return interactions.read(message("conversation.utterance", inference_id, role="replica", speech=words))


def user_started(inference_id: str | None = None) -> Reading:
    """A human began to speak."""
    return interactions.read(message("conversation.user.started_speaking", inference_id))
