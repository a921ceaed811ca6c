"""Every interaction that can be sent: what it does, its fields, and whether it has effect in echo mode. Pure data.

Shapes: docs.tavus.io, Interactions Protocol. An echo is not among them: echoes have a way of their own, in which they
are paced, followed and kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from conversations.interactions import build as builders
from conversations.interactions.build import LIMIT, SENSITIVITIES, Message
from conversations.refusals import Empty, Refusal

TEXT, LONG, CHOICE, TEXT_OR_JSON = KINDS = ("text", "long", "choice", "text_or_json")
LONGEST_NAME = 200  # characters of an id or a name


@dataclass(frozen=True, slots=True)
class Field:
    """One property. `kind`: text, long (several lines), choice (one of `choices`), text_or_json (an object, where it
    is one); `longest`: characters, None where only the message's size counts."""

    name: str
    label: str
    help: str
    kind: str = TEXT
    required: bool = False
    choices: tuple[str, ...] = ()
    longest: int | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """One interaction. `in_echo_mode`: whether a persona in echo mode does anything with it; `echo_words` says what."""

    event_type: str
    title: str
    about: str
    in_echo_mode: bool
    echo_words: str
    fields: tuple[Field, ...] = field(default=())


_NO_MODEL = "No effect in echo mode: there is no language model that reads it."
_SENSITIVITY = "superlow waits longest, high shortest; auto leaves it to Tavus. Left open: as it is."
_CONTEXT = "What the language model is told, as plain text."

CATALOGUE: tuple[Offer, ...] = (
    Offer(
        "conversation.interrupt",
        "Interrupt",
        "Stops what the replica says. Nothing acknowledges it. Lines in the queue stay, and the next one follows; the "
        "button Interrupt cancels those too.",
        True,
        "Works in echo mode.",
    ),
    Offer(
        "conversation.respond",
        "Respond",
        "As if somebody in the room had said this: the language model answers.",
        False,
        _NO_MODEL,
        (Field("text", "Text", "What was said.", LONG, required=True),),
    ),
    Offer(
        "conversation.overwrite_llm_context",
        "Overwrite the context",
        "Replaces what the language model knows of this conversation.",
        False,
        _NO_MODEL,
        (Field("context", "Context", _CONTEXT, LONG, required=True),),
    ),
    Offer(
        "conversation.append_llm_context",
        "Append to the context",
        "Adds to what the language model knows of this conversation.",
        False,
        _NO_MODEL,
        (
            Field("context", "Context", _CONTEXT, LONG, required=True),
            Field(
                "job_status",
                "Job status",
                "completed, where this is the outcome of a job that the model waits for. Left open otherwise.",
                CHOICE,
                choices=("completed",),
            ),
        ),
    ),
    Offer(
        "conversation.sensitivity",
        "Sensitivity",
        "How soon a pause ends somebody's turn, and how easily they interrupt the replica. One of the two, or both.",
        False,
        "No effect in echo mode: the replica listens to nobody.",
        (
            Field("participant_pause_sensitivity", "To pauses", _SENSITIVITY, CHOICE, choices=SENSITIVITIES),
            Field("participant_interrupt_sensitivity", "To interruptions", _SENSITIVITY, CHOICE, choices=SENSITIVITIES),
        ),
    ),
    Offer(
        "conversation.tool_result",
        "Tool result",
        "Answers a conversation.tool_call.",
        False,
        "No effect in echo mode: no language model calls tools.",
        (
            Field(
                "tool_call_id", "Id of the call", "As tool_call_id in the call.", required=True, longest=LONGEST_NAME
            ),
            Field("output", "Output", "A text, or a JSON object in braces.", TEXT_OR_JSON, required=True),
            Field("status", "Status", "success, where it is left open.", CHOICE, choices=("success", "error")),
            Field("name", "Name of the tool", "Tavus's command line adds it. May be left open.", longest=LONGEST_NAME),
        ),
    ),
    Offer(
        "conversation.objective.confirm",
        "Confirm an objective",
        "Tells that an objective of the persona is reached. Tavus documents the name of this event, not its fields.",
        False,
        "No effect in echo mode: objectives need a language model.",
        (Field("objective_name", "Objective", "Its name, as in the objective's callback.", longest=LONGEST_NAME),),
    ),
)
_OFFERS = {offer.event_type: offer for offer in CATALOGUE}


def catalogue() -> list[dict[str, Any]]:
    """As JSON."""
    return json.loads(json.dumps([asdict(offer) for offer in CATALOGUE]))


def built(event_type: str, conversation_id: str, given: Mapping[str, Any]) -> Message:
    """The message of an interaction whose fields were filled in; an empty one was left open. Raises Refusal."""
    offer = _OFFERS.get(event_type)
    if offer is None:
        raise Refusal("event_type", f"Is one of {', '.join(_OFFERS)}.")
    if strangers := sorted(set(given) - {one.name for one in offer.fields}):
        raise Refusal(strangers[0], f"{event_type} has no such field.")
    values = {one.name: value for one in offer.fields if (value := _value(one, given.get(one.name))) is not None}
    return builders.raw(_build(event_type, conversation_id, values))


def _value(one: Field, value: Any) -> Any:
    if value is None or (isinstance(value, str) and not value.strip()):
        if one.required:
            raise Empty(one.name, f"{one.label}: fill it in.")
        return None
    if one.kind == TEXT_OR_JSON:
        return _text_or_object(one, value)
    if not isinstance(value, str):
        raise Refusal(one.name, "Is a text.")
    if one.choices and value not in one.choices:
        raise Refusal(one.name, f"Is one of {', '.join(one.choices)}.")
    if one.longest is not None and len(value) > one.longest:
        raise Refusal(one.name, f"Has {len(value):,} characters; it may have {one.longest:,}.")
    return value


def _text_or_object(one: Field, value: Any) -> Any:
    if not isinstance(value, str) or not value.lstrip().startswith("{"):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        words = f"Begins as a JSON object and is none: {error.msg} in line {error.lineno}, column {error.colno}."
        raise Refusal(one.name, words) from None
    except RecursionError:
        raise Refusal(one.name, "This JSON is nested too deeply.") from None


def _build(event_type: str, conversation_id: str, values: dict[str, Any]) -> Message:
    match event_type:
        case "conversation.interrupt":
            return builders.interrupt(conversation_id)
        case "conversation.respond":
            return builders.respond(conversation_id, **values)
        case "conversation.overwrite_llm_context":
            return builders.overwrite_context(conversation_id, **values)
        case "conversation.append_llm_context":
            return builders.append_context(conversation_id, **values)
        case "conversation.sensitivity":
            pause, interrupt = (values.get(f"participant_{name}_sensitivity") for name in ("pause", "interrupt"))
            return builders.sensitivity(conversation_id, pause=pause, interrupt=interrupt)
        case "conversation.tool_result":
            return builders.tool_result(conversation_id, **values)
        case _:
            return builders.confirm_objective(conversation_id, **values)


__all__ = ["CATALOGUE", "KINDS", "LIMIT", "Field", "Offer", "built", "catalogue"]
