"""Makes sense of any app message that comes in, whoever sent it and whatever is wrong with it. Never raises."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Literal

FAMILIES = ("echo", "speaking", "utterance", "presence", "tool", "context", "room", "other")
"""What an entry of the log is about: a closed list."""

Fact = Literal["started", "stopped", "utterance", "streaming", "present", "joined", "shutdown", "interrupt", "echo"]

LONGEST = 200
"""Characters that are kept of an id or a word; longer ones are cut."""

LONGEST_TYPE = 120

LONGEST_SPEECH = 20_000

_REPLICA_WORDS = ("replica", "pal", "face")
_SPEAKING_WORDS = ("started_speaking", "stopped_speaking")
_FAMILY_OF = {
    "echo": "echo",
    "interrupt": "echo",
    "utterance": "utterance",
    "utterance.streaming": "utterance",
    "tool_call": "tool",
    "tool_result": "tool",
    "perception_tool_call": "tool",
    "joined": "presence",
    "left": "presence",
    "respond": "context",
    "overwrite_llm_context": "context",
    "append_llm_context": "context",
    "sensitivity": "context",
    "perception_analysis": "context",
    "rag.observability": "context",
    "replica_interrupted": "speaking",
}
_FACTS: dict[str, Fact] = {
    "conversation.echo": "echo",
    "conversation.interrupt": "interrupt",
    "conversation.utterance": "utterance",
    "conversation.utterance.streaming": "streaming",
    "conversation.replica_interrupted": "stopped",
    "system.shutdown": "shutdown",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What one app message says. Each field is None where the message does not say it in a way that can be trusted.

    `role` is replica (also where the message says pal or face), user, or the word that was given.
    `duration` is in seconds. Both families of speaking events give the same `fact`.
    """

    event_type: str = ""
    family: str = "other"
    role: str | None = None
    inference_id: str | None = None
    seq: int | None = None
    fact: Fact | None = None
    interrupted: bool = False
    duration: float | None = None
    speech: str | None = None
    conversation_id: str | None = None

    @property
    def by_replica(self) -> bool:
        """Whether this is about the replica's own speaking, and so may belong to an echo."""
        return self.role == "replica"


def family(event_type: str) -> str:
    """The family of an event type, old and new names alike; `other` for what is not known."""
    kind, _, name = _plain(event_type).partition(".")
    if kind == "system":
        return "presence" if name.endswith(("_joined", "_present", "_left")) or name == "heartbeat" else "room"
    if kind == "room":
        return "room"
    if kind != "conversation":
        return "other"
    if name.endswith(_SPEAKING_WORDS):
        return "speaking"
    if name.startswith(("objective", "guardrail")):
        return "context"
    return _FAMILY_OF.get(name, "other")


def read(message: object) -> Reading:
    """Reads an app message: an object, or a text that holds one. What is no interaction gives an empty reading."""
    body = _object(message)
    event_type = _clean(body.get("event_type"), LONGEST_TYPE) or ""
    properties = _inner(body)
    fact = _fact(event_type)
    return Reading(
        event_type=event_type,
        family=family(event_type),
        role=_role(event_type, properties),
        inference_id=_short(body.get("inference_id")) or _short(properties.get("inference_id")),
        seq=_seq(body.get("seq")),
        fact=fact,
        interrupted=_interrupted(event_type, properties),
        duration=_duration(properties.get("duration")),
        speech=_clean(properties.get("speech"), LONGEST_SPEECH) if fact in ("utterance", "streaming") else None,
        conversation_id=_short(body.get("conversation_id")) or _short(properties.get("conversation_id")),
    )


def said(message: object) -> str | None:
    """The words of a message, for search: of a text echo, an utterance or a `respond`; None for all else.

    Streaming utterances give None: they repeat what the whole one says.
    """
    body = _object(message)
    name = _plain(_short(body.get("event_type")) or "")
    key = {"conversation.echo": "text", "conversation.respond": "text", "conversation.utterance": "speech"}.get(name)
    return _clean(_inner(body).get(key), LONGEST_SPEECH) if key else None


def _object(message: object) -> dict[Any, Any]:
    if isinstance(message, str | bytes):
        try:
            message = json.loads(message)
        except (ValueError, RecursionError):
            return {}
    return message if isinstance(message, dict) else {}


def _inner(body: dict[Any, Any]) -> dict[Any, Any]:
    properties = body.get("properties")
    return properties if isinstance(properties, dict) else {}


def _plain(event_type: str) -> str:
    return event_type.strip().lower().replace("-", "_")


def _fact(event_type: str) -> Fact | None:
    name = _plain(event_type)
    if name.startswith("conversation."):
        if name.endswith("started_speaking"):
            return "started"
        if name.endswith("stopped_speaking"):
            return "stopped"
    for word in _REPLICA_WORDS:
        if name == f"system.{word}_joined":
            return "joined"
        if name == f"system.{word}_present":
            return "present"
    return _FACTS.get(name)


def _role(event_type: str, properties: dict[Any, Any]) -> str | None:
    name = _plain(event_type)
    parts = name.split(".")
    word = parts[1] if len(parts) > 2 and parts[0] == "conversation" else None
    if word not in (*_REPLICA_WORDS, "user"):
        word = "replica" if name == "conversation.replica_interrupted" else _short(properties.get("role"))
    if word is None:
        return None
    word = word.strip().lower()
    return "replica" if word in _REPLICA_WORDS else word or None


def _interrupted(event_type: str, properties: dict[Any, Any]) -> bool:
    if _plain(event_type) == "conversation.replica_interrupted":
        return True
    given = (properties.get("interrupted"), properties.get("is_interrupted"))
    return any(value is True or value == "true" for value in given)


def _seq(value: object) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value < 2**63 else None  # type: ignore[operator,return-value]


def _duration(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        seconds = float(value)
    except OverflowError:
        return None
    return seconds if math.isfinite(seconds) and 0 <= seconds < 1e9 else None


def _short(value: object) -> str | None:
    return _clean(value, LONGEST)


def _clean(value: object, longest: int) -> str | None:
    """Text that every database takes: NUL and lone surrogates replaced. None for what is no text, or empty."""
    if not isinstance(value, str) or not value:
        return None
    cut = value[:longest]
    return cut.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
