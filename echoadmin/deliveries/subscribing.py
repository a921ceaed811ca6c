"""What users do with their subscriptions: make, change, rotate, try out, take away. Each leaves an entry."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from echoadmin.accounts.recording import record
from echoadmin.actors import Actor
from echoadmin.deliveries import signing
from echoadmin.deliveries.checking import checked
from echoadmin.deliveries.models import Delivery, DeliveryState, Subscription
from echoadmin.deliveries.publishing import tell
from echoadmin.sealed import seal
from echoadmin.tavus.wire import redact

OLD_SECRET_LASTS = timedelta(hours=24)
AT_ONCE = 10_000  # deliveries that one wish sends again


def subscribe(*, actor: Actor, url: str, public_id: str = "", **given: Any) -> tuple[Subscription, str]:
    """A new subscription and its secret, which is never shown again. `given`: event_types, description, conversation,
    persona. Raises ValidationError."""
    columns = checked({"url": url, **given})
    secret = signing.new_secret()
    with transaction.atomic():
        row = Subscription.objects.create(
            public_id=public_id, sealed_secret=seal(secret), created_by=actor.name, **columns
        )
        record("subscription.created", actor, _facts(row))
    return row, secret


def change(*, actor: Actor, subscription: Subscription, **changes: Any) -> Subscription:
    """Other url, event_types, description, conversation, persona, or enabled. Raises ValidationError."""
    if changes.get("url") == subscription.url:
        del changes["url"]  # its name is not looked up for nothing
    for name, value in checked(changes).items():
        setattr(subscription, name, value)
    if changes.get("enabled"):
        subscription.disabled_reason, subscription.failing_since = "", None
    with transaction.atomic():
        subscription.save()
        record("subscription.changed", actor, {**_facts(subscription), "changed": sorted(changes)})
    return subscription


def rotate(*, actor: Actor, subscription: Subscription) -> str:
    """A new secret; the old one's signature comes beside for 24 hours."""
    secret = signing.new_secret()
    with transaction.atomic():
        current = Subscription.objects.select_for_update().get(pk=subscription.pk)
        Subscription.objects.filter(pk=subscription.pk).update(
            sealed_old_secret=current.sealed_secret,
            old_secret_until=timezone.now() + OLD_SECRET_LASTS,
            sealed_secret=seal(secret),
        )
        record("subscription.rotated", actor, {"id": subscription.public_id})
    return secret


def unsubscribe(*, actor: Actor, subscription: Subscription) -> None:
    """Takes it away, with its deliveries."""
    facts = _facts(subscription)
    with transaction.atomic():
        subscription.delete()
        record("subscription.deleted", actor, facts)


def ping(*, actor: Actor, subscription: Subscription) -> Delivery:
    """Sends something, to see whether it arrives. Raises ValidationError when it is switched off."""
    if not subscription.enabled:
        raise ValidationError({"enabled": ["It is switched off. Switch it on first."]})
    return tell(subscription, "ping", {"by": actor.name}, ref=subscription.public_id)


def again(*, actor: Actor, delivery: Delivery) -> bool:
    """Begin anew with one that failed, or does not wait any longer for its next attempt. False when it has arrived."""
    return bool(again_many(actor=actor, deliveries=Delivery.objects.filter(pk=delivery.pk)))


def again_many(*, actor: Actor, deliveries: QuerySet[Delivery]) -> int:
    """The same of several, AT_ONCE at most, the oldest first; what has arrived is left alone. Returns how many begin
    anew."""
    with transaction.atomic():
        open_ = deliveries.exclude(state=DeliveryState.DELIVERED).order_by("pk")
        chosen = dict(open_.values_list("pk", "public_id")[:AT_ONCE])
        still = Delivery.objects.filter(pk__in=list(chosen)).exclude(state=DeliveryState.DELIVERED)
        count = still.update(state=DeliveryState.WAITING, attempts=0, next_try_at=timezone.now(), ended_at=None)
        if count:
            record("delivery.again", actor, {"ids": list(chosen.values())[:100], "count": count})
    return count


def _facts(row: Subscription) -> dict[str, Any]:
    return {
        "id": row.public_id,
        "url": redact({"callback_url": row.url})["callback_url"],
        "event_types": row.event_types,
        "enabled": row.enabled,
    }
