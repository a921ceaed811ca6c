"""The outbox: claim, settle, and what an inbound interaction does to an echo.

Each function that changes something is one conditional UPDATE, run by the log's writer in the transaction that also
writes the entries it belongs to. `held` is the condition that all of a worker's writes share: the room is still its
own; it comes first, so that everybody locks a room before its echoes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from conversations.models import Echo, EchoState, Interaction, InteractionState
from conversations.models.echo import FINAL_STATES, UNDER_WAY


@dataclass(frozen=True, slots=True)
class Tenure:
    """A worker's hold on a room: every write names it, so that a worker which lost the room changes nothing."""

    room_id: int
    conversation_id: int
    worker_id: int
    epoch: int


def held(tenure: Tenure) -> bool:
    """Whether the room is still this worker's, under this epoch; on PostgreSQL it stays so until the commit."""
    share = " FOR SHARE" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT 1 FROM conversations_room WHERE id = %s AND worker_id = %s AND epoch = %s{share}",
            [tenure.room_id, tenure.worker_id, tenure.epoch],
        )
        return cursor.fetchone() is not None


def which_are_held(cursor: CursorWrapper, tenures: list[Tenure]) -> set[Tenure]:
    """The same of many, asked at once."""
    share = " FOR SHARE" if cursor.db.vendor == "postgresql" else ""
    holders = ", ".join(["%s"] * len(tenures))
    cursor.execute(
        f"SELECT id, worker_id, epoch FROM conversations_room WHERE id IN ({holders}) ORDER BY id{share}",
        [tenure.room_id for tenure in tenures],
    )
    found = set(cursor.fetchall())
    return {tenure for tenure in tenures if (tenure.room_id, tenure.worker_id, tenure.epoch) in found}


# --- queueing ---


class Place(NamedTuple):
    """Where in its conversation's order an echo stands, who holds the room now, and who has its floor."""

    position: int
    worker: str | None
    floor_user_id: int | None
    floor_name: str
    floor_key_ref: str


_TAKE_PLACE = """
    UPDATE conversations_room SET last_position = last_position + %s WHERE conversation_id = %s AND wanted = 'joined'
    RETURNING last_position, (SELECT name FROM conversations_worker WHERE conversations_worker.id = worker_id),
        floor_user_id, floor_name, floor_key_ref
"""
_WAITING = "SELECT COUNT(*) FROM conversations_echo WHERE conversation_id = %s AND state IN ('queued', 'held')"


def take_place(conversation_id: int, count: int = 1) -> Place | None:
    """The next place in the queue, of several the last; None where nobody wants the room joined. The room's row is
    locked until the commit.

    In SQL, as all that each echo goes through: the ORM takes ten times as long to write such a statement as SQLite to
    run it.
    """
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_PLACE, [count, conversation_id])
        found = cursor.fetchone()
    return Place(*found) if found else None


def waiting(conversation_id: int) -> int:
    """How many echoes wait in a conversation."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, [conversation_id])
        count: int = cursor.fetchone()[0]
    return count


# --- looking ---


_NEXT = """
    SELECT * FROM conversations_echo WHERE conversation_id = %s AND state = 'queued' AND NOT EXISTS (
        SELECT 1 FROM conversations_interaction
        WHERE conversation_id = %s AND event_type = 'conversation.interrupt' AND state IN ('queued', 'sending'))
    ORDER BY position LIMIT 1
"""


def next_echo(conversation_id: int) -> Echo | None:
    """The first in the queue; none while an interrupt waits, which goes before everything."""
    return next(iter(Echo.objects.raw(_NEXT, [conversation_id, conversation_id])), None)


def under_way(conversation_id: int) -> list[Echo]:
    """What was claimed and has not ended, oldest first."""
    return list(Echo.objects.filter(conversation_id=conversation_id, state__in=UNDER_WAY).order_by("position"))


def queued_interactions(conversation_id: int) -> list[Interaction]:
    """What waits to be sent; interrupts before everything."""
    queued = Interaction.objects.filter(conversation_id=conversation_id, state=InteractionState.QUEUED)
    first = Case(When(event_type="conversation.interrupt", then=Value(0)), default=Value(1))
    return list(queued.order_by(first, "id"))


# --- claiming ---


_CLAIM = """
    UPDATE conversations_echo SET state = 'sending', sending_at = %s, epoch = %s, chunks = %s
    WHERE id = %s AND state = 'queued' AND revision = %s
"""


def claim_echo(tenure: Tenure, echo_id: int, *, revision: int, chunks: int) -> bool:
    """queued → sending, as its first `chunks` messages go to the log; False when it is not to be had.

    Nor is one that was edited after it was read, as its `revision` tells: it may still be queued, with other words.
    """
    if not held(tenure):
        return False
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [now, tenure.epoch, chunks, echo_id, revision])
        return cursor.rowcount == 1


def claim_next_text(tenure: Tenure) -> Echo | None:
    """`next_echo` and `claim_echo` in one, for one message; None, and nothing changed, where it is no text,
    or was edited in between."""
    first = next_echo(tenure.conversation_id)
    if first is None or first.modality != "text":
        return None
    return first if claim_echo(tenure, first.pk, revision=first.revision, chunks=1) else None


def _claim_more_sql(share: str) -> str:
    """Of the room's row and the echo's, in this order: the condition is looked at before the echo is changed."""
    states = ", ".join(f"'{state}'" for state in UNDER_WAY)
    return f"""
        UPDATE conversations_echo SET chunks = chunks + %s, chunks_sent = %s
        WHERE id = %s AND epoch = %s AND state IN ({states})
        AND EXISTS (SELECT 1 FROM conversations_room WHERE id = %s AND worker_id = %s AND epoch = %s{share})
    """


_CLAIM_MORE = {"postgresql": _claim_more_sql(" FOR SHARE"), "sqlite": _claim_more_sql("")}


def claim_more(tenure: Tenure, echo_id: int, *, chunks: int, sent: int) -> bool:
    """`chunks` further messages of an echo in hand go to the log; `sent` of all were taken by the SDK so far.

    One statement: it is asked many times a second for each room that speaks.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _CLAIM_MORE[connection.vendor],
            [chunks, sent, echo_id, tenure.epoch, tenure.room_id, tenure.worker_id, tenure.epoch],
        )
        return cursor.rowcount == 1


def claim_interaction(tenure: Tenure, interaction_id: int) -> bool:
    """queued → sending."""
    return held(tenure) and bool(
        Interaction.objects.filter(pk=interaction_id, state=InteractionState.QUEUED).update(
            state=InteractionState.SENDING, epoch=tenure.epoch
        )
    )


# --- settling ---


def mark_sent(tenure: Tenure, echo_id: int, *, at: datetime, sent: int, seconds: float) -> bool:
    """The SDK took the last message without error."""
    if not held(tenure):
        return False
    Echo.objects.filter(pk=echo_id, epoch=tenure.epoch).update(  # also of one that was spoken meanwhile
        state=Case(When(state=EchoState.SENDING, then=Value(EchoState.SENT)), default=F("state")),
        sent_at=at,
        chunks_sent=sent,
        seconds=seconds,
    )
    return True


def note_sent(tenure: Tenure, echo_id: int, sent: int) -> bool:
    """The SDK took so many messages of an echo that was stopped on the way."""
    if not held(tenure):
        return False
    Echo.objects.filter(pk=echo_id, epoch=tenure.epoch).update(chunks_sent=sent)
    return True


def mark_speaking(tenure: Tenure, echo_id: int, *, at: datetime, heard_id: str) -> bool:
    """The replica began."""
    if not held(tenure):
        return False
    _of(tenure, echo_id).filter(state__in=UNDER_WAY).update(
        state=EchoState.SPEAKING, speaking_at=Coalesce("speaking_at", Value(at)), heard_id=heard_id[:140]
    )
    return True


def mark_spoken(tenure: Tenure, echo_id: int, *, at: datetime) -> bool:
    """The replica ended by itself."""
    if not held(tenure):
        return False
    _of(tenure, echo_id).filter(state__in=UNDER_WAY).update(state=EchoState.SPOKEN, spoken_at=at, ended_at=at)
    return True


def mark_ended(
    tenure: Tenure, echo_id: int, *, state: str, reason: str, detail: str = "", at: datetime, sent: int | None = None
) -> bool:
    """Any other end of an echo that was claimed: interrupted, failed, unconfirmed."""
    if not held(tenure):
        return False
    changes: dict[str, Any] = {"state": state, "reason": reason, "detail": detail, "ended_at": at}
    if sent is not None:
        changes["chunks_sent"] = sent
    _of(tenure, echo_id).filter(state__in=UNDER_WAY).update(**changes)
    return True


def fail_queued(tenure: Tenure, echo_id: int, *, reason: str, detail: str) -> bool:
    """An echo that never left: its deadline passed or it can't be sent."""
    if not held(tenure):
        return False
    Echo.objects.filter(pk=echo_id, state=EchoState.QUEUED).update(
        state=EchoState.FAILED, reason=reason, detail=detail, ended_at=timezone.now()
    )
    return True


def settle_interaction(tenure: Tenure, interaction_id: int, **changes: Any) -> bool:
    """What became of an interaction that was claimed."""
    if not held(tenure):
        return False
    Interaction.objects.filter(pk=interaction_id, epoch=tenure.epoch).update(**changes)
    return True


def cancel_queued(conversation_id: int, *, reason: str, detail: str) -> list[str]:
    """Everything in the queue → cancelled; returns the inference ids. Call inside a transaction."""
    waiting = Echo.objects.filter(conversation_id=conversation_id, state__in=(EchoState.QUEUED, EchoState.HELD))
    cancelled = []
    for echo in waiting.order_by("position"):
        taken = Echo.objects.filter(pk=echo.pk, state__in=(EchoState.QUEUED, EchoState.HELD)).update(
            state=EchoState.CANCELLED, reason=reason, detail=detail, ended_at=timezone.now()
        )
        cancelled += [echo.inference_id] if taken else []
    return cancelled


# --- after a worker died ---


_IN_DOUBT = Q(state=EchoState.SENDING) | Q(state=EchoState.SPEAKING, sent_at__isnull=True)


def leftover_echoes(tenure: Tenure) -> list[Echo]:
    """Echoes that were still being sent under an older epoch."""
    mine = Echo.objects.filter(_IN_DOUBT, conversation_id=tenure.conversation_id, epoch__lt=tenure.epoch)
    return list(mine.order_by("position"))


def leftover_interactions(tenure: Tenure) -> list[Interaction]:
    """Interactions likewise."""
    mine = Interaction.objects.filter(conversation_id=tenure.conversation_id, epoch__lt=tenure.epoch)
    return list(mine.filter(state=InteractionState.SENDING).order_by("id"))


def give_up_leftovers(tenure: Tenure) -> bool:
    """What a dead epoch left in `sending` becomes unconfirmed; what it had sent is waited for by this epoch."""
    if not held(tenure):
        return False
    now = timezone.now()
    lost = "The worker that was sending it died; whether it arrived is not known. Say it again if it must be said."
    mine = Q(conversation_id=tenure.conversation_id, epoch__lt=tenure.epoch)
    Echo.objects.filter(_IN_DOUBT, mine).update(
        state=EchoState.UNCONFIRMED, reason="worker_lost", detail=lost, ended_at=now
    )
    Echo.objects.filter(mine, state__in=UNDER_WAY).update(epoch=tenure.epoch)
    Interaction.objects.filter(mine, state=InteractionState.SENDING).update(
        state=InteractionState.UNCONFIRMED, reason="worker_lost", detail=lost, ended_at=now
    )
    return True


def _of(tenure: Tenure, echo_id: int) -> Any:
    return Echo.objects.filter(pk=echo_id, epoch=tenure.epoch).exclude(state__in=FINAL_STATES)
