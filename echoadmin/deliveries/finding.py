"""What the palette finds of webhooks out: subscriptions and deliveries, by id."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from echoadmin.deliveries.models import Delivery, Subscription
from echoadmin.palette import Asked, Hit, by_ids, finds

MODELS: dict[str, Any] = {"sb": Subscription, "dl": Delivery}


@finds()
def by_id(asked: Asked) -> Iterator[Hit]:
    """A delivery's id is also its `webhook-id`."""
    given = re.fullmatch(r"(sb|dl)_\w+", asked.text)
    if given:
        yield from by_ids(MODELS[given[1]], asked, "public_id")
