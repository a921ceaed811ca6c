"""What the palette finds of views, rules and alerts: by id, and the first two by name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from echoadmin.alerts.models import Alert, Rule, SavedView
from echoadmin.palette import Asked, Hit, by_ids, finds

MODELS: dict[str, Any] = {"vw": SavedView, "ru": Rule, "al": Alert}


@finds()
def by_id(asked: Asked) -> Iterator[Hit]:
    """The prefix says which of them it is."""
    given = re.fullmatch(r"(vw|ru|al)_\w+", asked.text)
    if given:
        yield from by_ids(MODELS[given[1]], asked, "public_id")
