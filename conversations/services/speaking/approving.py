"""Lines that wait for a second person: let be said, or not. They keep their place, and block nobody."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from conversations import interactions
from conversations.models import Echo, EchoState
from conversations.refusals import NotNow, NotTheSecond
from conversations.services.speaking.changing import (
    change_words,
    changed,
    check_editable,
    check_waits,
    locked,
    person_of,
    tell,
)
from echoadmin.actors import Actor


def approve(*, actor: Actor, echo: Echo, text: str | None = None, revision: int | None = None) -> Echo:
    """held → queued, in other words if `text` is given; raises NotTheSecond, or ChangedMeanwhile.

    With the `revision` that was seen, nobody approves words that its author put there since.
    """
    words = None if text is None else interactions.check_text(text)
    with transaction.atomic():
        room, row = locked(echo)
        _check(actor, row, revision)
        decided = {"state": EchoState.QUEUED, "decided_by": actor.name, "decided_at": timezone.now()}
        facts: dict[str, Any] = {"revision": row.revision}
        if words is not None and words != row.text:
            check_editable(actor, row)
            change_words(row, words, actor, decided)
            facts = {"revision": row.revision + 1, "text": words, "was": row.text}
        else:
            _decide(row, decided)
        tell(actor, row, room, "echo.approved", **facts)
    row.refresh_from_db()
    return row


def reject(*, actor: Actor, echo: Echo, reason: str = "", revision: int | None = None) -> Echo:
    """held → rejected, with the words why; raises NotTheSecond, or ChangedMeanwhile."""
    now, why = timezone.now(), reason.strip()[:1000]
    with transaction.atomic():
        room, row = locked(echo)
        _check(actor, row, revision, whole=False)
        detail = f"Rejected by {actor.name}{': ' if why else '.'}{why}"
        changes: dict[str, Any] = {"reason": "rejected", "detail": detail, "ended_at": now}
        changes |= {"state": EchoState.REJECTED, "decided_by": actor.name, "decided_at": now}
        _decide(row, changes)
        tell(actor, row, room, "echo.rejected", why=why)
    row.refresh_from_db()
    return row


def _check(actor: Actor, echo: Echo, revision: int | None, *, whole: bool = True) -> None:
    """Its author can't; of a key's line, the key's owner can, signed in, unless they are reviewed themselves."""
    if echo.state != EchoState.HELD:
        raise changed(echo)
    check_waits(echo, revision)
    if whole and echo.closed_at is None:
        raise NotNow("state", "Its audio still comes. Decide when all of it is there to be heard.")
    if person_of(echo.actor) != person_of(actor.name):
        return
    if not echo.api_key_ref or actor.api_key_ref or actor.reviewed:
        raise NotTheSecond("state", "It waits for a second person: another operator has to decide.")


def _decide(echo: Echo, changes: dict[str, Any]) -> None:
    own = Echo.objects.filter(pk=echo.pk, state=EchoState.HELD, revision=echo.revision)
    if not own.update(**changes):
        raise changed(echo)
