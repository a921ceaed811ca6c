"""Masks secrets in what goes to or comes from upstream, before anything stores, logs or shows it.

What is a secret: docs.tavus.io, persona layers (`llm.api_key`, `llm.headers`, `llm.default_query`, `tts.api_key`,
`sts.api_key`), private rooms (`meeting_token`, `conversation_url?t=`), LiveKit (`livekit_room_token`), the token in a
`callback_url`, presigned addresses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

MASK = "[redacted]"
TOO_DEEP = "[too deep to show]"
_DEPTH = 100

_SECRET_WORD = re.compile(
    r"keys?|apikey|tokens?|secrets?|passwords?|passwd|passphrase|authori[sz]ation|credentials?|bearer|jwt|cookie|signature"
)
_HARMLESS_ENDINGS = frozenset(
    ["count", "counts", "limit", "type", "template", "budget", "usage", "length", "size", "name"]
)
_HARMLESS_KEYS = frozenset(
    ["s3_key", "object_key", "storage_key", "public_key", "primary_key", "sort_key", "stop_tokens"]
)
_ALL_VALUES_SECRET = frozenset(["headers", "default_query"])
_ADDRESSES = frozenset(["callback_url", "webhook_url"])
_LITERALS = frozenset(["default", "const", "example", "examples", "enum"])

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_PRESIGNED = re.compile(r"(?i)^(x-(amz|goog)-.*|awsaccesskeyid|googleaccessid|sig|policy|key-pair-id|t|auth|code)$")
_QUERY = re.compile(r"([?&#;]|%3F|%26)([A-Za-z0-9_.\-\[\]]+)=([^&#;\s\"'<>]+)")
_USER_INFO = re.compile(r"(://)[^/\s@?#]+@")
_OUR_WEBHOOK = re.compile(r"(/webhooks/tavus/)[^/?#\s\"']+")
_RANDOM_SEGMENT = re.compile(r"(?<=/)(?=[^/?#]*\d)(?=[^/?#]*[A-Za-z])[A-Za-z0-9_\-]{20,}(?=[/?#]|$)")
_TOKENS = re.compile(
    r"\beyJ[\w\-]{8,}\.[\w\-]+(?:\.[\w\-]*)?|\b(?:tvsk|sk|xi)[-_][A-Za-z0-9_\-]{16,}|(?<=Bearer )[^\s\"',]+"
)


def is_secret_key(key: str) -> bool:
    """Whether a value under this name is a secret: `api_key`, `meetingToken`, `x-api-key`; not `token_count` or
    `s3_key`.
    """
    words = [word.lower() for word in _WORDS.findall(key)]
    if not words or key.lower().replace("-", "_") in _HARMLESS_KEYS or words[-1] in _HARMLESS_ENDINGS:
        return False
    return any(_SECRET_WORD.fullmatch(word) for word in words)


def redact(value: Any, secrets: Iterable[str] = ()) -> Any:
    """A copy of `value` (parsed JSON, or a text) with every secret masked as `[redacted]`.

    Empty secrets stay empty, so that "no key set" can be told from "a key is set". secrets: texts to mask wherever
    they stand. Masking twice changes nothing. A JSON Patch is understood: the value of an operation on a secret path
    is masked.
    """
    return _Redactor(tuple(secret for secret in secrets if len(secret) >= 4)).walk(value, 0)


def holds_mask(value: Any) -> str | None:
    """The path (`layers.llm.api_key`) of the first masked value in `value`, None if there is none: a mask must never
    be sent upstream.
    """
    if isinstance(value, str):
        return "" if MASK in value or re.fullmatch(r"\*{6,}", value) else None
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found = holds_mask(item)
        if found is not None:
            return f"{key}.{found}".rstrip(".")
    return None


class _Redactor:
    def __init__(self, secrets: tuple[str, ...]) -> None:
        self.secrets = secrets

    def walk(self, value: Any, depth: int, *, schema: bool = False) -> Any:
        if depth > _DEPTH:
            return TOO_DEEP
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.walk(item, depth + 1, schema=schema) for item in value]
        if isinstance(value, dict):
            if "op" in value and isinstance(value.get("path"), str):
                value = self.operation(value)
            return {key: self.member(key, item, depth + 1, schema) for key, item in value.items()}
        return value

    def member(self, key: str, value: Any, depth: int, schema: bool) -> Any:
        if schema and isinstance(value, dict):  # a tool's parameter may be called "token": its description is no secret
            return self.walk(_mask_literals(value) if is_secret_key(key) else value, depth, schema=True)
        if is_secret_key(key):
            return _masked(value)
        if key.lower() in _ALL_VALUES_SECRET:
            return {name: _masked(item) for name, item in value.items()} if isinstance(value, dict) else _masked(value)
        if key in _ADDRESSES and isinstance(value, str):
            return self.address(value)
        starts_schema = key == "parameters" and isinstance(value, dict) and "properties" in value
        return self.walk(value, depth, schema=schema or starts_schema)

    def operation(self, operation: dict[str, Any]) -> dict[str, Any]:
        """One JSON Patch operation: its value belongs to the last name of its path."""
        names = operation["path"].split("/")
        if "value" not in operation:
            return operation
        secret = any(is_secret_key(name) for name in names) or not _ALL_VALUES_SECRET.isdisjoint(names[:-1])
        if secret:
            return {**operation, "value": _masked(operation["value"])}
        held = self.member(names[-1], operation["value"], 0, False)
        return {**operation, "value": held}

    def address(self, value: str) -> str:
        """A callback address: a query may hold anything but our own `ref`, a path a random segment."""
        masked = self.text(value)
        masked = _QUERY.sub(lambda m: m[0] if m[2] == "ref" else f"{m[1]}{m[2]}={MASK}", masked)
        path_start = masked.find("://") + 3
        return masked[:path_start] + _RANDOM_SEGMENT.sub(MASK, masked[path_start:])

    def text(self, value: str) -> str:
        for secret in self.secrets:
            value = value.replace(secret, MASK)
        value = _TOKENS.sub(MASK, value)
        if "/" not in value and "?" not in value and "&" not in value:
            return value
        value = _QUERY.sub(
            lambda m: f"{m[1]}{m[2]}={MASK}" if _PRESIGNED.match(m[2]) or is_secret_key(m[2]) else m[0], value
        )
        return _OUR_WEBHOOK.sub(rf"\1{MASK}", _USER_INFO.sub(rf"\1{MASK}@", value))


def _masked(value: Any) -> Any:
    """Numbers, booleans and emptiness tell nothing: `has_api_key: true` and `max_tokens: 200` stay."""
    return MASK if isinstance(value, str | dict | list) and value else value


def _mask_literals(parameter: dict[str, Any]) -> dict[str, Any]:
    return {key: _masked(value) if key in _LITERALS else value for key, value in parameter.items()}
