"""Drain a worker, or let it take rooms again: a wish in the database, which its process obeys at its next look."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Count, Q, QuerySet

from conversations import bells
from conversations.models import Room, RoomState, Worker
from conversations.refusals import NotNow
from echoadmin.actors import Actor
from echoadmin.log.writer import append
from echoadmin.mirror.kinds import account_entry


def counted(rows: QuerySet[Worker]) -> QuerySet[Worker]:
    """The same workers, each with the number of rooms that it holds, as `held`. One query."""
    return rows.annotate(held=Count("rooms", filter=~Q(rooms__state=RoomState.IDLE)))


def rooms_of(worker: Worker) -> QuerySet[Room]:
    """The rooms that it holds, the oldest first, with their conversations."""
    held = Room.objects.filter(worker=worker).exclude(state=RoomState.IDLE)
    return held.select_related("conversation").order_by("id")


def drain(*, actor: Actor, worker: Worker) -> Worker:
    """Want its rooms given to other workers, each after the echo in hand. A `runrooms` process then ends; one inside a
    console takes no room until `take_again`. Twice is once; raises NotNow for one that no longer lives.
    """
    return _want(actor, worker, drain_wanted=True)


def take_again(*, actor: Actor, worker: Worker) -> Worker:
    """Want it to take rooms again. Twice is once; raises NotNow for one that no longer lives."""
    return _want(actor, worker, drain_wanted=False)


def _want(actor: Actor, worker: Worker, *, drain_wanted: bool) -> Worker:
    with transaction.atomic():
        held = Worker.objects.select_for_update().get(pk=worker.pk)
        if held.life in ("stopped", "stale"):
            raise NotNow("worker", f"It is {held.life}: no process is there to obey. Its rooms are taken by others.")
        if held.drain_wanted != drain_wanted:
            held.drain_wanted = drain_wanted
            held.save(update_fields=["drain_wanted"])
            facts = {"worker": held.name, "host": held.host, "pid": held.pid, "source": actor.source}
            append([account_entry(f"worker.{'drain' if drain_wanted else 'take'}_asked", actor, facts)])
        bells.ring_worker_on_commit(held.name)
    return held
