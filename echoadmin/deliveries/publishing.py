"""Telling: a row for each subscription that wants it, in the transaction in which it happened."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from echoadmin.deliveries.models import Delivery, Subscription
from echoadmin.log.chain import instant

EVENT_TYPES: dict[str, str] = {"ping": "Asked for, to try an address out."}


def event_type(name: str, what: str) -> str:
    """Makes an event type known: what people can subscribe to, and when it is told."""
    EVENT_TYPES[name] = what
    return name


def publish(name: str, data: Mapping[str, Any], *, ref: str = "", at: datetime | None = None) -> list[Delivery]:
    """Tells everybody who wants to know. `data` is JSON, small, and holds no secret."""
    wanting = [one for one in Subscription.objects.filter(enabled=True).order_by("id") if wants(one, name)]
    return [tell(one, name, data, ref=ref, at=at) for one in wanting]


def wants(subscription: Subscription, name: str) -> bool:
    """Whether it is told of these events."""
    return not subscription.event_types or name in subscription.event_types


def tell(
    subscription: Subscription, name: str, data: Mapping[str, Any], *, ref: str = "", at: datetime | None = None
) -> Delivery:
    """One delivery, due at once. Its body is made here, and is the same at each attempt."""
    body = {"type": name, "timestamp": instant(at or datetime.now(UTC)), "data": data}
    return Delivery.objects.create(
        subscription=subscription,
        event_type=name,
        ref=ref,
        body=json.dumps(body, separators=(",", ":")),
        next_try_at=timezone.now(),
    )
