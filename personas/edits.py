"""What was asked for of a persona, after an edit: so that a later look can tell whether upstream still has it so."""

from __future__ import annotations

from copy import deepcopy

import jsonpatch

from echoadmin.mirror.drift import at, put, settable, wanted
from echoadmin.mirror.kinds import Payload
from echoadmin.tavus.wire import redact, storable, to_wire_patch
from personas.models import Persona


def edited(row: Persona, operations: list[Payload]) -> Payload:
    """What was asked for, with what these operations (RFC 6902, either vocabulary) ask for. Secrets are masked.

    An operation that can't be followed here, because it is about what the mirror has not seen, asks for nothing that
    could be held against upstream later: it is left out.
    """
    asked: Payload = deepcopy(wanted(row))
    document = _overlaid(row.payload, asked)
    for operation in to_wire_patch(operations, "persona"):
        clean: Payload = storable(redact(operation))
        try:
            document = jsonpatch.apply_patch(document, [clean])
        except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError, KeyError):
            continue
        for pointer in _touched(clean):
            cut = settable(document, pointer)
            if cut:
                put(asked, cut, deepcopy(at(document, cut)))
    return asked


def _touched(operation: Payload) -> list[str]:
    if operation["op"] == "test":
        return []
    return [operation["path"], *([operation["from"]] if operation["op"] == "move" else [])]


def _overlaid(seen: Payload, asked: Payload) -> Payload:
    """What was seen, with what was asked for over it."""
    out = deepcopy(seen)
    for name, value in asked.items():
        old = out.get(name)
        out[name] = _overlaid(old, value) if isinstance(old, dict) and isinstance(value, dict) else deepcopy(value)
    return out
