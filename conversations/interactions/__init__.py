"""Tavus's interactions: the app messages that make a replica speak, and those that tell what it did. No Django here.

`build` writes them, `split` cuts a long text into messages, `sentences`
finds those of a text that comes bit by bit, `read` makes sense of what comes in.
Shapes: docs.tavus.io, Interactions Protocol and Event Schemas.
"""

from conversations.interactions.build import (
    INFERENCE_ID,
    LIMIT,
    append_context,
    audio_echo_chunk,
    check_inference_id,
    confirm_objective,
    fitting_pcm,
    interrupt,
    overwrite_context,
    raw,
    respond,
    rewritten_id,
    sensitivity,
    text_echo,
    tool_result,
    wire_size,
)
from conversations.interactions.read import FAMILIES, Reading, family, read, said
from conversations.interactions.sentences import Sentences
from conversations.interactions.split import (
    MAX_TEXT,
    check_piece,
    check_text,
    estimated_seconds,
    part_id,
    part_ids,
    split_text,
)

__all__ = [
    "FAMILIES",
    "INFERENCE_ID",
    "LIMIT",
    "MAX_TEXT",
    "Reading",
    "Sentences",
    "append_context",
    "audio_echo_chunk",
    "check_inference_id",
    "check_piece",
    "check_text",
    "confirm_objective",
    "estimated_seconds",
    "family",
    "fitting_pcm",
    "interrupt",
    "overwrite_context",
    "part_id",
    "part_ids",
    "raw",
    "read",
    "respond",
    "rewritten_id",
    "said",
    "sensitivity",
    "split_text",
    "text_echo",
    "tool_result",
    "wire_size",
]
