"""Builds the interactions that a client sends. Shapes: docs.tavus.io, Event Schemas (conversation.echo and so on)."""

from __future__ import annotations

import binascii
import hashlib
import json
import math
import re
import uuid
from collections.abc import Mapping
from typing import Any

from conversations.refusals import Refusal, TooLarge, Unspeakable

Message = dict[str, Any]

LIMIT = 4096
"""Bytes of JSON that one app message may have (docs.daily.co, sendAppMessage). daily-python does not check it."""

DEEPEST = 100
"""Levels of nesting; daily-python drops what is deeper than about 128 without telling anybody (measured)."""

INFERENCE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")

SENSITIVITIES = ("superlow", "verylow", "low", "medium", "high", "auto")


def text_echo(conversation_id: str, text: str, inference_id: str) -> Message:
    """The replica says `text` (may hold `<emotion value="…"/>` tags). One message is one whole utterance."""
    properties = {"modality": "text", "text": text, "inference_id": inference_id, "done": True}
    return _interaction("conversation.echo", conversation_id, properties)


def audio_echo_chunk(conversation_id: str, pcm: bytes, sample_rate: int, inference_id: str, done: bool) -> Message:
    """One piece of PCM16LE mono, `sample_rate` in Hz; `done` once, on the last piece, or the replica waits for more."""
    properties = {
        "modality": "audio",
        # Slower than pybase64, and quicker in a process with many threads: it keeps the interpreter's lock.
        "audio": binascii.b2a_base64(pcm, newline=False).decode("ascii"),
        "sample_rate": sample_rate,
        "inference_id": inference_id,
        "done": done,
    }
    return _interaction("conversation.echo", conversation_id, properties)


def fitting_pcm(conversation_id: str, sample_rate: int, inference_id: str) -> int:
    """Bytes of PCM that fill one message of such an echo."""
    envelope = wire_size(audio_echo_chunk(conversation_id, b"", sample_rate, inference_id, False))
    return (LIMIT - envelope) // 4 * 3 // 2 * 2


def interrupt(conversation_id: str) -> Message:
    """The replica stops speaking. It has no properties, and nothing acknowledges it."""
    return _interaction("conversation.interrupt", conversation_id, None)


def respond(conversation_id: str, text: str) -> Message:
    """As if a participant had said `text`. Without effect on an echo persona, which has no language model."""
    return _interaction("conversation.respond", conversation_id, {"text": text})


def overwrite_context(conversation_id: str, context: str) -> Message:
    """Replaces the language model's context."""
    return _interaction("conversation.overwrite_llm_context", conversation_id, {"context": context})


def append_context(conversation_id: str, context: str, job_status: str | None = None) -> Message:
    """Adds to the language model's context; `job_status` is completed where this is what came of a job."""
    if job_status not in (None, "completed"):
        raise Refusal("job_status", "Is completed, or left out.")
    properties = {"context": context} | ({"job_status": job_status} if job_status else {})
    return _interaction("conversation.append_llm_context", conversation_id, properties)


def sensitivity(conversation_id: str, *, pause: str | None = None, interrupt: str | None = None) -> Message:
    """How easily a pause ends a turn and how easily the replica is interrupted: one or both. Raises `Refusal`."""
    given = {"participant_pause_sensitivity": pause, "participant_interrupt_sensitivity": interrupt}
    properties = {name: value for name, value in given.items() if value is not None}
    if not properties:
        raise Refusal("participant_pause_sensitivity", f"Give it, or participant_interrupt_sensitivity: {_choices()}.")
    for name, value in properties.items():
        if value not in SENSITIVITIES:
            raise Refusal(name, f"Is one of {_choices()}.")
    return _interaction("conversation.sensitivity", conversation_id, properties)


def tool_result(
    conversation_id: str, tool_call_id: str, output: object, status: str = "success", name: str | None = None
) -> Message:
    """The answer to a `conversation.tool_call`; `output` a text or an object, `name` the tool's. Raises `Refusal`."""
    if status not in ("success", "error"):
        raise Refusal("status", "Is success or error.")
    if not isinstance(output, str | dict):
        raise Refusal("output", "Is a text or an object.")
    properties = {"tool_call_id": tool_call_id, "output": output, "status": status}
    return _interaction("conversation.tool_result", conversation_id, properties | ({"name": name} if name else {}))


def confirm_objective(conversation_id: str, objective_name: str | None = None) -> Message:
    """An objective of the persona is reached. Tavus documents the event's name, and no fields."""
    properties = {"objective_name": objective_name} if objective_name else None
    return _interaction("conversation.objective.confirm", conversation_id, properties)


def raw(message: object, field: str = "message") -> Message:
    """Any JSON object that daily-python can carry, floats to 15 digits. Raises `Refusal`, `Unspeakable`, `TooLarge`."""
    if not isinstance(message, Mapping):
        raise Refusal(field, 'Is a JSON object, such as {"event_type": "conversation.interrupt"}.')
    _check_value(message, field, DEEPEST)
    size = wire_size(message)
    if size > LIMIT:
        raise TooLarge(field, f"Has {size:,} bytes as JSON; Daily carries {LIMIT:,} in a message. Shorten it.")
    return {key: _carried(value) for key, value in message.items()}


def _carried(value: Any) -> Any:
    """Floats as daily-python carries them: it alters the last place of some that have 16 or 17 digits (measured)."""
    if isinstance(value, float):
        return float(f"{value:.15g}")
    if isinstance(value, Mapping):
        return {key: _carried(inner) for key, inner in value.items()}
    return [_carried(inner) for inner in value] if isinstance(value, list | tuple) else value


def wire_size(message: object) -> int:
    """Bytes of `message` as daily-python writes it: compact JSON in UTF-8; only controls, `"` and `\\` are escaped."""
    return len(json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))


def check_inference_id(value: object, field: str = "inference_id") -> str:
    """The id that a client gave an echo: 1–128 of letters, digits and `._:-`. Raises `Refusal`."""
    if not isinstance(value, str) or not INFERENCE_ID.fullmatch(value):
        raise Refusal(field, "Is 1 to 128 characters of A-Z, a-z, 0-9, dot, underscore, colon and hyphen.")
    return value


def rewritten_id(inference_id: str) -> str:
    """The id under which Tavus reports an echo that was sent as `inference_id`: a UUID made of its MD5."""
    return str(uuid.UUID(hashlib.md5(inference_id.encode(), usedforsecurity=False).hexdigest()))


def _interaction(event_type: str, conversation_id: str, properties: Message | None) -> Message:
    message: Message = {
        "message_type": "conversation",
        "event_type": event_type,
        "conversation_id": conversation_id,
    }
    if properties is not None:
        message["properties"] = properties
    return message


def _choices() -> str:
    return ", ".join(SENSITIVITIES)


def _check_value(value: object, field: str, levels: int) -> None:
    """Refuses what the SDK would change, drop or raise at: depth, NaN, integers over 64 bit, lone surrogates."""
    if levels == 0:
        raise Unspeakable(field, f"Is nested deeper than {DEEPEST} levels, which Daily's SDK drops. Make it flatter.")
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _check_key(key, field)
            _check_value(inner, field, levels - 1)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check_value(inner, field, levels - 1)
    else:
        _check_scalar(value, field)


def _check_key(key: object, field: str) -> None:
    if not isinstance(key, str):
        raise Unspeakable(field, f"Has the key {key!r}, which is no text.")
    _check_scalar(key, field)


def _check_scalar(value: object, field: str) -> None:
    if isinstance(value, str):
        if any("\ud800" <= char <= "\udfff" for char in value):
            raise Unspeakable(field, "Holds half of a surrogate pair, which is no character. Send valid Unicode.")
    elif isinstance(value, float) and not math.isfinite(_carried(value)):  # the very largest are rounded up, out of it
        raise Unspeakable(field, "Holds NaN or an infinite number, which JSON does not have.")
    elif isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise Unspeakable(field, "Holds an integer of more than 64 bits. Send it as text.")
    elif value is not None and not isinstance(value, bool | int | float):
        raise Unspeakable(field, f"Holds a {type(value).__name__}, which JSON does not have.")
