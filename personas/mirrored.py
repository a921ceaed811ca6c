"""How upstream's personas and replicas become rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from echoadmin.actors import Actor
from echoadmin.log.writer import Draft
from echoadmin.mirror.drift import noticed
from echoadmin.mirror.kinds import MirroredKind, NotPossible, Payload, instant, noted, words
from echoadmin.mirror.models import MirrorState
from echoadmin.tavus.client import TavusClient
from echoadmin.tavus.errors import InvalidRequest
from personas.models import Persona, Replica


def take_persona(row: Persona, payload: Payload) -> None:
    """The columns of a persona; what a list's row leaves out stays as it was, or as it was asked for."""
    row.name = words(payload.get("persona_name") or row.name, 300)
    mode = payload.get("pipeline_mode") or row.pipeline_mode or row.requested.get("pipeline_mode")
    row.pipeline_mode = words(mode, 40)
    row.persona_type = words(payload.get("persona_type") or row.persona_type or "user", 16)
    row.default_replica_id = words(payload.get("default_replica_id", row.default_replica_id), 128)
    row.upstream_created_at = instant(payload.get("created_at")) or row.upstream_created_at


def take_replica(row: Replica, payload: Payload) -> None:
    """The columns of a replica."""
    row.name = words(payload.get("replica_name") or row.name, 300)
    row.status = words(payload.get("status") or row.status, 40)
    row.replica_type = words(payload.get("replica_type") or row.replica_type, 16)
    row.model_name = words(payload.get("model_name") or row.model_name, 80)
    row.training_progress = words(payload.get("training_progress") or row.training_progress, 40)
    row.thumbnail_url = words(payload.get("thumbnail_video_url") or payload.get("thumbnail_image_url"), 4000)
    row.upstream_created_at = instant(payload.get("created_at")) or row.upstream_created_at


def _get_persona(client: TavusClient, persona_id: str) -> Payload:
    """A full look always settles the mode: upstream's default is `full` (docs.tavus.io, OpenAPI)."""
    payload = client.get_persona(persona_id)
    return payload if payload.get("pipeline_mode") else {**payload, "pipeline_mode": "full"}


def note_drift(row: Persona, before: Payload, looked_before: datetime | None) -> None:
    """Every look, and every sync, notes where upstream differs from what was asked for here."""
    row.drift = noticed(PERSONA, row, before, looked_before)


def tell_drift(row: Persona, was: str, actor: Actor) -> list[Draft]:
    """An entry for fields that were not noticed before."""
    fresh = sorted(set(row.drift or {}) - set(was.split("\n")))
    return [noted(row, "differs", actor, {"fields": fresh})] if fresh else []


PERSONA = MirroredKind(
    name="persona",
    model=Persona,
    take=take_persona,
    get=_get_persona,
    state_of=lambda row: "\n".join(row.drift or {}),
    settled=tell_drift,
    bookkeeping=frozenset(["persona_id", "persona_type", "created_at", "updated_at"]),
    compared=note_drift,
)
REPLICA = MirroredKind(
    name="replica",
    model=Replica,
    take=take_replica,
    get=lambda client, replica_id: client.get_replica(replica_id),
    bookkeeping=frozenset(
        ["replica_id", "replica_type", "created_at", "updated_at", "thumbnail_video_url", "thumbnail_image_url"]
    ),
)


def upstream_id_for(kind: MirroredKind, field: str, given: Any) -> Any:
    """Upstream's id for an id that a caller gave; our own ids (`pe_…`, `re_…`) are translated, all else is forwarded.

    Raises InvalidRequest for one of ours that isn't there, NotPossible for one that upstream doesn't have.
    """
    if not isinstance(given, str) or not given.startswith(f"{kind.model.PREFIX}_"):
        return given
    row: Any = kind.model.objects.filter(public_id=given).first()
    if row is None:
        raise InvalidRequest(
            f"There is no {kind.name} {given}.",
            fields={field: [f"no {kind.name} has this id: list them under {kind.name}s/"]},
        )
    if row.state != MirrorState.LIVE:
        raise NotPossible(
            field, f"The {kind.name} {given} is {row.state}: Tavus has none to use. Pick one that is live."
        )
    return row.upstream_id
