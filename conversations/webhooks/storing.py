"""Storing a webhook: its row and its entry in one transaction; a repeat is known by its body."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from conversations import interactions
from conversations.models import Conversation, WebhookReceived, WebhookState
from conversations.webhooks import secrets
from echoadmin.installation import OldWebhookSecret
from echoadmin.log.models import Kind, Stream
from echoadmin.log.writer import Draft, append
from echoadmin.tavus.wire import redact, storable


def store(
    body: dict[str, Any], *, reference: str, old: OldWebhookSecret | None, request_id: str | None
) -> WebhookReceived:
    """The row, committed with its entry. `old`: the replaced secret that it came with. Raises the database's errors."""
    message = storable(redact(body))
    row = WebhookReceived(
        received_at=timezone.now(),
        event_type=_event_type(body),
        upstream_id=_text(body.get("conversation_id"))[:128],
        reference=_text(reference)[:32],
        body=message,
        fingerprint=_fingerprint(body),
        by_old_secret=old is not None,
        request_id=request_id or "",
        next_try_at=timezone.now(),
    )
    row.conversation = conversation_of(row)
    with transaction.atomic():
        _insert(row)
        if old is not None:
            secrets.note_use(old)
        append([_draft(row, message)])
    return row


def conversation_of(row: WebhookReceived) -> Conversation | None:
    """By Tavus's id; by the reference in the address while that id is not known yet."""
    rows = Conversation.objects.select_related("persona")
    if row.upstream_id and (found := rows.filter(upstream_id=row.upstream_id).first()):
        return found
    found = rows.filter(public_id=row.reference).first() if row.reference else None
    agrees = found is not None and (found.upstream_id is None or row.upstream_id in ("", found.upstream_id))
    return found if agrees else None


def _insert(row: WebhookReceived) -> None:
    """As the first with its body, or as a repeat of the first; of two at the same moment the database picks one."""
    if row.fingerprint and not _repeats(row):
        try:
            with transaction.atomic():
                row.save()
        except IntegrityError:
            row.pk = None
            _repeats(row)
    if row.pk is None:
        row.save()


def _repeats(row: WebhookReceived) -> bool:
    first = WebhookReceived.objects.filter(fingerprint=row.fingerprint).first()
    if first is None:
        return False
    row.fingerprint, row.duplicate_of = None, first
    row.state, row.processed_at, row.next_try_at = WebhookState.IGNORED, row.received_at, None
    row.error = f"It repeats {first.public_id}."
    return True


def _fingerprint(body: dict[str, Any]) -> str | None:
    """Of all but the address that it was sent to; none without a time of its own: the same can happen twice."""
    if not isinstance(body.get("timestamp"), str | int | float):
        return None
    told = {name: value for name, value in body.items() if name != "webhook_url"}
    return sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _event_type(body: dict[str, Any]) -> str:
    return _text(body.get("event_type"))[:200] or "webhook"


def _text(value: Any) -> str:
    """What a column can hold of a text; "" for anything else."""
    return str(storable(value)).replace("\0", "") if isinstance(value, str) else ""


def _draft(row: WebhookReceived, message: Any) -> Draft:
    conversation = row.conversation
    return Draft(
        stream=conversation.public_id if conversation else Stream.ACCOUNT,
        kind=Kind.WEBHOOK,
        event_type=row.event_type,
        direction="in",
        family=interactions.family(row.event_type),
        sender_name="Tavus",
        conversation_ref=conversation.public_id if conversation else None,
        persona_ref=conversation.persona.public_id if conversation and conversation.persona else None,
        request_id=row.request_id or None,
        message=message,
    )
