"""Workers, leases and rooms in the database: who holds what. All of it is the ORM, called off the loop."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone

from conversations import outbox
from conversations.bells import ECHO, INTERACTION
from conversations.models import Echo, Interaction, Room, RoomState, Wanted, Worker
from conversations.outbox import Tenure
from conversations.rooms import timing

HOST = socket.gethostname()
LEFT_OVER = (RoomState.JOINING, RoomState.JOINED, RoomState.LOST)


def name_of_this_process() -> str:
    """A worker's name that no other process has now."""
    return f"{HOST}-{os.getpid()}"


class NameTaken(RuntimeError):
    """Another process holds rooms under this worker's name."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A room that is this worker's now, with all that it needs to know to join it."""

    tenure: Tenure
    public_id: str
    upstream_id: str
    persona_ref: str | None
    url: str
    token: str
    takeover: bool  # another worker held it and did not leave
    handed_over: bool  # another worker is still in it, until this one has joined
    blind_since: datetime | None  # since when nobody of ours has been listening


@dataclass(frozen=True, slots=True)
class Look:
    """What the database says of a room that this worker holds."""

    held: bool
    wanted: bool
    ended: bool
    waits: frozenset[str] = frozenset()  # what is queued: ECHO, INTERACTION


def register(name: str, *, capacity: int, version: str) -> Worker:
    """This process as a worker; raises NameTaken while another process of that name is alive."""
    with transaction.atomic():
        row = Worker.objects.select_for_update().filter(name=name).first() or Worker(name=name)
        if row.pk and _alive(row):
            raise NameTaken(
                f"a worker called {name} runs on {row.host} (pid {row.pid}); give this one another ECHOADMIN_WORKER"
            )
        now = timezone.now()
        row.host, row.pid, row.version, row.capacity = HOST, os.getpid(), version, capacity
        row.drain_wanted = row.draining = False
        row.started_at, row.stopped_at, row.lease_until = now, None, now
        row.save()
        Room.objects.filter(worker=row).update(
            worker=None, epoch=F("epoch") + 1
        )  # a dead process of this name held them
    renew(row.pk)
    return row


def renew(worker_id: int) -> bool:
    """Another WORKER_LEASE from now, by the database's clock; False when the row is no longer this process's."""
    until = Now() + timedelta(seconds=settings.WORKER_LEASE)
    mine = Worker.objects.filter(pk=worker_id, host=HOST, pid=os.getpid(), stopped_at__isnull=True)
    return bool(mine.update(lease_until=until))


def retire(worker_id: int) -> None:
    """A clean end: the lease ends now."""
    mine = Worker.objects.filter(pk=worker_id, host=HOST, pid=os.getpid())
    mine.update(lease_until=Now(), stopped_at=Now())


def claim_free(worker: Worker, *, limit: int, holding: Collection[int]) -> list[Claimed]:
    """Take up to `limit` rooms that somebody wants joined and that no living worker holds.

    A room that is this worker's by its row, and not among the conversations that it is `holding`, was given up on the
    way, and is taken anew.
    """
    if limit <= 0:
        return []
    dead = Q(worker__isnull=True) | Q(worker__lease_until__lt=Now()) | Q(worker__in=[worker.pk, *_dead_here(worker)])
    due = Q(next_try_at__isnull=True) | Q(next_try_at__lte=Now())
    wanting = Room.objects.filter(
        dead,
        due,
        wanted=Wanted.JOINED,
        tries__lt=timing.JOIN_TRIES,
        conversation__status="active",
        conversation__state="live",
    )
    rooms = wanting.exclude(conversation__in=holding).select_related("conversation__persona").order_by("id")[:limit]
    return [claimed for room in rooms if (claimed := _claim(worker, room))]


def drain(worker_id: int) -> None:
    """From now on it takes no further room."""
    Worker.objects.filter(pk=worker_id, host=HOST, pid=os.getpid()).update(draining=True)


def take_again(worker_id: int) -> None:
    """From now on it takes rooms again."""
    Worker.objects.filter(pk=worker_id, host=HOST, pid=os.getpid()).update(draining=False)


def is_to_drain(worker_id: int) -> bool:
    """Whether somebody wants this worker to give its rooms away."""
    return bool(Worker.objects.filter(pk=worker_id).values_list("drain_wanted", flat=True).first())


def has_successor(worker: Worker) -> bool:
    """Whether another worker lives that has room for one more."""
    stays = {"stopped_at": None, "draining": False, "drain_wanted": False}
    others = Worker.objects.filter(**stays, lease_until__gt=Now()).exclude(pk=worker.pk)
    free = others.exclude(pk__in=_dead_here(worker)).annotate(held=Count("rooms")).filter(held__lt=F("capacity"))
    return free.exists()


def joined_by_another(tenure: Tenure) -> bool:
    """Whether a later epoch is in the room by now, or nobody wants it any more."""
    room = Room.objects.filter(pk=tenure.room_id).values_list("epoch", "state", "wanted").first()
    if room is None:
        return True
    epoch, state, wanted = room
    return wanted != Wanted.JOINED or (epoch > tenure.epoch and state == RoomState.JOINED)


def _claim(worker: Worker, room: Room) -> Claimed | None:
    taken = Room.objects.filter(pk=room.pk, epoch=room.epoch, wanted=Wanted.JOINED).update(
        worker=worker, epoch=F("epoch") + 1, state=RoomState.JOINING, error="", participants=[], replica_present=False
    )
    if not taken:
        return None
    conversation = room.conversation
    takeover, handed_over = room.state in LEFT_OVER, room.state == RoomState.LEAVING
    return Claimed(
        tenure=Tenure(room.pk, conversation.pk, worker.pk, room.epoch + 1),
        public_id=conversation.public_id,
        upstream_id=str(conversation.upstream_id),
        persona_ref=conversation.persona.public_id if conversation.persona else None,
        url=conversation.conversation_url,
        token=conversation.meeting_token,
        takeover=takeover,
        handed_over=handed_over,
        blind_since=room.last_seen_at if takeover or handed_over else None,
    )


def look(tenures: Iterable[Tenure]) -> dict[Tenure, Look]:
    """Of each room: whether it is still ours and wanted, its conversation runs, and something waits. One query."""
    by_room = {tenure.room_id: tenure for tenure in tenures}
    found = dict.fromkeys(by_room.values(), Look(held=False, wanted=False, ended=False))
    rooms = Room.objects.filter(pk__in=by_room).annotate(echo=_queued(Echo), interaction=_queued(Interaction))
    names = ("pk", "worker_id", "epoch", "wanted", "conversation__status", "conversation__state", ECHO, INTERACTION)
    for pk, worker_id, epoch, wanted, status, state, echo, interaction in rooms.values_list(*names):
        tenure = by_room[pk]
        if (worker_id, epoch) == (tenure.worker_id, tenure.epoch):
            ended = status == "ended" or state in ("gone", "rejected")
            waits = frozenset({ECHO} if echo else ()) | ({INTERACTION} if interaction else set())
            found[tenure] = Look(held=True, wanted=wanted == Wanted.JOINED, ended=ended, waits=waits)
    return found


def _queued(kind: type[Echo] | type[Interaction]) -> Exists:
    return Exists(kind.objects.filter(conversation=OuterRef("conversation"), state="queued"))


def update_room(tenure: Tenure, **changes: object) -> bool:
    """Write to the room's row while it is ours; False when it no longer is."""
    mine = Room.objects.filter(pk=tenure.room_id, worker_id=tenure.worker_id, epoch=tenure.epoch)
    return bool(mine.update(**changes))


def release(
    tenure: Tenure, *, state: str, error: str = "", next_try_at: datetime | None = None, **more: object
) -> bool:
    """Give the room back: nobody holds it, and `state` says how it was left."""
    return update_room(
        tenure,
        **more,
        worker=None,
        state=state,
        error=error,
        next_try_at=next_try_at,
        participants=[],
        replica_present=False,
        session_id="",
    )


def cancel_after_end(tenure: Tenure) -> list[str]:
    """A conversation ended: what still waits in its queue is cancelled, and nobody wants its room any more."""
    with transaction.atomic():
        Room.objects.filter(pk=tenure.room_id).update(wanted=Wanted.IDLE)
        return outbox.cancel_queued(
            tenure.conversation_id, reason="conversation_ended", detail="The conversation ended before it was said."
        )


def ask_for_sync(tenure: Tenure) -> None:
    """The room went away by itself: let a duty ask upstream what became of the conversation."""
    from conversations.models import Conversation

    Conversation.objects.filter(pk=tenure.conversation_id).update(sync_wanted_at=timezone.now())


def _dead_here(worker: Worker) -> list[int]:
    """Workers of this host whose process is gone: no need to wait for their lease to end."""
    neighbours = Worker.objects.filter(host=HOST, stopped_at__isnull=True).exclude(pk=worker.pk)
    return [row.pk for row in neighbours if not _running(row.pid)]


def _alive(row: Worker) -> bool:
    if row.stopped_at or row.lease_until < timezone.now():
        return False
    return row.host != HOST or (row.pid != os.getpid() and _running(row.pid))


def _running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
