"""What users do with their subscriptions: make, change, rotate, try out, take away. Each leaves an entry."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from echoadmin.accounts.recording import record
from echoadmin.actors import Actor
from echoadmin.deliveries import signing
from echoadmin.deliveries.addresses import BadAddress, resolve
from echoadmin.deliveries.models import Delivery, DeliveryState, Subscription
from echoadmin.deliveries.publishing import EVENT_TYPES, tell
from echoadmin.sealed import seal
from echoadmin.tavus.wire import redact

OLD_SECRET_LASTS = timedelta(hours=24)
LONGEST_URL = 2_000


def subscribe(
    *, actor: Actor, url: str, event_types: list[str], description: str = "", public_id: str = ""
) -> tuple[Subscription, str]:
    """A new subscription and its secret, which is never shown again. Raises ValidationError."""
    check_url(url)
    secret = signing.new_secret()
    with transaction.atomic():
        row = Subscription.objects.create(
            public_id=public_id,
            url=url,
            event_types=check_types(event_types),
            description=check_words(description),
            sealed_secret=seal(secret),
            created_by=actor.name,
        )
        record("subscription.created", actor, _facts(row))
    return row, secret


def change(*, actor: Actor, subscription: Subscription, **changes: Any) -> Subscription:
    """Other url, event_types, description, or enabled. Raises ValidationError."""
    if "url" in changes and changes["url"] != subscription.url:
        check_url(changes["url"])
    if "event_types" in changes:
        changes["event_types"] = check_types(changes["event_types"])
    if "description" in changes:
        check_words(changes["description"])
    if not isinstance(changes.get("enabled", True), bool):
        raise ValidationError({"enabled": ["Is true or false."]})
    for name, value in changes.items():
        setattr(subscription, name, value)
    if changes.get("enabled"):
        subscription.disabled_reason = ""
    with transaction.atomic():
        subscription.save()
        record("subscription.changed", actor, {**_facts(subscription), "changed": sorted(changes)})
    return subscription


def rotate(*, actor: Actor, subscription: Subscription) -> str:
    """A new secret; the old one's signature comes beside for 24 hours."""
    secret = signing.new_secret()
    with transaction.atomic():
        Subscription.objects.filter(pk=subscription.pk).update(
            sealed_old_secret=subscription.sealed_secret,
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
    with transaction.atomic():
        open_ = Delivery.objects.filter(pk=delivery.pk).exclude(state=DeliveryState.DELIVERED)
        if not open_.update(state=DeliveryState.WAITING, attempts=0, next_try_at=timezone.now(), ended_at=None):
            return False
        record("delivery.again", actor, {"id": delivery.public_id})
    return True


def check_url(url: Any) -> None:
    """Raises ValidationError for an address that webhooks can't, or may not, go to; looks its name up."""
    if not isinstance(url, str) or len(url) > LONGEST_URL:
        raise ValidationError({"url": [f"Is a URL of at most {LONGEST_URL:,} characters."]})
    try:
        resolve(url)
    except BadAddress as error:
        raise ValidationError({"url": [str(error)]}) from None


def check_types(event_types: Any) -> list[str]:
    """Raises ValidationError for what nobody tells."""
    if not isinstance(event_types, list) or not all(isinstance(one, str) for one in event_types):
        raise ValidationError({"event_types": ["Is a list of event types; an empty one means all."]})
    if strangers := [one for one in event_types if one not in EVENT_TYPES]:
        known = ", ".join(sorted(EVENT_TYPES))
        raise ValidationError({"event_types": [f"There is no {strangers[0][:80]!r}. There are: {known}."]})
    return sorted(set(event_types))


def check_words(description: Any) -> str:
    """Raises ValidationError."""
    if not isinstance(description, str) or len(description) > 200:
        raise ValidationError({"description": ["Is a text of at most 200 characters."]})
    return description


def _facts(row: Subscription) -> dict[str, Any]:
    return {"id": row.public_id, "url": redact({"callback_url": row.url})["callback_url"], "enabled": row.enabled}
