"""What makes the log tamper-evident: one canonical form of JSON, and a chain of SHA-256 over it. Pure: no Django.

    leaf   = SHA-256(header ‖ body_sha256)
    digest = SHA-256(digest of the entry before ‖ leaf)         the first one's "before" is GENESIS

`body_sha256` is that of the message's canonical JSON as on the wire, audio samples included. Erasing a body keeps its
hash, so the chain still verifies.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import UUID

GENESIS = bytes(32)
_PIECE, _LONG = 2047, 65_536  # bytes

HEADER_COLUMNS = (
    "actor",
    "api_key_ref",
    "at",
    "body_bytes",
    "clip_bytes",
    "clip_start",
    "conversation_ref",
    "direction",
    "echo_id",
    "epoch",
    "event_type",
    "family",
    "inference_id",
    "is_error",
    "kind",
    "late",
    "n",
    "persona_ref",
    "request_id",
    "sender",
    "sender_name",
    "seq",
    "stream",  # the stream's public id, never its row's number
)


def instant(at: datetime) -> str:
    """A moment as the header has it: UTC, always with six digits of microseconds, ending in Z."""
    if at.tzinfo is not UTC:
        at = at.astimezone(UTC)
    return at.isoformat("T", "microseconds")[:26] + "Z"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, date | Decimal | UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON; log strings, numbers, lists and objects")


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain)


def _quick_encoder() -> Callable[[Any], str]:
    """What the encoder does, without making the C encoder anew for each message: that is a third of the time."""
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return _ENCODER.encode
    encode = make(None, _plain, json.encoder.encode_basestring_ascii, None, ":", ",", True, False, False)
    return lambda obj: "".join(encode(obj, 0))


_ENCODE = _quick_encoder()


def canonical(obj: Any) -> str:
    """`obj` as JSON in its one form: keys sorted, nothing between tokens, ASCII with \\u escapes.

    JSON has no NaN and no infinities, and Python reads no integer of over 4,300 digits: those become the strings
    "NaN", "Infinity", "-Infinity" and "0x…". Keys must be strings. Raises TypeError for what has no form in JSON, and
    RecursionError for what holds itself.
    """
    try:
        return _ENCODE(obj)
    except ValueError:
        return _ENCODE(_speakable(obj))


def _speakable(obj: Any) -> Any:
    if isinstance(obj, dict):
        return {key: _speakable(value) for key, value in obj.items()}
    if isinstance(obj, list | tuple):
        return [_speakable(value) for value in obj]
    if isinstance(obj, float) and not math.isfinite(obj):
        return "NaN" if math.isnan(obj) else "Infinity" if obj > 0 else "-Infinity"
    if isinstance(obj, int) and obj.bit_length() > 14_000:  # about 4,200 digits, where str() starts to refuse
        return hex(obj)
    return obj


def header(columns: Mapping[str, Any]) -> bytes:
    """The canonical JSON of exactly HEADER_COLUMNS; `at` is a string of instant(), the rest as stored."""
    return _ENCODE(columns).encode("ascii")


def text_digest(text: str) -> bytes:
    """SHA-256 of an ASCII text. In pieces for which hashlib keeps the interpreter's lock (docs.python.org/3/library/
    hashlib.html, 2047 bytes): getting it back takes a thread longer than the whole of a usual message."""
    data = memoryview(text.encode("ascii"))
    if len(data) > _LONG:
        return sha256(data).digest()
    made = sha256()
    for at in range(0, len(data), _PIECE):
        made.update(data[at : at + _PIECE])
    return made.digest()


def leaf(header: bytes, body_sha256: bytes) -> bytes:
    """32 bytes that stand for one entry."""
    return sha256(header + body_sha256).digest()


def digest(previous: bytes, leaf: bytes) -> bytes:
    """32 bytes that stand for the entry and all before it in its stream."""
    return sha256(previous + leaf).digest()
