"""What a key that is limited to some personas and conversations may do at an address of the API.

Nothing, unless the address says how it keeps within the limits: `path("…", View.as_view(within=anywhere))`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from echoadmin.actors import Actor, Limits

Within = Callable[[Limits, Request, dict[str, Any]], None]
"""Called with the limits, the request and what its address names, before the view. Raises NotFound or
PermissionDenied."""


MOST_IDS = 100  # of personas, and of conversations, in one key's limits


class OutsideLimits(Exception):
    """What is asked for lies outside the key's limits; told as 403."""

    code, status = "forbidden", 403

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field, self.message = field, message


MODELS = {"personas": ("personas", "Persona"), "conversations": ("conversations", "Conversation")}
"""By name, as foreign keys are: those apps are above this one."""


def known_ids(kind: str, given: Any) -> list[str]:
    """Our ids of the rows that `given` names by either id. Raises ValidationError for what is not there."""
    if not isinstance(given, list) or not all(isinstance(one, str) and "\0" not in one for one in given):
        raise ValidationError({kind: ["Is a list of ids."]})
    if len(given) > MOST_IDS:
        raise ValidationError({kind: [f"Has at most {MOST_IDS} ids."]})
    rows: Any = apps.get_model(*MODELS[kind])._default_manager
    found = dict(rows.filter(upstream_id__in=given).values_list("upstream_id", "public_id"))
    found |= {one: one for one in rows.filter(public_id__in=given).values_list("public_id", flat=True)}
    if missing := [one for one in given if one not in found]:
        raise ValidationError(
            {kind: [f"There is no {missing[0][:80]!r} here. The list of {kind} shows those there are."]}
        )
    return list(dict.fromkeys(found[one] for one in given))


def apart(limits: Limits) -> Limits:
    """The same limits, each conversation named once: without those of its personas, which go without saying."""
    rows: Any = apps.get_model(*MODELS["conversations"])._default_manager
    twice = rows.filter(public_id__in=limits.conversations, persona__public_id__in=limits.personas)
    named = set(twice.values_list("public_id", flat=True))
    return replace(limits, conversations=tuple(one for one in limits.conversations if one not in named))


def reads(limits: Limits, conversation: str) -> bool:
    """Whether the conversation with this id of ours is seen under these limits."""
    if conversation in limits.conversations:
        return True
    rows: Any = apps.get_model(*MODELS["conversations"])._default_manager
    return bool(rows.filter(public_id=conversation, persona__public_id__in=limits.personas).exists())


def anywhere(limits: Limits, request: Request, names: dict[str, Any]) -> None:
    """The view itself shows and does only what is within, or nothing here belongs to anybody."""


def reading(limits: Limits, request: Request, names: dict[str, Any]) -> None:
    """As `anywhere` for who reads; what changes something is for keys without limits."""
    if request.method not in SAFE_METHODS:
        raise PermissionDenied(f"This API key is limited to {limits}; this changes what is not part of it.")


def check_persona(actor: Actor, public_id: str | None) -> None:
    """Raises OutsideLimits unless the actor may make conversations with this persona (our id; None: none of ours)."""
    if actor.limits is None or public_id in actor.limits.personas:
        return
    told = ", ".join(actor.limits.personas)
    way_out = f"with the personas {told}" if told else "with no persona: it is limited to conversations that are there"
    raise OutsideLimits("persona_id", f"This API key makes conversations {way_out}.")
