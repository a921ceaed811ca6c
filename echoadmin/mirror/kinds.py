"""What differs between the mirrored kinds, and what is said about each of them in the log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from echoadmin.actors import Actor
from echoadmin.log.models import Kind as EntryKind
from echoadmin.log.models import Stream
from echoadmin.log.writer import Draft
from echoadmin.mirror.models import Mirrored
from echoadmin.tavus.client import TavusClient
from echoadmin.tavus.errors import InvalidRequest, TavusError
from echoadmin.tavus.wire import redact, storable

Payload = dict[str, Any]


def _nothing(row: Mirrored, was: str, actor: Actor) -> list[Draft]:
    return []


@dataclass(frozen=True)
class MirroredKind:
    """How one kind of object is mirrored.

    name: `persona`, `replica` or `conversation`. take: puts an upstream row (old vocabulary) into the columns;
    `whole` tells a full object from a list's row. get: asks upstream for one. state_of: what `settled` compares
    before and after. settled: runs in the saving transaction, with what state_of said before, and returns entries to
    write. disposable: whether a row that a sync made holds nothing of our own, so that the row which asked for the
    object may take its place. bookkeeping: top-level fields that are upstream's own, and never differ. compared: told
    after each look, with the payload and the time of the look before.
    """

    name: str
    model: type[Mirrored]
    take: Callable[[Any, Payload], None]
    get: Callable[[TavusClient, str], Payload]
    state_of: Callable[[Any], str] = lambda row: ""
    settled: Callable[[Any, str, Actor], list[Draft]] = _nothing
    disposable: Callable[[Any], bool] = lambda row: not row.requested
    bookkeeping: frozenset[str] = frozenset(["created_at", "updated_at"])
    compared: Callable[[Any, Payload, datetime | None], None] = lambda row, before, looked_before: None

    @property
    def id_field(self) -> str:
        """Upstream's name for the id: `persona_id`."""
        return f"{self.name}_id"


class NotPossible(ValueError):
    """Refused here, before upstream was asked: the object isn't in a state for it. field names what to change."""

    code = "wrong_state"
    status = 409

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


def kept(row: Mirrored, payload: Payload, *, whole: bool) -> Payload:
    """What to keep as `payload`: masked, storable; a list's row adds to what a full look brought."""
    clean: Payload = storable(redact(payload))
    return clean if whole else {**row.payload, **clean}


def words(value: Any, length: int) -> str:
    """A column's text from whatever upstream put there."""
    return storable("" if value is None else str(value))[:length]


def instant(value: Any) -> datetime | None:
    """A time of upstream's (ISO 8601, any fraction), None when it is empty or none."""
    try:
        parsed = parse_datetime(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return parsed if parsed is None or parsed.tzinfo else parsed.replace(tzinfo=UTC)


def described(error: TavusError) -> Payload:
    """An upstream error as a row keeps it."""
    told: Payload = {
        "code": error.code,
        "message": error.message,
        "way_out": error.way_out,
        "status": error.status,
        "upstream": error.upstream,
    }
    if isinstance(error, InvalidRequest):
        told["fields"] = error.fields
    clean: Payload = storable(told)
    return clean


def noted(row: Mirrored, verb: str, actor: Actor, facts: Payload | None = None, *, is_error: bool = False) -> Draft:
    """An `operator` entry: who did what (`conversation.created`) to which object."""
    kind = str(row._meta.model_name)
    persona = row if kind == "persona" else getattr(row, "persona", None)
    return Draft(
        stream=row.public_id if kind == "conversation" else Stream.ACCOUNT,
        kind=EntryKind.OPERATOR,
        event_type=f"{kind}.{verb}",
        conversation_ref=row.public_id if kind == "conversation" else None,
        persona_ref=persona.public_id if persona else None,
        actor=actor.name,
        api_key_ref=actor.api_key_ref,
        request_id=actor.request_id,
        is_error=is_error,
        message={"id": row.public_id, f"{kind}_id": row.upstream_id, **redact(facts or {})},
    )


def about(row: Mirrored) -> dict[str, str | None]:
    """What the calls about this row are logged under (see `echoadmin.upstream.calling`)."""
    kind = row._meta.model_name
    if kind == "conversation":
        persona = getattr(row, "persona", None)
        return {"conversation": row.public_id, "persona": persona.public_id if persona else None}
    return {"persona": row.public_id} if kind == "persona" else {}


def account_entry(event_type: str, actor: Actor, facts: Payload, *, is_error: bool = False) -> Draft:
    """An `operator` entry about no single object."""
    return Draft(
        stream=Stream.ACCOUNT,
        kind=EntryKind.OPERATOR,
        event_type=event_type,
        actor=actor.name,
        api_key_ref=actor.api_key_ref,
        request_id=actor.request_id,
        is_error=is_error,
        message=facts,
    )
