"""Reads what upstream answered: the bodies, and the errors that they tell.

Upstream's error bodies are `{"error": str}`, `{"message": str}` or `{"detail": str}`; a validation failure holds a
Python dict as text: `{"error": "Bad Request. {'default_face_id': ['… is required']}"}` (docs.tavus.io's OpenAPI, and
live answers).
"""

from __future__ import annotations

import ast
import email.utils
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from echoadmin.tavus.errors import (
    AnswerLost,
    BadReply,
    ConcurrencyReached,
    Conflict,
    InvalidRequest,
    NotFound,
    OutOfCredits,
    RateLimited,
    TavusError,
    Unauthorised,
    Unavailable,
)
from echoadmin.tavus.redaction import redact
from echoadmin.tavus.wire import to_old

_CONCURRENCY = re.compile(r"(?i)maximum concurrent conversations")
_CREDITS = re.compile(r"(?i)out of (conversational )?credits")
_INVALID_ID = re.compile(r"(?i)\binvalid (persona|pal|replica|face|conversation)_(id|uuid)\b")
_HTML = re.compile(r"(?i)\s*(<!doctype|<html|<head|<body|<\?xml)")
_FAMILY = {
    "persona": "persona",
    "pal": "persona",
    "replica": "replica",
    "face": "replica",
    "conversation": "conversation",
}
_REJECTED = frozenset({400, 405, 406, 411, 413, 414, 415, 422, 431})


_TOLD_BY_STATUS: dict[int, type[TavusError]] = {
    401: Unauthorised,
    402: OutOfCredits,
    403: Unauthorised,
    409: Conflict,
    429: RateLimited,
}
_INTRO: dict[type[TavusError], str] = {
    Unauthorised: "Tavus doesn't accept the key: ",
    OutOfCredits: "No credits left: ",
    ConcurrencyReached: "All slots are taken: ",
    NotFound: "Tavus has no such object: ",
    Conflict: "Something else changed it in the meantime: ",
    RateLimited: "Too many requests: ",
    Unavailable: "Tavus could not answer: ",
    AnswerLost: "Tavus failed, and nobody knows whether it did it: ",
    BadReply: "Tavus gave an answer that this console doesn't know: ",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One call as its answer must be read: `addresses` is the kind of object that the path names, None for a
    collection.
    """

    method: str
    path: str
    addresses: str | None = None

    @property
    def is_read(self) -> bool:
        return self.method == "GET"

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Reply:
    """One whole answer. headers: names in lower case. body: the raw bytes. too_large: the body was cut off at the
    size limit.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    too_large: bool = False
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @property
    def words(self) -> str:
        """Upstream's raw words, redacted."""
        return str(redact(self.text[:8192], self.secrets))


class NotJson(ValueError):
    """The body is no JSON that this console can hold."""


def parse(body: bytes) -> Any:
    """The parsed JSON, None for an empty body. Raises NotJson for all else, NaN and absurd nesting among it."""
    if not body.strip():
        return None
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error)) from error


def read(call: Call, reply: Reply) -> Any:
    """The parsed body of a success (None when empty); raises the TavusError that the answer tells."""
    if reply.status == 304 and call.method == "PATCH":
        return None
    if 300 <= reply.status < 400:
        raise _redirected(call, reply)
    if reply.too_large:
        raise unusable(call, reply, "is larger than this console reads")
    if reply.status >= 400:
        raise _error(call, reply)
    try:
        return parse(reply.body)
    except NotJson as error:
        raise unusable(call, reply, _not_json(reply)) from error


def unusable(call: Call, reply: Reply, why: str) -> TavusError:
    """The error for an answer that came and can't be used: for a write nobody knows then what happened."""
    message = f"The answer to {call} (HTTP {reply.status}) {why}."
    if call.is_read or 400 <= reply.status < 500:
        return BadReply(message, status=reply.status, upstream=reply.words)
    return AnswerLost(message, status=reply.status, upstream=reply.words)


def _not_json(reply: Reply) -> str:
    return "is a web page, not JSON" if _HTML.match(reply.text) else "is not JSON"


def _redirected(call: Call, reply: Reply) -> BadReply:
    done = not call.is_read and reply.status in (302, 303)  # these may follow a deed; 301, 307, 308 mean: not here
    return BadReply(
        f"The answer to {call} is a redirect (HTTP {reply.status}); with a key in hand none is followed.",
        status=reply.status,
        upstream=redact(reply.headers.get("location", ""), reply.secrets),
        way_out="Set TAVUS_API_URL to Tavus's own address (https://tavusapi.com); no proxy may answer in its place.",
        may_have_happened=done,
    )


def _error(call: Call, reply: Reply) -> TavusError:
    try:
        body = parse(reply.body)
    except NotJson:
        if reply.status < 500 and reply.status not in _TOLD_BY_STATUS:
            return unusable(call, reply, _not_json(reply))
        body = None
    told = str(redact(_message(body), reply.secrets)) or f"HTTP {reply.status} without a word"
    kind = _kind(call, reply.status, told)
    if kind is InvalidRequest:
        return InvalidRequest(
            f"Tavus refused {call}: {told}", fields=_fields(told, body), status=reply.status, upstream=reply.words
        )
    if kind is Conflict:
        maker = isinstance(body, dict) and body.get("conflict") == "maker_changes"
        return Conflict(_INTRO[kind] + told, maker_changes=maker, status=reply.status, upstream=reply.words)
    if kind is RateLimited:
        wait = retry_after(reply.headers)
        return RateLimited(_INTRO[kind] + told, retry_after=wait, status=reply.status, upstream=reply.words)
    return kind(_INTRO[kind] + told, status=reply.status, upstream=reply.words)


def _kind(call: Call, status: int, told: str) -> type[TavusError]:
    """Which error a status and upstream's words mean together."""
    if status in (400, 403, 429) and _CONCURRENCY.search(told):
        return ConcurrencyReached
    if status in (400, 403) and _CREDITS.search(told):
        return OutOfCredits
    if _says_not_found(call, status, told):
        return NotFound
    if status >= 500 or status == 408:
        return Unavailable if call.is_read else AnswerLost
    return _TOLD_BY_STATUS.get(status, InvalidRequest if status in _REJECTED else BadReply)


def _says_not_found(call: Call, status: int, told: str) -> bool:
    """404 about an object; or the 400 that names an invalid id of the very kind that the path addresses."""
    if call.addresses is None:
        return False
    match = _INVALID_ID.search(told)
    return status in (404, 410) or (status == 400 and match is not None and _FAMILY[match[1].lower()] == call.addresses)


def _message(body: Any) -> str:
    if isinstance(body, str):
        return body
    if not isinstance(body, dict):
        return ""
    for key in ("error", "message", "detail"):
        value = body.get(key)
        if value:
            return value if isinstance(value, str) else json.dumps(value)
    return ""


def _fields(told: str, body: Any) -> dict[str, list[str]]:
    """Field → complaints, in the old words: from the dict in the text, or the object under `error` or `errors`."""
    found = _literal_dict(told)
    for key in ("errors", "error", "detail", "message"):
        if not found and isinstance(body, dict) and isinstance(body.get(key), dict):
            found = body[key]
    if not found and (match := _INVALID_ID.search(told)):
        found = {f"{match[1].lower()}_id": [match[0]]}
    return {str(name): _complaints(value) for name, value in to_old(found).items()}


def _literal_dict(told: str) -> dict[str, Any]:
    start, end = told.find("{"), told.rfind("}")
    if start < 0 or end < start or end - start > 20_000:
        return {}
    try:
        value = ast.literal_eval(told[start : end + 1])
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return {}
    return value if isinstance(value, dict) and all(isinstance(key, str) for key in value) else {}


def _complaints(value: Any) -> list[str]:
    if isinstance(value, list):
        return [item if isinstance(item, str) else json.dumps(item, default=str) for item in value]
    return [value if isinstance(value, str) else json.dumps(value, default=str)]


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from a Retry-After header (a number or an HTTP date), never below 0; None if absent or unreadable."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", value):
        return float(value)
    parsed = email.utils.parsedate_tz(value) if value else None
    return max(0.0, email.utils.mktime_tz(parsed) - time.time()) if parsed else None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
