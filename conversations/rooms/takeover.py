"""What a dead worker left in a room: told in the log and settled in the outbox before this one sends anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from conversations import outbox
from conversations.outbox import Tenure
from echoadmin.log import reader
from echoadmin.log.models import Entry
from echoadmin.log.writer import Draft

if TYPE_CHECKING:
    from conversations.rooms.room import LiveRoom

MOST = 5_000  # messages that an SDK may have taken and not sent
MOST_TOLD = 100  # entries that name such messages
PROOF = timedelta(seconds=1)  # what was to leave so long before the dead one heard something has left


@dataclass(frozen=True, slots=True)
class Leftover:
    """Entries of which nobody can tell whether they left; `audio`: the replica waits for the rest of it."""

    ns: list[int]
    inference_id: str | None = None
    echo_id: int | None = None
    audio: bool = False


async def take_over(room: LiveRoom) -> None:
    """Entries and states in one transaction. Raises TenureLost."""
    if room.claimed.takeover:  # first what the dead one put on this machine's disk because it had no database
        room.desk.writer.adopt()
        await room.desk.write([], room.desk.held(room.tenure))
    left = await room.desk.insist(left_behind, room.tenure, room.public_id, crashed=room.claimed.takeover)
    await room.desk.write(
        [_uncertain(room, one) for one in left if one.ns], lambda: outbox.give_up_leftovers(room.tenure)
    )
    if any(one.audio for one in left):
        await room.interactions.interrupt_soon("The worker that was sending audio died before its end.")


def left_behind(tenure: Tenure, public_id: str, *, crashed: bool) -> list[Leftover]:
    """What an earlier epoch was sending, and what it may have handed to an SDK that died with it."""
    found: list[Leftover] = []
    told = _told(public_id)
    for echo in outbox.leftover_echoes(tenure):
        ns = list(_outbound(public_id).filter(echo_id=echo.pk).order_by("n").values_list("n", flat=True))
        doubted = [n for n in ns[echo.chunks_sent :] if n not in told]
        found.append(Leftover(doubted, echo.inference_id, echo.pk, echo.modality == "audio"))
    for interaction in outbox.leftover_interactions(tenure):
        newest = _outbound(public_id).filter(echo_id__isnull=True, event_type=interaction.event_type).order_by("-n")
        found.append(Leftover(list(newest.values_list("n", flat=True)[:1])))
    if crashed:
        named = told.union(*(one.ns for one in found))
        found.append(Leftover([n for n in _unproven(public_id) if n not in named]))
    return found


def _told(public_id: str) -> set[int]:
    """Outbound entries of which it is in the log already that they did not leave, or perhaps not."""
    named = Entry.objects.filter(stream__public_id=public_id, kind="room", event_type__in=("uncertain", "not_sent"))
    facts = reader.messages(list(named.order_by("-n")[:MOST_TOLD]))
    return {n for one in facts for first, last in one["ranges"] for n in range(first, last + 1)}


def _unproven(public_id: str) -> list[int]:
    """Outbound entries that nothing was heard after: the SDK had them, and may have died before it sent them."""
    inbound = Entry.objects.filter(stream__public_id=public_id, direction="in", kind="app_message")
    heard_at = inbound.order_by("-n").values_list("at", flat=True).first()
    newest = _outbound(public_id).order_by("-n").values_list("n", "at")[:MOST]
    return sorted(n for n, at in newest if heard_at is None or at > heard_at - PROOF)


def _outbound(public_id: str) -> Any:
    return Entry.objects.filter(stream__public_id=public_id, direction="out", kind="app_message")


def _uncertain(room: LiveRoom, left: Leftover) -> Draft:
    return room.log.numbers(
        "uncertain", [*left.ns], "worker_lost", inference_id=left.inference_id, echo_id=left.echo_id
    )
