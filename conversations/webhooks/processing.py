"""Processing a webhook: a look upstream at the conversation that it is about. What it says itself is not believed."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from time import monotonic

from django.conf import settings
from django.db import connections, transaction
from django.db.models import QuerySet
from django.utils import timezone

from conversations.models import Conversation, WebhookReceived, WebhookState
from conversations.services.mirroring import sync_conversation
from conversations.webhooks.storing import conversation_of
from echoadmin.accounts.recording import record
from echoadmin.actors import SYSTEM, Actor
from echoadmin.tavus.errors import TavusError

logger = logging.getLogger(__name__)

PAUSES = (10, 60, 300, 1_800, 7_200)  # seconds after each look that failed
LEASES = 3  # of a worker, 90 s, for one look: longer than it can take
AT_ONCE = 4  # looks in one process right after a webhook was stored; the duty does the others

_free = threading.BoundedSemaphore(AT_ONCE)


def process_soon(row: WebhookReceived) -> None:
    """After the commit, in a thread: whoever sent it does not wait. A process that dies on the way leaves it to the
    duty."""
    if row.state == WebhookState.RECEIVED:
        transaction.on_commit(lambda: _begin(row.pk), robust=True)


def process_due(seconds: float) -> int:
    """What waits and may be tried, for about `seconds`; returns how many were looked into."""
    until = monotonic() + seconds
    done = 0
    while (row := _due().first()) is not None:
        done += process(row)
        if monotonic() > until:
            break
    return done


def process(row: WebhookReceived, *, actor: Actor = SYSTEM) -> bool:
    """One look, if it waits for one and nobody else is at it; whether it was this call's. Call it outside of
    transactions."""
    if not _claim(row):
        return False
    began = timezone.now()
    conversation = row.conversation or conversation_of(row)
    if conversation is None or conversation.upstream_id is None:
        _not_about_ours(row)
        return True
    try:
        sync_conversation(actor=actor, conversation=conversation)
    except TavusError as error:
        _failed(row, f"Tavus could not be asked: {error}")
    else:
        _confirmed(row, conversation, began)
    return True


def again(*, actor: Actor, rows: QuerySet[WebhookReceived]) -> int:
    """Let webhooks be processed anew, whatever became of them; repeats are left alone. Returns how many."""
    with transaction.atomic():
        refs = list(rows.filter(duplicate_of=None).order_by("pk").values_list("public_id", flat=True)[:1_000])
        mine = WebhookReceived.objects.filter(public_id__in=refs)
        count = mine.update(
            state=WebhookState.RECEIVED, attempts=0, error="", next_try_at=timezone.now(), processed_at=None
        )
        if count:
            record("webhook.processed_again", actor, {"ids": refs[:100], "count": count})
    return count


def forget_old() -> int:
    """What ended WEBHOOK_DAYS ago; the entries stay. Returns how many."""
    before = timezone.now() - timedelta(days=settings.WEBHOOK_DAYS)
    old = WebhookReceived.objects.filter(processed_at__lt=before).exclude(state=WebhookState.RECEIVED)
    forgotten, _ = WebhookReceived.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:5_000])).delete()
    return forgotten


def _due() -> QuerySet[WebhookReceived]:
    waiting = WebhookReceived.objects.filter(state=WebhookState.RECEIVED, next_try_at__lte=timezone.now())
    return waiting.select_related("conversation__persona").order_by("next_try_at")


def _claim(row: WebhookReceived) -> bool:
    now = timezone.now()
    free = WebhookReceived.objects.filter(
        pk=row.pk, state=WebhookState.RECEIVED, attempts=row.attempts, next_try_at__lte=now
    )
    until = now + timedelta(seconds=LEASES * settings.WORKER_LEASE)
    if not free.update(attempts=row.attempts + 1, next_try_at=until):
        return False
    row.attempts += 1
    return True


def _confirmed(row: WebhookReceived, conversation: Conversation, began: object) -> None:
    """One look answers all that had come before it began, in whatever order."""
    now = timezone.now()
    changes = {"state": WebhookState.PROCESSED, "error": "", "next_try_at": None, "processed_at": now}
    _mine(row).update(conversation=conversation, **changes)
    others = WebhookReceived.objects.filter(
        conversation=conversation, state=WebhookState.RECEIVED, received_at__lte=began
    )
    others.update(**changes)


def _not_about_ours(row: WebhookReceived) -> None:
    """Its conversation may be on its way: a webhook can be faster than the answer to the create."""
    if not (row.upstream_id or row.reference):
        _end(row, WebhookState.IGNORED, "It names no conversation.")
    elif row.attempts < len(PAUSES) - 1:
        _later(row, "No conversation here has its id yet.")
    else:
        _end(row, WebhookState.IGNORED, "No conversation here has its id.")


def _failed(row: WebhookReceived, words: str) -> None:
    if row.attempts > len(PAUSES):
        _end(row, WebhookState.FAILED, words)
    else:
        _later(row, words)


def _later(row: WebhookReceived, words: str) -> None:
    pause = timedelta(seconds=PAUSES[min(row.attempts, len(PAUSES)) - 1])
    _mine(row).update(next_try_at=timezone.now() + pause, error=words[:2_000])


def _end(row: WebhookReceived, state: str, words: str) -> None:
    _mine(row).update(state=state, error=words[:2_000], next_try_at=None, processed_at=timezone.now())


def _mine(row: WebhookReceived) -> QuerySet[WebhookReceived]:
    return WebhookReceived.objects.filter(pk=row.pk, state=WebhookState.RECEIVED, attempts=row.attempts)


def _begin(number: int) -> None:
    if not _free.acquire(blocking=False):
        return
    try:
        threading.Thread(target=_in_thread, args=(number,), daemon=True, name=f"webhook-{number}").start()
    except BaseException:
        _free.release()
        raise


def _in_thread(number: int) -> None:
    try:
        row = WebhookReceived.objects.select_related("conversation__persona").filter(pk=number).first()
        if row is not None:
            process(row)
    except Exception:
        logger.exception("webhook %s: what became of it could not be written; it is tried again", number)
    finally:
        connections.close_all()
        _free.release()
