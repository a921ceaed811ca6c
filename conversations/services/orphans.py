"""The orphan guard: conversations that run, and cost, without need. It names and warns, and ends where its policy says.

Three kinds, each with a policy of its own (ORPHAN_OVERDUE, ORPHAN_STRANGER, ORPHAN_NOBODY): `overdue` (past the longest
time that it was asked for: upstream should have ended it), `stranger` (made elsewhere, and adopted by nobody), `nobody`
(no human in its room, and nothing said in it for a while). This console's own participants never count; where it is not
in the room itself, it can't know who is, and `nobody` means that nobody here wants to be in it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from conversations.models import Budget, Conversation, Echo, RoomState, Wanted
from conversations.models.price import read_rates
from conversations.money.budgets import standings, takes
from conversations.services import mirroring
from conversations.services.ending import is_inside, limit_of
from conversations.standing import room_of
from echoadmin.actors import Actor
from echoadmin.alerts.raising import raise_alert
from echoadmin.log.writer import append
from echoadmin.mirror.kinds import NotPossible, noted
from echoadmin.mirror.models import MirrorState
from echoadmin.shown import lasting
from echoadmin.tavus.errors import TavusError

logger = logging.getLogger(__name__)

SETTLES = timedelta(minutes=3)  # somebody may be about to join, or has just left
RUNNING = Q(status="active", state=MirrorState.LIVE, test_mode=False)
QUIET = timedelta(minutes=10)  # who still has something said, uses it
WORDS = {
    "overdue": "it is past its longest time",
    "stranger": "it was made elsewhere, and nobody here has adopted it",
    "nobody": "nobody is in its room, as far as this console knows",
    "budget": "its budget is reached",
}


Orphaned = tuple[str, datetime]


@dataclass(frozen=True, slots=True)
class Guarded:
    """What one look did: `found` are new orphans; `ended` those that it ended, by the policy of their kind."""

    found: list[Conversation]
    ended: list[Conversation]

    def __str__(self) -> str:
        told = [("new", self.found), ("ended", self.ended)]
        return "; ".join(f"{word}: {', '.join(row.public_id for row in rows)}" for word, rows in told if rows)


def guard(*, actor: Actor) -> Guarded:
    """One look at everything that runs. Calls upstream, so not inside a transaction."""
    found = look_for_orphans(actor=actor)
    return Guarded(found, [*_end_orphans(actor), *_end_over_budget(actor)])


def look_for_orphans(*, actor: Actor) -> list[Conversation]:
    """Flag (`orphan_since`, `orphan_kind`) what became one since the last look, with an entry and an alert for each;
    returns those. Takes flags back, too."""
    now = timezone.now()
    over = Conversation.objects.filter(orphan_since__isnull=False).exclude(RUNNING)
    over.update(orphan_since=None, orphan_kind="")
    return [row for row in _running(now) if _flag(row, next(iter(causes(row, now)), None), actor)]


def _running(now: datetime) -> QuerySet[Any]:
    lately = Echo.objects.filter(conversation=OuterRef("pk"), queued_at__gt=now - QUIET)
    rows = Conversation.objects.filter(RUNNING).select_related("persona", "room", "room__worker").order_by("id")
    return rows.annotate(said_lately=Exists(lately))


def causes(row: Conversation, now: datetime) -> list[Orphaned]:
    """Which kinds of orphan it is, and since when, the gravest first. The row comes from `_running`."""
    kinds = (("overdue", _overdue_since), ("stranger", _stranger_since), ("nobody", _alone_since))
    found = [(kind, find(row, now)) for kind, find in kinds if settings.ORPHANS[kind].looks]
    return [(kind, since) for kind, since in found if since is not None and since <= now]


def _overdue_since(row: Conversation, now: datetime) -> datetime | None:
    longest = limit_of(row, "max_call_duration")
    return None if longest is None else row.started_at + timedelta(seconds=longest)


def _stranger_since(row: Conversation, now: datetime) -> datetime | None:
    room = room_of(row)
    known = row.made_here or (room is not None and room.wanted == Wanted.JOINED)
    return None if known else row.started_at + SETTLES


def _alone_since(row: Any, now: datetime) -> datetime | None:
    """No human is in it: seen from inside; else, nobody here wants it, and this console was not in it lately."""
    room = room_of(row)
    if not row.made_here:
        return None
    if room is None or (room.wanted != Wanted.JOINED and room.last_seen_at is None):
        return row.started_at + SETTLES
    if room.state == RoomState.JOINED and is_inside(room):
        alone = not row.said_lately and not any(map(is_human, room.participants))
        known = row.orphan_since if row.orphan_kind == "nobody" else None
        return known or max(now, (room.joined_at or now) + SETTLES) if alone else None
    if room.wanted == Wanted.JOINED:
        return None
    return max(row.started_at, room.last_seen_at or row.started_at) + SETTLES


def is_human(participant: Any) -> bool:
    """Neither a replica nor one of this console's own, whichever worker's."""
    if not isinstance(participant, dict) or participant.get("is_us") or participant.get("is_replica"):
        return False
    return not str(participant.get("name") or "").startswith("echoadmin/")


def _flag(row: Conversation, found: Orphaned | None, actor: Actor) -> bool:
    """Whether it became an orphan, or one of another kind."""
    kind, since = found or ("", None)
    if kind == row.orphan_kind:
        return False
    with transaction.atomic():
        unchanged = Conversation.objects.filter(pk=row.pk, orphan_kind=row.orphan_kind)
        if not unchanged.update(orphan_since=since, orphan_kind=kind) or not kind:
            return False
        row.orphan_since, row.orphan_kind = since, kind
        policy = settings.ORPHANS[kind]
        then = f"It is ended {lasting(policy.minutes * 60)} after that" if policy.ends else "Join, adopt, or end it"
        facts: dict[str, Any] = {"kind": kind, "because": WORDS[kind], "seconds": row.seconds}
        draft = noted(row, "orphan", actor, {**facts, "way_out": f"{then}: it costs."})
        raise_alert(f"Orphan: {WORDS[kind]}", draft)
    return True


def _end_orphans(actor: Actor) -> list[Conversation]:
    """Those for which one of their kinds has the policy to end, and its grace has passed."""
    now, ended = timezone.now(), []
    for row in _running(now):
        for kind, since in causes(row, now):
            policy = settings.ORPHANS[kind]
            if policy.ends and since + timedelta(minutes=policy.minutes) <= now:
                words = f"orphan guard: {WORDS[kind]}, for {lasting(round((now - since).total_seconds()))}"
                ended += _end(row, words, actor)
                break
    return ended


def _end_over_budget(actor: Actor) -> list[Conversation]:
    """Those that run and count for a budget that is reached and says so, the newest first."""
    budgets = list(Budget.objects.filter(ends=True).select_related("persona", "user", "key").order_by("id"))
    over = [one.budget for one in standings(budgets, read_rates()) if one.spent >= one.budget.amount]
    if not over:
        return []
    ended = []
    for row in Conversation.objects.filter(RUNNING).select_related("persona").order_by("-id"):
        budget = next((one for one in over if takes(one, row)), None)
        if budget is not None:
            ended += _end(row, f"budget: {budget.name} is reached", actor)
    return ended


def _end(row: Conversation, because: str, actor: Actor) -> list[Conversation]:
    """The row where it was ended. What can't be ended now is tried at the next look: ending twice costs nothing."""
    try:
        mirroring.end_conversation(actor=actor, conversation=row, because=because)
    except (TavusError, ValueError) as error:  # its own entry tells why
        logger.warning("%s could not be ended (%s): %s", row.public_id, because, error)
        return []
    return [row]


def adopt_stranger(*, actor: Actor, conversation: Conversation) -> Conversation:
    """What was created elsewhere becomes ours: its creator is who asks, from here on it can be joined, counts for
    their budgets, and is no stranger to the guard. Raises NotPossible for one that is ours, or does not run."""
    with transaction.atomic():
        row = Conversation.objects.select_for_update(no_key=True).get(pk=conversation.pk)
        if row.made_here:
            raise NotPossible("conversation", f"It is {row.created_by or 'this console'}'s already.")
        if not row.is_active:
            raise NotPossible("conversation", "It has ended; only one that runs can be adopted.")
        row.made_here, row.created_by = True, actor.name[:200]
        row.created_by_user, row.created_by_key = actor.user_id, actor.api_key_ref or ""
        row.orphan_since, row.orphan_kind = None, ""
        row.save()
        append([noted(row, "adopted", actor, {"found_by": "person", "was": "made elsewhere"})])
    conversation.refresh_from_db()
    return conversation
