"""Telling: a row for each subscription that wants it, in the transaction in which it happened."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone
from rest_framework.utils.encoders import JSONEncoder

from echoadmin.deliveries.models import Delivery, Subscription
from echoadmin.log.chain import instant
from echoadmin.public_ids import new_public_id

EVENT_TYPES: dict[str, str] = {"ping": "Asked for, to try an address out."}
ALL_OF = ".*"  # `echo.*`: whatever begins with `echo.`


@dataclass(frozen=True, slots=True)
class Event:
    """Something that is told. `data` is JSON, small, and holds no secret; `ref`: the id of what it is about."""

    type: str
    data: Mapping[str, Any]
    ref: str = ""
    at: datetime | None = None
    conversation: str = ""  # our ids of what it belongs to, for subscriptions to one of them
    persona: str = ""


def event_type(name: str, what: str) -> str:
    """Makes an event type known: what people can subscribe to, and when it is told."""
    EVENT_TYPES[name] = what
    return name


def families() -> list[str]:
    """What can be subscribed to as a whole: alert.*, echo.*, …"""
    return sorted({name.partition(".")[0] + ALL_OF for name in EVENT_TYPES if "." in name})


def publish(
    name: str, data: Mapping[str, Any], *, ref: str = "", at: datetime | None = None, conversation: str = ""
) -> list[Delivery]:
    """Tells everybody who wants to know of one thing."""
    return publish_all([Event(name, data, ref, at, conversation)], wanting())


def wanting() -> list[Subscription]:
    """The subscriptions that are on."""
    return list(Subscription.objects.filter(enabled=True).order_by("id"))


def publish_all(events: Iterable[Event], subscriptions: Iterable[Subscription]) -> list[Delivery]:
    """Tells these subscriptions what they want to know, in this order."""
    to = list(subscriptions)
    made = [_delivery(one, event) for event in events for one in to if wants(one, event)]
    return Delivery.objects.bulk_create(made)


def wants(subscription: Subscription, event: Event) -> bool:
    """Whether it is told of this."""
    if subscription.conversation_ref and subscription.conversation_ref != event.conversation:
        return False
    if subscription.persona_ref and subscription.persona_ref != event.persona:
        return False
    asked = subscription.event_types
    return not asked or event.type in asked or event.type.partition(".")[0] + ALL_OF in asked


def tell(subscription: Subscription, name: str, data: Mapping[str, Any], *, ref: str = "") -> Delivery:
    """One delivery, whatever the subscription wants to be told of."""
    made = _delivery(subscription, Event(name, data, ref))
    made.save()
    return made


def _delivery(subscription: Subscription, event: Event) -> Delivery:
    """Due at once. Its body is made here, and is the same at each attempt."""
    body = {"type": event.type, "timestamp": instant(event.at or datetime.now(UTC)), "data": event.data}
    return Delivery(
        public_id=new_public_id("dl"),
        subscription=subscription,
        event_type=event.type[:80],
        ref=event.ref[:64],
        body=json.dumps(body, cls=JSONEncoder, separators=(",", ":")),  # numbers as REST has them
        next_try_at=timezone.now(),
    )
