"""Making deliveries of changes: what each is called, what is told of it, and by whom it is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from django.db import models, transaction
from django.utils.dateparse import parse_datetime

from conversations.changes.triggers import WATCHED
from conversations.models import Conversation, Echo, EchoState, Room, StateChange, Worker
from conversations.serializers import ConversationSerializer, RoomSerializer, echo_dict
from echoadmin.deliveries.publishing import Event, event_type, publish_all, wanting

BATCH = 100  # changes in a transaction, so that the log's writer never waits long for SQLite's one lock

for _state in EchoState:
    event_type(f"echo.{_state}", f"An echo is {_state} now.")
for _name, _what in {
    "room.joining": "A worker is about to join a room.",
    "room.joined": "The console is in a room.",
    "room.lost": "The connection to a room is lost; it is joined again.",
    "room.leaving": "The console is about to leave a room.",
    "room.left": "The console has left a room.",
    "room.failed": "A room can't be joined.",
    "conversation.created": "A conversation was made here and runs.",
    "conversation.found": "A conversation that was made elsewhere is in the mirror now.",
    "conversation.ended": "A conversation ended; its cost with it.",
    "conversation.unknown": "It is not known whether Tavus made a conversation.",
    "conversation.rejected": "Tavus refused to make a conversation.",
    "conversation.gone": "Tavus has a conversation no more.",
    "conversation.returned": "Tavus has one again that was gone.",
}.items():
    event_type(_name, _what)

# Words that were said, and what may hold some: they can be erased here, and not where they were told to.
UNTOLD_OF_ECHO = ("text",)
UNTOLD_OF_ROOM = ("participants",)
UNTOLD_OF_CONVERSATION = ("payload", "conversational_context", "properties", "room")


def tell_changes(limit: int = BATCH) -> int:
    """Makes deliveries of the oldest changes; returns how many changes there were. Call it outside of transactions.

    The changes go as the deliveries come, in one transaction: each is told once, whoever dies in between.
    """
    changes = list(StateChange.objects.order_by("id")[:limit])
    if not changes:
        return 0
    events = events_of(changes)
    with transaction.atomic():
        deleted, _ = StateChange.objects.filter(pk__in=[change.pk for change in changes]).delete()
        if deleted != len(changes):  # another process was faster
            transaction.set_rollback(True)
            return 0
        publish_all(events, wanting())
    return len(changes)


def events_of(changes: Iterable[StateChange]) -> list[Event]:
    """What is told of changes, in their order: nothing of a row that is gone, or of a change that has no name."""
    by_subject: dict[str, list[StateChange]] = {}
    for change in changes:
        by_subject.setdefault(change.subject, []).append(change)
    made = {subject: _ROWS[subject]({change.row_id for change in some}) for subject, some in by_subject.items()}
    events = []
    for change in sorted((one for some in by_subject.values() for one in some), key=lambda one: one.pk):
        row = made[change.subject].get(change.row_id)
        if row is not None:
            _put_back(row, change)
            events += _EVENTS[change.subject](row, change)
    return events


def _put_back(row: models.Model, change: StateChange) -> None:
    """The columns as the change left them: by now the row may be further."""
    for name, value in change.facts.items():
        field = row._meta.get_field(name)
        if isinstance(field, models.DateTimeField):
            setattr(row, name, _instant(value))
        else:  # SQLite has no booleans of its own
            setattr(row, name, bool(value) if isinstance(field, models.BooleanField) else value)


def _instant(value: str | None) -> datetime | None:
    found = parse_datetime(value) if value else None
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found


def _echo_events(row: Echo, change: StateChange) -> list[Event]:
    return [_event(f"echo.{change.state}", _without(echo_dict(row), UNTOLD_OF_ECHO), row.inference_id, change, row)]


def _room_events(row: Room, change: StateChange) -> list[Event]:
    if not change.was:  # every conversation has one, idle until somebody wants it
        return []
    row.worker = Worker.objects.filter(pk=row.worker_id).first() if row.worker_id else None
    conversation = row.conversation
    data = {
        "conversation": conversation.public_id,
        "conversation_id": conversation.upstream_id,
        **_without(RoomSerializer(row).data, UNTOLD_OF_ROOM),
    }
    name = "left" if change.state == "idle" else change.state
    return [_event(f"room.{name}", data, conversation.public_id, change, row)]


def _conversation_events(row: Conversation, change: StateChange) -> list[Event]:
    data = _without(ConversationSerializer(row).data, UNTOLD_OF_CONVERSATION)
    return [
        Event(f"conversation.{name}", data, row.public_id, change.at, row.public_id, _persona_of(row))
        for name in conversation_names(change.was, change.state)
    ]


def conversation_names(was: str, now: str) -> list[str]:
    """What a change of `state/status` is called: several names at once, or none.

    One that was made elsewhere comes into the mirror as it is: whether it ended long ago is in what is told of it.
    """
    old_state, _, old_status = was.partition("/")
    state, _, status = now.partition("/")
    if not was:
        return ["found"] if state == "live" else []
    names = []
    if state != old_state:
        if state == "live":
            names.append("returned" if old_state == "gone" else "created")
        elif state != "reserved":
            names.append(state)
    if status == "ended" and old_status != "ended":
        names.append("ended")
    return names


def _event(name: str, data: Mapping[str, Any], ref: str, change: StateChange, row: Echo | Room) -> Event:
    conversation = row.conversation
    return Event(name, data, ref, change.at, conversation.public_id, _persona_of(conversation))


def _persona_of(conversation: Conversation) -> str:
    return conversation.persona.public_id if conversation.persona else ""


def _without(data: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in names}


def _echoes(ids: set[int]) -> dict[int, Echo]:
    return Echo.objects.select_related("conversation__persona", "again_of").in_bulk(ids)


def _rooms(ids: set[int]) -> dict[int, Room]:
    return Room.objects.select_related("conversation__persona").in_bulk(ids)


def _conversations(ids: set[int]) -> dict[int, Conversation]:
    return Conversation.objects.select_related("persona", "replica", "room__worker").in_bulk(ids)


_ROWS: dict[str, Any] = {"echo": _echoes, "room": _rooms, "conversation": _conversations}
_EVENTS: dict[str, Any] = {"echo": _echo_events, "room": _room_events, "conversation": _conversation_events}
assert set(_ROWS) == {watched.subject for watched in WATCHED}
