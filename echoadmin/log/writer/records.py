"""Units as records of a spool: JSON that gives the same drafts back, to whichever process reads it."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import MISSING, dataclass, fields
from datetime import datetime
from typing import Any, NamedTuple

from echoadmin.log.chain import canonical
from echoadmin.log.writer.drafts import Draft

_USUAL = {field.name: None if field.default is MISSING else field.default for field in fields(Draft)}


class Transaction(NamedTuple):
    """One that broke in its COMMIT. PostgreSQL forgets the number of one that a crash undid, and gives it to another;
    so the last of its entries has to be there too: number `n` of `stream`, with this digest."""

    number: int
    stream: str | None = None
    n: int | None = None
    digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """What was read back. `transaction`: one that broke in its COMMIT, and may have stored the drafts nevertheless."""

    drafts: list[Draft]
    transaction: Transaction | None


def encode(drafts: Iterable[Draft], transaction: Transaction | None = None) -> bytes:
    """The log's own form of JSON: a message is hashed the same afterwards. Raises what `prepare` raises."""
    record: dict[str, Any] = {"drafts": [_columns(draft) for draft in drafts]}
    if transaction is not None:
        digest = transaction.digest and transaction.digest.hex()
        record["transaction"] = [transaction.number, transaction.stream, transaction.n, digest]
    return canonical(record).encode("ascii")


def decode(payload: bytes) -> Record:
    """The same again. Raises ValueError for what `encode` did not write."""
    try:
        record = json.loads(payload)
        return Record([_draft(columns) for columns in record["drafts"]], _transaction(record.get("transaction")))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no record of a spool: {error}") from error


def _transaction(found: Any) -> Transaction | None:
    if found is None or isinstance(found, int):  # a number alone: by an earlier version
        return None if found is None else Transaction(found)
    number, stream, n, digest = found
    return Transaction(number, stream, n, digest and bytes.fromhex(digest))


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
