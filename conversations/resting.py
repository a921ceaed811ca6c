"""What a restored copy does not take up: it must say nothing again, and not act beside the original that may still run.

Nobody is in a room; what was queued is cancelled, and what was being said or sent is unconfirmed: whether the original
said it is not known here. Who waited for a slot waits no more: the original may have created it, and it costs. Runs are
stopped, webhooks out that waited have failed; both can be begun again by people. Of all this no subscription is told.
"""

from __future__ import annotations

from django.db.models import F
from django.utils import timezone

from conversations.models import (
    Echo,
    EchoState,
    Interaction,
    InteractionState,
    RequestState,
    Room,
    RoomState,
    SlotRequest,
    StateChange,
    Wanted,
    Worker,
)
from conversations.models.echo import UNDER_WAY
from echoadmin.deliveries.models import Delivery, DeliveryState
from echoadmin.duties import Duty
from echoadmin.installation import Console, Installation
from echoadmin.runs import ENDED, Run, RunState

REASON = "restored"
WORDS = "It was under way when the backup was made that this console was restored from."


def come_to_rest() -> dict[str, int]:
    """In the open transaction; how much of each was brought to an end."""
    now = timezone.now()
    Installation.objects.update(at_rest_since=now)
    Console.objects.all().delete()
    Worker.objects.filter(stopped_at=None).update(stopped_at=now, lease_until=now)
    Duty.objects.update(holder="", lease_until=None, next_run_at=now, epoch=F("epoch") + 1)
    ended = {
        "rooms": _leave_rooms(),
        "queued": _end_echoes((EchoState.QUEUED, EchoState.HELD), EchoState.CANCELLED),
        "under_way": _end_echoes(UNDER_WAY, EchoState.UNCONFIRMED),
        "interactions": _end_interactions(),
        "runs": Run.objects.exclude(state__in=ENDED).update(
            state=RunState.STOPPED, error=WORDS, holder="", lease_until=None, ended_at=now, epoch=F("epoch") + 1
        ),
        "slot_requests": SlotRequest.objects.filter(state__in=(RequestState.WAITING, RequestState.CREATING)).update(
            state=RequestState.CANCELLED, ended_at=now
        ),
        "webhooks_out": Delivery.objects.filter(state=DeliveryState.WAITING).update(
            state=DeliveryState.FAILED, next_try_at=None, ended_at=now
        ),
    }
    StateChange.objects.all().delete()
    return ended


def _leave_rooms() -> int:
    wanted = Room.objects.exclude(wanted=Wanted.IDLE, state=RoomState.IDLE)
    return wanted.update(
        wanted=Wanted.IDLE, state=RoomState.IDLE, worker=None, epoch=F("epoch") + 1, error="", next_try_at=None,
        participants=[], replica_present=False, session_id="",
    )  # fmt: skip


def _end_echoes(states: tuple[str, ...], end: str) -> int:
    ended = Echo.objects.filter(state__in=states)
    return ended.update(state=end, reason=REASON, detail=WORDS, ended_at=timezone.now())


def _end_interactions() -> int:
    now = timezone.now()
    ends = {InteractionState.QUEUED: InteractionState.CANCELLED, InteractionState.SENDING: InteractionState.UNCONFIRMED}
    return sum(
        Interaction.objects.filter(state=state).update(state=end, reason=REASON, detail=WORDS, ended_at=now)
        for state, end in ends.items()
    )
