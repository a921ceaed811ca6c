"""What makes the replica speak and stop, and who may."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from echoadmin.client.calls import API, Call, Pages, Until, at, get, given, pages, post
from echoadmin.client.shapes import (
    Echo,
    FloorAnswer,
    Interaction,
    Interrupted,
)

Wait = Literal["sent", "spoken"]
Pacing = Literal["lead", "realtime", "burst"]
ENDED = ("spoken", "interrupted", "failed", "unconfirmed", "cancelled", "rejected")  # states


def say(
    conversation_id: str,
    text: str,
    *,
    inference_id: str | None = None,
    wait: Wait | None = None,
    idempotency_key: str | None = None,
) -> Call[Echo]:
    """Queue a text. With `wait` the answer comes when it was sent or spoken, or after 30 s as it then is."""
    body = {"text": text, **given(inference_id=inference_id)}
    return post(_echoes(conversation_id), body, key=idempotency_key, wait=wait)


def say_audio(
    conversation_id: str,
    pcm: bytes,
    *,
    sample_rate: int = 24_000,
    pacing: Pacing | None = None,
    inference_id: str | None = None,
    wait: Wait | None = None,
    idempotency_key: str | None = None,
) -> Call[Echo]:
    """Queue samples: PCM16 little-endian mono at `sample_rate` Hz."""
    body = {"audio": base64.b64encode(pcm).decode(), "sample_rate": sample_rate}
    body |= given(inference_id=inference_id, pacing=pacing)
    return post(_echoes(conversation_id), body, key=idempotency_key, wait=wait)


def say_file(
    conversation_id: str,
    path: str | Path,
    *,
    pacing: Pacing | None = None,
    inference_id: str | None = None,
    wait: Wait | None = None,
    idempotency_key: str | None = None,
) -> Call[Echo]:
    """Queue a WAV, FLAC, OGG, Opus, MP3 or AIFF file, which is read into memory."""
    source = Path(path)
    parts = {"file": (source.name, source.read_bytes()), **given(inference_id=inference_id, pacing=pacing)}
    return replace(post(_echoes(conversation_id), key=idempotency_key, wait=wait), parts=parts)


def say_all(
    conversation_id: str,
    echoes: Iterable[str | Mapping[str, Any]],
    *,
    wait: Wait | None = None,
    idempotency_key: str | None = None,
) -> Call[list[Echo]]:
    """Queue up to 100 in their order, all or none: texts, or bodies with text or audio. `wait` is for the last.

    An error's fields name the one that it is about, counted from 0: `items[3].text`.
    """
    body = [{"text": one} if isinstance(one, str) else dict(one) for one in echoes]
    return post(_echoes(conversation_id), body, key=idempotency_key, wait=wait)


def echoes(conversation_id: str, **filters: Any) -> Pages[Echo]:
    """A conversation's echoes, newest first; filters: state (several with commas), modality, source."""
    return pages(_echoes(conversation_id), **filters)


def echo(conversation_id: str, inference_id: str) -> Call[Echo]:
    """One echo, as it is now."""
    return get(_echo(conversation_id, inference_id))


def cancel(conversation_id: str, inference_id: str) -> Call[Echo]:
    """Take one that waits out of the queue."""
    return Call("DELETE", API + _echo(conversation_id, inference_id))


def say_again(conversation_id: str, inference_id: str, *, idempotency_key: str | None = None) -> Call[Echo]:
    """A new echo of one that has ended."""
    return post(_echo(conversation_id, inference_id) + "again/", key=idempotency_key)


def approve(
    conversation_id: str, inference_id: str, *, text: str | None = None, idempotency_key: str | None = None
) -> Call[Echo]:
    """Let one that is held be said, in other words if `text` is given."""
    return post(_echo(conversation_id, inference_id) + "approve/", given(text=text), key=idempotency_key)


def reject(
    conversation_id: str, inference_id: str, *, reason: str | None = None, idempotency_key: str | None = None
) -> Call[Echo]:
    """Have one that is held never be said."""
    return post(_echo(conversation_id, inference_id) + "reject/", given(reason=reason), key=idempotency_key)


def interrupt(conversation_id: str, *, idempotency_key: str | None = None) -> Call[Interrupted]:
    """Cancel what waits and stop the replica; answers within about 2 s."""
    return post(at("conversations", conversation_id, "interrupt"), key=idempotency_key)


def interact(
    conversation_id: str,
    event_type: str,
    properties: Mapping[str, Any] | None = None,
    *,
    idempotency_key: str | None = None,
) -> Call[Interaction]:
    """Send any other message of Tavus's interactions protocol, such as conversation.respond."""
    body = {"event_type": event_type, "properties": dict(properties or {})}
    return post(at("conversations", conversation_id, "interactions"), body, key=idempotency_key)


def until_ended(conversation_id: str, inference_id: str, *, seconds: float = 600.0) -> Until[Echo]:
    """Until nothing more happens to an echo. Raises TookTooLong."""
    call = echo(conversation_id, inference_id)
    return Until(call, lambda found: found["state"] in ENDED, f"the end of echo {inference_id}", seconds)


def floor(conversation_id: str) -> Call[FloorAnswer]:
    """Who alone may speak, if anybody."""
    return get(at("conversations", conversation_id, "floor"))


def take_floor(conversation_id: str, *, idempotency_key: str | None = None) -> Call[FloorAnswer]:
    """From now on nobody else speaks."""
    return post(at("conversations", conversation_id, "floor"), {"action": "take"}, key=idempotency_key)


def hand_over_floor(conversation_id: str, to: str, *, idempotency_key: str | None = None) -> Call[FloorAnswer]:
    """The floor goes to the user of that name."""
    body = {"action": "hand_over", "to": to}
    return post(at("conversations", conversation_id, "floor"), body, key=idempotency_key)


def release_floor(conversation_id: str, *, idempotency_key: str | None = None) -> Call[FloorAnswer]:
    """Everybody with the role may speak again."""
    return post(at("conversations", conversation_id, "floor"), {"action": "release"}, key=idempotency_key)


def _echoes(conversation_id: str) -> str:
    return at("conversations", conversation_id, "echoes")


def _echo(conversation_id: str, inference_id: str) -> str:
    return at("conversations", conversation_id, "echoes", inference_id)
