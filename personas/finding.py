"""What the palette finds of personas and replicas: by either id, and by a part of the name."""

from __future__ import annotations

from collections.abc import Iterator

from django.urls import reverse

from echoadmin.palette import Asked, Hit, by_ids, finds, offers, rows
from personas.models import Persona, Replica

SHORTEST = 2  # letters of a name


@finds()
def by_id(asked: Asked) -> Iterator[Hit]:
    """Ours, or Tavus's."""
    for model in (Persona, Replica):
        yield from by_ids(model, asked, "public_id", "upstream_id")


@finds()
def by_name(asked: Asked) -> Iterator[Hit]:
    """The newest that are called like it."""
    if len(asked.text) >= SHORTEST:
        for model in (Persona, Replica):
            yield from rows(model.objects.filter(name__icontains=asked.text).order_by("-id"), asked, "public_id")


@offers("manager")
def making(asked: Asked) -> Iterator[Hit]:
    """What a manager can make."""
    yield Hit("action", "New persona", reverse("admin:personas_persona_add"))
