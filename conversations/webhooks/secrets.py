"""The secrets in the webhooks' address: that of new conversations, and replaced ones that still count."""

from __future__ import annotations

import hmac
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from conversations.models import Conversation
from echoadmin.accounts.recording import record
from echoadmin.actors import Actor
from echoadmin.installation import Installation, OldWebhookSecret, new_webhook_secret, stamp

logger = logging.getLogger(__name__)

LATE = timedelta(hours=1)  # after its end a conversation's transcript and analysis still come (docs.tavus.io)
ABOUT_THEN = timedelta(seconds=5)  # between a conversation's row and the address that it was made with


@dataclass(frozen=True, slots=True)
class Known:
    """A secret that counts; `old`: it is one that was replaced."""

    old: OldWebhookSecret | None = None


def installation() -> Installation:
    """The row that has the secret of new conversations."""
    return stamp(settings.MODE)


def known(secret: str) -> Known | None:
    """What this secret is; None when it opens nothing, or nothing any more."""
    row = Installation.objects.first()
    if row is None:
        return None
    if _same(secret, row.webhook_secret):
        return Known()
    old = OldWebhookSecret.objects.filter(sha256=_hash(secret)).first()
    return Known(old) if old is not None and still_counts(old) else None


def is_ours(secret: str) -> bool:
    """Whether it is, or was, one of this installation's."""
    current = _same(secret, installation().webhook_secret)
    return current or OldWebhookSecret.objects.filter(sha256=_hash(secret)).exists()


def base_url() -> str:
    """Where Tavus reports to this console, with the secret of new conversations."""
    return f"{settings.PUBLIC_URL}/webhooks/tavus/{installation().webhook_secret}/"


def still_counts(old: OldWebhookSecret) -> bool:
    """For WEBHOOK_SECRET_OVERLAP hours, and as long as a conversation that reports with it lasts."""
    return old.honoured_until > timezone.now() or (old.until_ended and conversations_of(old).exists())


def conversations_of(old: OldWebhookSecret) -> QuerySet[Conversation]:
    """Those that were made with it and go on, or ended so lately that Tavus may still report."""
    going_on = Q(state__in=("reserved", "unknown")) | Q(state="live") & ~Q(status="ended")
    span = {"created_at__gte": old.made_at - ABOUT_THEN, "created_at__lte": old.retired_at + ABOUT_THEN}
    rows = Conversation.objects.filter(webhooks_here=True, **span)
    return rows.filter(going_on | Q(ended_at__gt=timezone.now() - LATE))


def note_use(old: OldWebhookSecret) -> None:
    """A webhook came with it: seen on the installation's page, and on the webhook."""
    OldWebhookSecret.objects.filter(pk=old.pk).update(uses=F("uses") + 1, last_used_at=timezone.now())
    logger.info("a webhook came with the secret that was replaced at %s", old.retired_at.isoformat())


def rotate(*, actor: Actor, at_once: bool = False) -> datetime:
    """A new secret for new conversations; returns until when, at least, the old one counts.

    at_once: the old one counts no more from now on, and conversations that were made with it report in vain; the
    console sees their ends by asking. For a secret that leaked.
    """
    now = timezone.now()
    installation()
    until = now if at_once else now + timedelta(hours=settings.WEBHOOK_SECRET_OVERLAP)
    with transaction.atomic():
        row = Installation.objects.select_for_update().get(id=1)
        OldWebhookSecret.objects.create(
            sha256=_hash(row.webhook_secret),
            made_at=row.webhook_secret_since or row.created_at,
            retired_at=now,
            honoured_until=until,
            until_ended=not at_once,
        )
        if at_once:
            OldWebhookSecret.objects.filter(honoured_until__gt=now).update(honoured_until=now)
            OldWebhookSecret.objects.update(until_ended=False)
        row.webhook_secret, row.webhook_secret_since = new_webhook_secret(), now
        row.save(update_fields=["webhook_secret", "webhook_secret_since"])
        record("webhook_secret.rotated", actor, {"at_once": at_once, "old_counts_until": until.isoformat()})
    return until


def reveal(*, actor: Actor) -> str:
    """The whole address, for an admin who gives it to Tavus by hand."""
    address = base_url()
    record("webhook_secret.revealed", actor, {})
    return address


def _same(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), secret.encode())


def _hash(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
