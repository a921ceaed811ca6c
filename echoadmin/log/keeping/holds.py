"""Legal holds: of a conversation that is on hold nothing is pruned and nothing erased."""

from __future__ import annotations

from collections.abc import Collection

from django.db import IntegrityError, transaction
from django.utils import timezone

from echoadmin.actors import Actor
from echoadmin.log.models import Hold, Kind, Stream
from echoadmin.log.writer import Draft, append

PLACED, RELEASED = "log.hold_placed", "log.hold_released"


class HoldRefused(ValueError):
    """A hold that can't be placed or released; the message says why."""


class OnHold(RuntimeError):
    """What was to be erased is on hold; `conversations` are our public ids."""

    def __init__(self, conversations: Collection[str]) -> None:
        self.conversations = sorted(conversations)
        named = ", ".join(self.conversations[:20]) + (" and more" if len(self.conversations) > 20 else "")
        super().__init__(f"on hold, so nothing was erased: {named}. Release the hold first, or leave them out")


def place_hold(*, conversation: str, actor: Actor, reason: str) -> Hold:
    """Puts the conversation (our public id) on hold. Raises HoldRefused.

    A batch that is being pruned or erased at this moment is finished first; the next one sees the hold.
    """
    reason = _reason(reason)
    if not Stream.objects.filter(public_id=conversation).exists() or conversation == Stream.ACCOUNT:
        raise HoldRefused(f"there is no conversation {conversation!r} in the log: give its cv_… id")
    try:
        with transaction.atomic():
            hold = Hold.objects.create(
                conversation_ref=conversation, reason=reason, actor=actor.name, placed_at=timezone.now()
            )
            append([_draft(PLACED, conversation, actor, reason)])
    except IntegrityError:
        raise HoldRefused(f"{conversation} is on hold already") from None
    return hold


def release_hold(*, conversation: str, actor: Actor, reason: str) -> Hold:
    """Ends the hold; the row stays, as history. Raises HoldRefused."""
    reason = _reason(reason)
    with transaction.atomic():
        released = Hold.objects.filter(conversation_ref=conversation, released_at__isnull=True).first()
        if released is None:
            raise HoldRefused(f"{conversation} is not on hold")
        released.released_at, released.released_by, released.release_reason = timezone.now(), actor.name, reason
        released.save()
        append([_draft(RELEASED, conversation, actor, reason)])
    return released


def on_hold(conversations: Collection[str] | None = None) -> set[str]:
    """Which of the conversations, or of all, are on hold."""
    holds = Hold.objects.filter(released_at__isnull=True)
    if conversations is not None:
        holds = holds.filter(conversation_ref__in=conversations)
    return set(holds.values_list("conversation_ref", flat=True))


def _reason(reason: str) -> str:
    if not reason.strip():
        raise HoldRefused("say why: a reason is kept with each hold")
    return reason.strip()


def _draft(event_type: str, conversation: str, actor: Actor, reason: str) -> Draft:
    return Draft(
        conversation,
        Kind.OPERATOR,
        event_type,
        conversation_ref=conversation,
        actor=actor.name,
        api_key_ref=actor.api_key_ref,
        request_id=actor.request_id,
        message={"conversation": conversation, "reason": reason},
    )
