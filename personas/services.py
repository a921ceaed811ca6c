"""What can be done with personas and replicas. Each function is keyword-only, takes the actor, and leaves an entry of
who did what.

All of them call upstream, so none may be called inside a database transaction. Each raises TavusError when upstream
refuses or can't be asked, and NotPossible when the object isn't in a state for it.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.db import transaction

from echoadmin.actors import Actor
from echoadmin.log.writer import append
from echoadmin.mirror.creating import create, lock_row
from echoadmin.mirror.kinds import (
    MirroredKind,
    NotPossible,
    Payload,
    about,
    account_entry,
    described,
    instant,
    noted,
)
from echoadmin.mirror.looking import known_upstream_id, look, mark_gone
from echoadmin.mirror.models import MirrorState
from echoadmin.mirror.resolving import ABOUT_THEN, adopt, give_up, pending, resolve
from echoadmin.mirror.syncing import SyncResult, look_at_missing, sync_list
from echoadmin.tavus.errors import Conflict, InvalidRequest, NotFound, TavusError
from echoadmin.tavus.wire import redact, storable, to_wire
from echoadmin.upstream import calling, client
from personas.edits import edited
from personas.mirrored import PERSONA, REPLICA, upstream_id_for
from personas.models import Persona, Replica
from personas.presets import echo_persona, warnings_about, with_echo_transport

OWN, STOCK = "user", "system"
MAKER_CHANGES = "maker_changes"
WHAT_FORCE_LOSES = (
    "Somebody edited this persona in Tavus's own editor (PAL Maker) and has not published it. Forcing discards all of "
    "these edits, for good; Tavus's API does not tell what they are. Publish or discard them there instead, if you can."
)


def create_persona(*, actor: Actor, body: Payload, public_id: str = "") -> Persona:
    """A persona from a body in either vocabulary. In the pipeline mode `echo`, a missing `layers.transport` is filled
    in (visible in `requested`); all else is forwarded as given, with `warnings`.

    The row is there also after a failure: `rejected`, or `unknown` when the answer was lost; the error's `reference`
    names it. public_id: the row's own id, when it was given away before.
    """
    asked = _checked(body)
    row = Persona(
        public_id=public_id,
        name=str(asked.get("persona_name") or "")[:300],
        pipeline_mode=str(asked.get("pipeline_mode") or "full")[:40],
        default_replica_id=str(asked.get("default_replica_id") or "")[:128],
        requested=storable(redact(asked)),
        warnings=warnings_about(asked),
    )
    create(PERSONA, row, actor=actor, call=lambda tavus: tavus.create_persona(asked))
    return row


def create_echo_persona(*, actor: Actor, name: str, replica_id: str = "", microphone: str = "disabled") -> Persona:
    """The preset: a persona that says what it is sent. replica_id: either id of the replica that conversations use by
    default."""
    return create_persona(actor=actor, body=echo_persona(name=name, replica_id=replica_id, microphone=microphone))


def patch_persona(
    *, actor: Actor, persona: Persona, operations: list[Payload], force: bool = False, discards: str = ""
) -> bool:
    """Change it by a JSON Patch (RFC 6902), then read it anew. False: upstream found nothing to change.

    force: although there are unpublished edits in Tavus's own editor (else Conflict, with `maker_changes`); discards
    has to name what is lost: `maker_changes`.
    """
    check_force(force, discards)
    return send_patch(actor=actor, persona=persona, operations=operations, force=force, verb="patch")


def check_force(force: bool, discards: str) -> None:
    """Raises InvalidRequest where somebody forces without saying what is lost by it."""
    if force and discards != MAKER_CHANGES:
        words = f"{WHAT_FORCE_LOSES} To force it all the same, send `discards`: `{MAKER_CHANGES}` beside `force`."
        raise InvalidRequest(words, fields={"discards": [f"must be {MAKER_CHANGES}: name what is lost"]})


def send_patch(*, actor: Actor, persona: Persona, operations: list[Payload], force: bool, verb: str) -> bool:
    """The same for `verb`, which names the entries: `patch` or `push`."""
    persona_id = changeable(persona, "changed")
    append([noted(persona, f"{verb}_asked", actor, {"patch": operations, "force": force})])
    with calling(actor=actor, **about(persona)):
        try:
            answer = client().patch_persona(persona_id, operations, force=force)
        except TavusError as error:
            facts: Payload = {"patch": operations, "error": described(error)}
            append([noted(persona, f"{verb}_failed", actor, facts, is_error=True)])
            if error.may_have_happened:
                _look_if_possible(persona, actor)
            if isinstance(error, Conflict) and error.maker_changes:
                error.way_out = WHAT_FORCE_LOSES
            raise
    discarded = bool((answer or {}).get("discarded_maker_changes"))
    facts = {"patch": operations, "changed": answer is not None, "discarded_maker_changes": discarded}
    with transaction.atomic(durable=True):
        current = lock_row(Persona, persona)
        current.asked = edited(current, operations)
        current.save(update_fields=["asked", "updated_at"])
        append([noted(persona, f"{verb}ed", actor, facts)])
    look(PERSONA, persona, actor=actor)
    if (answer or {}).get("publish_url"):
        persona.warnings = [*persona.warnings, "Tavus keeps this change as a draft: publish it there to make it count."]
        persona.save(update_fields=["warnings", "updated_at"])
    return answer is not None


def delete_persona(*, actor: Actor, persona: Persona) -> None:
    """Delete it upstream; the row stays, as gone. Conversations that run with it go on."""
    persona_id = changeable(persona, "deleted")
    append([noted(persona, "delete_asked", actor)])
    with calling(actor=actor, **about(persona)):
        try:
            client().delete_persona(persona_id)
        except NotFound:
            pass  # it is what was asked for
        except TavusError as error:
            append([noted(persona, "delete_failed", actor, {"error": described(error)}, is_error=True)])
            if error.may_have_happened:
                _look_if_possible(persona, actor)
            if persona.state == MirrorState.GONE:
                return
            raise
    append([noted(persona, "deleted", actor)])
    mark_gone(PERSONA, persona, actor)


def sync_persona(*, actor: Actor, persona: Persona) -> Persona:
    """Read one anew, whole."""
    look(PERSONA, persona, actor=actor)
    return persona


def sync_replica(*, actor: Actor, replica: Replica) -> Replica:
    """Read one anew, whole."""
    look(REPLICA, replica, actor=actor)
    return replica


def sync_personas(*, actor: Actor) -> SyncResult:
    """Read all personas, own and stock; what upstream no longer has is marked gone. Modes that lists leave out are
    looked up."""
    result = _sync(PERSONA, actor)
    unclear = Persona.objects.filter(state=MirrorState.LIVE, pipeline_mode="").order_by("id")
    look_at_missing(PERSONA, unclear, actor=actor, result=result)
    _note_sync("persona", actor, result)
    return result


def sync_replicas(*, actor: Actor) -> SyncResult:
    """Read all replicas, own and stock."""
    result = _sync(REPLICA, actor)
    _note_sync("replica", actor, result)
    return result


def resolve_unknown_personas(*, actor: Actor, younger_than: timedelta | None = None) -> list[Persona]:
    """Find personas whose create's answer was lost, by name, replica and time; returns those found. The others stay
    unknown."""
    waiting = pending(PERSONA, younger_than=younger_than)
    if not waiting:
        return []
    with calling(actor=actor):
        listed = list(client().iter_personas(persona_type=OWN))
    return resolve(PERSONA, waiting, listed, actor=actor, fits=_fits)


def adopt_persona(*, actor: Actor, persona: Persona, persona_id: str) -> Persona:
    """A person says that upstream's `persona_id` is this unknown row."""
    adopt(PERSONA, persona, persona_id, actor=actor, found_by="person")
    return persona


def give_up_persona(*, actor: Actor, persona: Persona) -> Persona:
    """A person says that upstream never made it: the unknown row is rejected."""
    give_up(PERSONA, persona, actor=actor)
    return persona


def _fits(persona: Persona, row: Payload) -> bool:
    """Whether an upstream row can be what this create made: same name and replica, made about then."""
    made = instant(row.get("created_at"))
    return (
        (row.get("persona_name") or "") == (persona.requested.get("persona_name") or "")
        and (row.get("default_replica_id") or "") == (persona.requested.get("default_replica_id") or "")
        and (made is None or abs(made - persona.created_at) < ABOUT_THEN)
    )


def _checked(body: Any) -> Payload:
    """The body in the old vocabulary. Raises InvalidRequest for what this console itself must be able to read."""
    if not isinstance(body, dict):
        raise InvalidRequest("A persona is a JSON object.", fields={"body": ["must be a JSON object"]})
    asked = to_wire(body, "persona")
    layers = asked.get("layers")
    if layers is not None and not isinstance(layers, dict):
        raise InvalidRequest(
            "layers must be an object.", fields={"layers": ['must be an object, such as {"tts": {…}}']}
        )
    if "default_replica_id" in asked:
        asked["default_replica_id"] = upstream_id_for(REPLICA, "default_replica_id", asked["default_replica_id"])
    return with_echo_transport(asked)


def changeable(persona: Persona, verb: str) -> str:
    """Its upstream id; raises NotPossible for a stock persona, and for one that upstream never had."""
    if persona.persona_type == STOCK:
        raise NotPossible(
            "persona", f"This is a stock persona of Tavus's own: it can't be {verb}. Create one of your own."
        )
    return known_upstream_id(PERSONA, persona)


def _look_if_possible(persona: Persona, actor: Actor) -> None:
    """After a lost answer: what does upstream say now? Its silence leaves the row as it is; the next sync asks
    again."""
    with suppress(TavusError):
        look(PERSONA, persona, actor=actor)


def _sync(kind: MirroredKind, actor: Actor) -> SyncResult:
    """Own rows and stock ones are listed apart, so that each row's type is known also where upstream leaves it
    out."""
    result = SyncResult()
    type_field = f"{kind.name}_type"
    seen: set[str] = set()
    with calling(actor=actor):
        for owner in (OWN, STOCK):
            rows = getattr(client(), f"iter_{kind.name}s")(**{type_field: owner})
            typed = ({type_field: owner, **row} for row in rows if row.get(kind.id_field) not in seen)
            seen |= sync_list(kind, typed, actor=actor, result=result, admit=lambda payload: _admit(kind, payload))
        if result.complete:
            missing = kind.model.objects.filter(state=MirrorState.LIVE).exclude(upstream_id__in=seen)
            look_at_missing(kind, missing.order_by("id"), actor=actor, result=result)
    return result


def _admit(kind: MirroredKind, payload: Payload) -> Persona | Replica | None:
    """A new row; none for what may be a persona whose create isn't settled yet."""
    if kind is REPLICA:
        return Replica()
    unsettled = Persona.objects.filter(upstream_id=None, state__in=(MirrorState.RESERVED, MirrorState.UNKNOWN))
    return None if any(_fits(persona, payload) for persona in unsettled) else Persona()


def _note_sync(name: str, actor: Actor, result: SyncResult) -> None:
    """The console's own syncs are told on the duties page; an entry is written when they found something."""
    if actor.source == "system" and not (result.new or result.changed or result.gone or result.problems):
        return
    append([account_entry(f"{name}.synced", actor, result.facts(), is_error=bool(result.problems))])
