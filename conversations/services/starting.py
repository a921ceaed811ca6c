"""Start talking: what it takes until a replica can be spoken through, made at once or step by step.

Each function is keyword-only, takes the actor and calls upstream, so none may be called inside a database transaction.
Each raises what the services that it uses raise.
"""

from __future__ import annotations

from django.utils import timezone

from conversations.models import Conversation
from conversations.services import mirroring
from echoadmin.actors import Actor
from echoadmin.mirror.kinds import NotPossible, Payload
from echoadmin.mirror.models import MirrorState
from personas import services as personas
from personas.models import READY, Persona, Replica
from personas.presets import echo_persona

PERSONA_NAME = "Echo"
CANDIDATES = 20  # own echo personas that are looked at, newest first


def start_talking(*, actor: Actor, public_id: str = "") -> Conversation:
    """A conversation that is being joined, with an own echo persona: one that is there, else a new one. Its clock, and
    its price, run from here on. public_id: the conversation's own id, when it was given away before.
    """
    return start_conversation(actor=actor, join=True, public_id=public_id)


def start_persona(*, actor: Actor, public_id: str = "") -> Persona:
    """An own echo persona with a replica that is ready. Costs nothing."""
    replica = ready_replica(actor)
    return personas.create_persona(
        actor=actor,
        body=echo_persona(name=PERSONA_NAME, replica_id=str(replica.upstream_id)),
        public_id=public_id,
    )


def start_conversation(*, actor: Actor, join: bool = False, public_id: str = "") -> Conversation:
    """A conversation with the newest own echo persona, or with a new one where there is none; paid from here on."""
    persona = suitable_persona()
    replica_id = "" if persona and _has_face(persona) else str(ready_replica(actor).upstream_id)
    persona = persona or start_persona(actor=actor)
    body: Payload = {
        "persona_id": persona.upstream_id,
        "conversation_name": f"{persona}, {timezone.now():%d %b %H:%M} UTC",
    }
    if replica_id and not _has_face(persona):
        body["replica_id"] = replica_id
    return mirroring.create_conversation(actor=actor, body=body, join=join, public_id=public_id)


def suitable_persona() -> Persona | None:
    """The newest own echo persona, one with a replica that is ready before any other; None where there is none."""
    rows = Persona.objects.filter(
        persona_type=personas.OWN, pipeline_mode="echo", state=MirrorState.LIVE, upstream_id__isnull=False
    )
    newest = list(rows.order_by("-id")[:CANDIDATES])
    faces = {row.default_replica_id for row in newest if row.default_replica_id}
    ready = set(
        Replica.objects.filter(upstream_id__in=faces, state=MirrorState.LIVE, status__in=READY).values_list(
            "upstream_id", flat=True
        )
    )
    return next((row for row in newest if row.default_replica_id in ready), newest[0] if newest else None)


def ready_replica(actor: Actor) -> Replica:
    """A replica that a conversation can be had with, one's own before the stock ones; upstream's list is read first
    where none is known. Raises NotPossible when there is none."""
    found = _ready()
    if found is None:
        personas.sync_replicas(actor=actor)
        found = _ready()
    if found is None:
        raise NotPossible(
            "replica", "Tavus lists no replica that is ready. Train one there, or sync the replicas once one is."
        )
    return found


def _ready() -> Replica | None:
    rows = Replica.objects.filter(state=MirrorState.LIVE, status__in=READY, upstream_id__isnull=False)
    return rows.order_by("-replica_type", "name").first()


def _has_face(persona: Persona) -> bool:
    """Whether conversations with it need name no replica."""
    wanted = persona.default_replica_id
    rows = Replica.objects.filter(upstream_id=wanted, state=MirrorState.LIVE, status__in=READY)
    return bool(wanted) and rows.exists()
