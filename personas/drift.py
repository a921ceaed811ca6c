"""Drift of personas: compared with upstream at the moment of asking, and brought over to either side.

Each is keyword-only, takes the actor, calls upstream outside of any transaction, and leaves an entry with the patch.
Each raises TavusError when upstream refuses or can't be asked, NotPossible when the persona isn't in a state for it,
and DriftChanged when what was shown before is not what would be done now.
"""

from __future__ import annotations

from copy import deepcopy

from echoadmin.actors import Actor
from echoadmin.log.writer import Draft
from echoadmin.mirror.drift import Comparison, at, compare, put, require
from echoadmin.mirror.kinds import NotPossible, Payload, noted
from echoadmin.mirror.looking import write_looked
from echoadmin.mirror.models import MirrorState
from personas import services
from personas.mirrored import PERSONA
from personas.models import Persona, Replica

Use = dict[str, str]


def persona_drift(*, actor: Actor, persona: Persona) -> Comparison:
    """How it differs from upstream now."""
    return compare(PERSONA, persona, actor=actor)


def pull(*, actor: Actor, persona: Persona, patch_sha256: str | None = None) -> Comparison:
    """Take over what upstream has, here: it counts as asked for from now on. Returns what was taken over.

    patch_sha256: of the pull patch that was shown.
    """
    found = persona_drift(actor=actor, persona=persona)
    _refuse_gone(found)
    require(patch_sha256, found.pull_sha256)

    def take_over(current: Persona) -> list[Draft]:
        current.asked = _taken_over(current, found)
        return [noted(current, "pulled", actor, {"patch": found.pull})] if found.differences else []

    write_looked(PERSONA, persona, found.payload, actor=actor, change=take_over)
    return found


def push(*, actor: Actor, persona: Persona, patch_sha256: str, force: bool = False, discards: str = "") -> Comparison:
    """Change upstream to what was asked for here. Returns what was sent.

    patch_sha256: of the push patch that was shown. force: although there are unpublished edits in Tavus's editor;
    discards has to name what is lost: `maker_changes`.
    """
    services.check_force(force, discards)
    services.changeable(persona, "changed")
    found = persona_drift(actor=actor, persona=persona)
    _refuse_gone(found)
    require(patch_sha256, found.push_sha256)
    if found.push:
        services.send_patch(actor=actor, persona=persona, operations=found.push, force=force, verb="push")
    return found


def uses(row: Persona | Replica) -> list[Use]:
    """What still uses it: conversations that run on it, and personas whose default replica it is."""
    running = row.conversation_set.filter(status="active", state=MirrorState.LIVE).order_by("-id")[:50]
    used = [{"kind": "conversation", "id": one.public_id, "name": str(one)} for one in running]
    if isinstance(row, Replica) and row.upstream_id:
        having = Persona.objects.filter(default_replica_id=row.upstream_id, state=MirrorState.LIVE).order_by("-id")[:50]
        used += [{"kind": "persona", "id": one.public_id, "name": str(one)} for one in having]
    return used


def _taken_over(current: Persona, found: Comparison) -> Payload:
    """What was asked for, with upstream's values where it differs."""
    asked: Payload = deepcopy(current.requested if current.asked is None else current.asked)
    for one in found.differences:
        if one.asked:
            put(asked, one.pointer, at(found.payload, one.pointer))
    return asked


def _refuse_gone(found: Comparison) -> None:
    if found.state == MirrorState.GONE:
        raise NotPossible(
            "persona", "Tavus doesn't have this persona any more: there is nothing to bring over. Make a new one."
        )
