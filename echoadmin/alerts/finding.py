"""What the palette finds of views, rules and alerts: by id, and the first two by name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.db.models import Q

from echoadmin.alerts.models import Alert, Rule, SavedView
from echoadmin.palette import Asked, Hit, finds, rows

MODELS: dict[str, Any] = {"vw": SavedView, "ru": Rule, "al": Alert}


@finds()
def by_id(asked: Asked) -> Iterator[Hit]:
    """The prefix says which of them it is."""
    given = re.fullmatch(r"(vw|ru|al)_\w+", asked.text)
    if given:
        found = MODELS[given[1]].objects.filter(public_id=asked.text)
        if given[1] == "vw":  # another's own is nobody else's
            found = found.filter(Q(shared=True) | Q(owner_id=asked.user.pk))
        yield from rows(found, asked, "public_id")
