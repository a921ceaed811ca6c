"""What an inbound app message becomes: an entry, always; and, where it tells of an echo, that echo's next state."""

from __future__ import annotations

import binascii
from functools import partial
from typing import TYPE_CHECKING, Any

import pybase64

from conversations import interactions, outbox
from conversations.interactions import Reading
from conversations.models import EchoState
from conversations.rooms.ends import Stop
from conversations.rooms.events import Dropped, Heard
from conversations.rooms.matching import Hearing
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
        _stop_sending(room, hearing)
        steps = room.echoes.steps
        if steps is not None and steps.echo.pk == hearing.echo_id:
            steps.hear(hearing.change, event.at)
        if room.echoes.current is not None:
            room.echoes.stir()
    if reading.fact == "shutdown":
        room.conversation_is_ending()


def dropped(room: LiveRoom, event: Dropped) -> None:
    """Messages that the SDK got and could not read, or that were too many: they are counted."""
    if not event.sender or room.people.knows(event.sender):
        facts = {"count": event.count, "reason": event.reason}
        room.log.later([room.log.draft("dropped", facts, is_error=True, sender=event.sender or None)])


def _stop_sending(room: LiveRoom, hearing: Hearing) -> None:
    """Somebody else interrupted the echo while it was still being sent: the replica hears no more of it."""
    current = room.echoes.current
    if hearing.change == "interrupted" and current is not None and current.pk == hearing.echo_id:
        room.echoes.halt(interrupted_in_the_room())


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
    stop = room.echoes.stop or interrupted_in_the_room()
    return partial(
        outbox.mark_ended,
        tenure,
        hearing.echo_id,
        state=EchoState.INTERRUPTED,
        reason=stop.reason,
        detail=stop.detail,
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


def interrupted_in_the_room() -> Stop:
    """Why an echo ended that nobody here stopped."""
    return Stop(EchoState.INTERRUPTED, "interrupted_in_the_room", "Somebody else in the room interrupted it.")


def _samples(message: Any) -> bytes | None:
    """The PCM of somebody else's audio echo; None where it is no base64 (the body then keeps it as it came)."""
    properties = message.get("properties") if isinstance(message, dict) else None
    encoded = properties.get("audio") if isinstance(properties, dict) else None
    if not isinstance(encoded, str):
        return None
    try:
        return pybase64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
