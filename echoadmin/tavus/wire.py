"""The two vocabularies of the Tavus API, and what must be done to what goes over the wire.

Since mid-2026 Tavus calls a persona a PAL and a replica a Face; paths and fields exist in both forms, with the same
values, and rows come back in either (docs.tavus.io, PAL overview and changelog). This console speaks the old words,
reads both, and writes the configured ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

from echoadmin.tavus.errors import InvalidRequest
from echoadmin.tavus.redaction import MASK, holds_mask, is_secret_key, redact

__all__ = [
    "MASK",
    "Vocabulary",
    "holds_mask",
    "is_secret_key",
    "path_of",
    "redact",
    "storable",
    "to_old",
    "to_wire",
    "to_wire_patch",
]

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
Vocabulary = Literal["persona", "pal"]

_NEW_TO_OLD = {
    "pal_id": "persona_id",
    "pal_name": "persona_name",
    "pal_type": "persona_type",
    "default_face_id": "default_replica_id",
    "face_id": "replica_id",
    "face_name": "replica_name",
    "face_type": "replica_type",
    "face_ids": "replica_ids",
}
_OLD_TO_NEW = {old: new for new, old in _NEW_TO_OLD.items()}
_FLOW_TO_OLD = {"pal_interruptibility": "replica_interruptibility", "face_interruptibility": "replica_interruptibility"}
_FLOW_TO_NEW = {"replica_interruptibility": "pal_interruptibility", "face_interruptibility": "pal_interruptibility"}
_PATHS = {
    "persona": {"persona": "/v2/personas", "replica": "/v2/replicas", "conversation": "/v2/conversations"},
    "pal": {"persona": "/v2/pals", "replica": "/v2/faces", "conversation": "/v2/conversations"},
}


def path_of(kind: str, vocabulary: Vocabulary) -> str:
    """The collection's path: kind is `persona`, `replica` or `conversation`."""
    return _PATHS[vocabulary][kind]


def to_old(row: dict[str, Any]) -> dict[str, Any]:
    """A row of either vocabulary, or a mix, in the old words; fields that it doesn't know are kept as they are.

    Where a row has both names of one thing, the one that holds something wins.
    """
    return _deep(row, _NEW_TO_OLD, _FLOW_TO_OLD, strict=False)


def to_wire(body: dict[str, Any], vocabulary: Vocabulary) -> dict[str, Any]:
    """A request body of either vocabulary in the configured one, never both.

    Raises InvalidRequest when it names one thing twice with different values, or holds a mask of this console's.
    """
    refuse_masks(body)
    if vocabulary == "persona":
        return _deep(body, _NEW_TO_OLD, _FLOW_TO_OLD, strict=True)
    return _deep(body, _OLD_TO_NEW, _FLOW_TO_NEW, strict=True)


def to_wire_patch(operations: list[dict[str, Any]], vocabulary: Vocabulary) -> list[dict[str, Any]]:
    """A JSON Patch (RFC 6902) with its paths and values in the configured vocabulary; raises as `to_wire` does."""
    if not isinstance(operations, list) or not all(_is_operation(operation) for operation in operations):
        message = "A change must be a JSON Patch: a list of operations, each with op and path."
        raise InvalidRequest(message, fields={"patch": ["is not a JSON Patch (RFC 6902)"]})
    refuse_masks(operations)
    names, flow = (_NEW_TO_OLD, _FLOW_TO_OLD) if vocabulary == "persona" else (_OLD_TO_NEW, _FLOW_TO_NEW)
    return [_patch_operation(operation, names, flow) for operation in operations]


def _is_operation(operation: Any) -> bool:
    return (
        isinstance(operation, dict) and isinstance(operation.get("op"), str) and isinstance(operation.get("path"), str)
    )


def refuse_masks(body: Any) -> None:
    """Raises InvalidRequest when a masked secret would be sent upstream, where it would replace the real one."""
    where = holds_mask(body)
    if where is not None:
        raise InvalidRequest(
            f"{where or 'The value'} holds a masked secret; sending it would replace the real one.",
            fields={where or "body": ["holds a masked secret: give the real value, or leave the field out"]},
        )


def storable(value: Any) -> Any:
    """A copy that every database takes as JSON: NUL and lone surrogates become U+FFFD."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, list):
        return [storable(item) for item in value]
    if isinstance(value, dict):
        return {storable(key): storable(item) for key, item in value.items()}
    return value


def _deep(row: dict[str, Any], names: dict[str, str], flow: dict[str, str], *, strict: bool) -> dict[str, Any]:
    out = _renamed(row, names, strict=strict)
    if isinstance(out.get("layers"), dict):
        out["layers"] = _layers(out["layers"], flow, strict=strict)
    return out


def _layers(layers: dict[str, Any], flow: dict[str, str], *, strict: bool) -> dict[str, Any]:
    held = layers.get("conversational_flow")
    return {**layers, "conversational_flow": _renamed(held, flow, strict=strict)} if isinstance(held, dict) else layers


def _renamed(row: dict[str, Any], names: dict[str, str], *, strict: bool) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in row.items():
        name = names.get(key, key)
        if name in out and out[name] != value and strict:
            raise InvalidRequest(
                f"{name} is given twice, under both its names, with different values.",
                fields={name: [f"given twice with different values ({key} is the same field): keep one"]},
            )
        if not out.get(name):
            out[name] = value
    return out


def _patch_operation(operation: dict[str, Any], names: dict[str, str], flow: dict[str, str]) -> dict[str, Any]:
    out = {**operation, "path": _pointer(operation["path"], names, flow)}
    if isinstance(operation.get("from"), str):
        out["from"] = _pointer(operation["from"], names, flow)
    value = operation.get("value")
    if isinstance(value, dict):
        inside: dict[str, Callable[[], dict[str, Any]]] = {
            "": lambda: _deep(value, names, flow, strict=True),
            "/layers": lambda: _layers(value, flow, strict=True),
            "/layers/conversational_flow": lambda: _renamed(value, flow, strict=True),
        }
        out["value"] = inside.get(operation["path"], lambda: value)()
    return out


def _pointer(pointer: str, names: dict[str, str], flow: dict[str, str]) -> str:
    parts = pointer.split("/")
    if len(parts) == 2:
        parts[1] = names.get(parts[1], parts[1])
    elif len(parts) == 4 and parts[1:3] == ["layers", "conversational_flow"]:
        parts[3] = flow.get(parts[3], parts[3])
    return "/".join(parts)
