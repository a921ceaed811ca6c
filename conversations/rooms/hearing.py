"""What an inbound app message becomes: an entry, always; and, where it tells of an echo, that echo's next state."""

from __future__ import annotations

import base64
import binascii
from functools import partial
from typing import TYPE_CHECKING, Any

from conversations import interactions, outbox
from conversations.interactions import Reading
from conversations.models import EchoState
from conversations.outbox import Tenure
from conversations.rooms.events import Heard
from conversations.rooms.matching import Hearing
from echoadmin.log.models import Entry
from echoadmin.log.writer import Draft

if TYPE_CHECKING:
    from conversations.rooms.room import LiveRoom


def heard(room: LiveRoom, event: Heard) -> None:
    """On the loop: put the entry and what it changes into the log's writer, in order of arrival."""
    reading = interactions.read(event.message)
    _note_replica(room, event, reading)
    hearing = room.matcher.hear(reading)
    draft = _draft(room, event, reading, hearing)
    room.log.later([draft], _effect(room, event, reading, hearing))
    if hearing is not None:
        room.echoes.stir()
    if reading.fact == "shutdown":
        room.conversation_is_ending()


def left_behind(tenure: Tenure, public_id: str) -> list[tuple[str | None, int | None, list[int], bool]]:
    """What a dead epoch was sending: inference id, echo, the numbers of the entries in doubt, whether it is audio."""
    found: list[tuple[str | None, int | None, list[int], bool]] = []
    for echo in outbox.leftover_echoes(tenure):
        ns = _outbound(public_id).filter(echo_id=echo.pk).order_by("n").values_list("n", flat=True)
        found.append((echo.inference_id, echo.pk, list(ns)[echo.chunks_sent :], echo.modality == "audio"))
    for interaction in outbox.leftover_interactions(tenure):
        newest = _outbound(public_id).filter(echo_id__isnull=True, event_type=interaction.event_type).order_by("-n")
        found.append((None, None, list(newest.values_list("n", flat=True)[:1]), False))
    return found


def _outbound(public_id: str) -> Any:
    return Entry.objects.filter(stream__public_id=public_id, direction="out", kind="app_message")


def _note_replica(room: LiveRoom, event: Heard, reading: Reading) -> None:
    """The replica tells that it is there by its own messages, whatever its participant's record says."""
    heartbeat = reading.fact in ("present", "joined")
    if heartbeat:
        room.replica_here(event.sender)
    room.people.heard(event.sender, room.loop.time(), heartbeat=heartbeat)


def _effect(room: LiveRoom, event: Heard, reading: Reading, hearing: Hearing | None) -> Any:
    tenure = room.tenure
    if hearing is None or hearing.change is None:
        return None
    if hearing.change == "speaking":
        return partial(outbox.mark_speaking, tenure, hearing.echo_id, at=event.at, heard_id=reading.inference_id or "")
    if hearing.change == "spoken":
        return partial(outbox.mark_spoken, tenure, hearing.echo_id, at=event.at)
    stop = room.echoes.stop
    return partial(
        outbox.mark_ended,
        tenure,
        hearing.echo_id,
        state=EchoState.INTERRUPTED,
        reason=stop.reason if stop else "interrupted_in_the_room",
        detail=stop.detail if stop else "Somebody else in the room interrupted it.",
        at=event.at,
    )


def _draft(room: LiveRoom, event: Heard, reading: Reading, hearing: Hearing | None) -> Draft:
    return Draft(
        stream=room.public_id,
        kind="app_message",
        event_type=reading.event_type,
        at=event.at,
        direction="in",
        family=reading.family,
        sender=event.sender,
        sender_name=room.people.name(event.sender),
        inference_id=reading.inference_id,
        echo_id=hearing.echo_id if hearing else None,
        conversation_ref=room.public_id,
        persona_ref=room.persona_ref,
        epoch=room.tenure.epoch,
        seq=reading.seq,
        message=event.message,
        samples=_samples(event.message) if reading.fact == "echo" else None,
        said=interactions.said(event.message),
    )


def _samples(message: Any) -> bytes | None:
    """The PCM of somebody else's audio echo; None where it is no base64 (the body then keeps it as it came)."""
    properties = message.get("properties") if isinstance(message, dict) else None
    encoded = properties.get("audio") if isinstance(properties, dict) else None
    if not isinstance(encoded, str):
        return None
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
