"""Units as records of a spool: JSON that gives the same drafts back, to whichever process reads it."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import MISSING, dataclass, fields
from datetime import datetime
from typing import Any

from echoadmin.log.chain import canonical
from echoadmin.log.writer.drafts import Draft

_USUAL = {field.name: None if field.default is MISSING else field.default for field in fields(Draft)}


@dataclass(frozen=True, slots=True)
class Record:
    """What was read back. `transaction`: one that broke in its COMMIT, and may have stored the drafts nevertheless."""

    drafts: list[Draft]
    transaction: int | None


def encode(drafts: Iterable[Draft], transaction: int | None = None) -> bytes:
    """The log's own form of JSON: a message is hashed the same afterwards. Raises what `prepare` raises."""
    record: dict[str, Any] = {"drafts": [_columns(draft) for draft in drafts]}
    if transaction is not None:
        record["transaction"] = transaction
    return canonical(record).encode("ascii")


def decode(payload: bytes) -> Record:
    """The same again. Raises ValueError for what `encode` did not write."""
    try:
        record = json.loads(payload)
        return Record([_draft(columns) for columns in record["drafts"]], record.get("transaction"))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no record of a spool: {error}") from error


def _columns(draft: Draft) -> dict[str, Any]:
    columns = {name: value for name in _USUAL if (value := getattr(draft, name)) != _USUAL[name]}
    if draft.samples is not None:
        columns["samples"] = b64encode(draft.samples).decode("ascii")
    return columns


def _draft(columns: dict[str, Any]) -> Draft:
    draft = Draft(**columns)
    draft.at = datetime.fromisoformat(columns["at"])
    draft.samples = None if draft.samples is None else b64decode(columns["samples"])
    draft.clip = None if draft.clip is None else tuple(columns["clip"])
    return draft
