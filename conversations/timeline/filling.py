"""What Tavus tells of a conversation that this console did not get itself: the events of a verbose look, and the lines
of its transcript that were said while nobody of ours listened.

An event counts as received when a webhook of the same type and time is in the log, or an app message that tells the
same about that time. The transcript's lines are only needed where the console was not in the room.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from conversations import interactions
from conversations.models import Conversation, Gap, GapKind
from echoadmin.log import reader
from echoadmin.log.chain import canonical
from echoadmin.log.models import Entry, Kind
from echoadmin.mirror.kinds import instant

ABOUT_THEN = timedelta(seconds=15)  # between Tavus's time of something and ours
TRANSCRIPT = "application.transcription_ready"
MOST_WEBHOOKS = 500
TOLD_TWICE = ("joined", "shutdown")  # facts that come as app messages, too


_Span = tuple[datetime, datetime | None]


@dataclass(frozen=True, slots=True)
class Filled:
    """Something that Tavus tells and this console did not get. `id` is the same at each look."""

    id: str
    at: datetime
    event_type: str
    message: dict[str, Any]
    in_room: bool  # whether the console was there, and missed it all the same


def filled_in(conversation: Conversation) -> list[Filled]:
    """In the order of their times."""
    webhooks = _webhooks(conversation)
    events = [event for event in _list(conversation.payload.get("events")) if isinstance(event.get("event_type"), str)]
    out = _out_of_room(conversation)
    found = [*_events(conversation, events, webhooks, out), *_lines(conversation, [*events, *webhooks], out)]
    return sorted({one.id: one for one in found}.values(), key=lambda one: one.at)


def moment(value: Any) -> datetime | None:
    """Tavus's time of something: ISO 8601, or seconds since 1970."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e11:
        return datetime.fromtimestamp(value, UTC)
    return instant(value)


def _events(
    conversation: Conversation, events: list[dict[str, Any]], webhooks: list[dict[str, Any]], out: list[_Span]
) -> Iterator[Filled]:
    received = {(event.get("event_type"), str(event.get("timestamp"))) for event in webhooks}
    told = [*_told_in_room(conversation), *_told_by(webhooks)] if events else []
    for event in events:
        event_type, at = str(event["event_type"]), moment(event.get("timestamp"))
        if at is None or (event_type, str(event.get("timestamp"))) in received:
            continue
        fact = interactions.read({"event_type": event_type}).fact
        if fact in TOLD_TWICE and any(fact == known and abs(at - then) <= ABOUT_THEN for known, then in told):
            continue
        if fact in TOLD_TWICE:
            told.append((fact, at))  # replica_joined and pal_joined are one thing
        yield _filled(at, event_type, event, out)


def _lines(conversation: Conversation, events: list[dict[str, Any]], out: list[_Span]) -> Iterator[Filled]:
    """Lines of the transcript that were said while the console was out of the room."""
    if not out:
        return
    for event in events:
        if event.get("event_type") != TRANSCRIPT:
            continue
        properties = event.get("properties")
        for line in _list(properties.get("transcript") if isinstance(properties, dict) else None):
            at = moment(line.get("timestamp"))
            if at is not None and line.get("content") and _inside(at, out) and not _heard(conversation, line, at):
                yield _filled(at, "transcript.line", line, out)


def _heard(conversation: Conversation, line: dict[str, Any], at: datetime) -> bool:
    """Whether the log has the words from about that time all the same."""
    utterances = Entry.objects.filter(
        stream__public_id=conversation.public_id,
        event_type="conversation.utterance",
        at__gte=at - ABOUT_THEN,
        at__lte=at + ABOUT_THEN,
    )
    return utterances.filter(said=str(line["content"])).exists()


def _filled(at: datetime, event_type: str, message: dict[str, Any], out: list[_Span]) -> Filled:
    name = sha256(canonical([event_type, message]).encode("ascii")).hexdigest()[:16]
    return Filled(name, at, event_type, message, in_room=not _inside(at, out))


def _out_of_room(conversation: Conversation) -> list[_Span]:
    spans = Gap.objects.filter(conversation=conversation, kind=GapKind.NOT_IN_ROOM)
    return list(spans.values_list("from_at", "to_at"))


def _inside(at: datetime, spans: Iterable[_Span]) -> bool:
    return any(start <= at and (end is None or at <= end) for start, end in spans)


def _webhooks(conversation: Conversation) -> list[dict[str, Any]]:
    entries = Entry.objects.filter(stream__public_id=conversation.public_id, kind=Kind.WEBHOOK).order_by("-n")
    return [message for message in reader.messages(list(entries[:MOST_WEBHOOKS])) if isinstance(message, dict)]


def _told_in_room(conversation: Conversation) -> list[tuple[str, datetime]]:
    """Facts of app messages, and when: of the kinds that Tavus also tells in its events."""
    names = [f"system.{word}_joined" for word in ("replica", "pal", "face")] + ["system.shutdown"]
    entries = Entry.objects.filter(
        stream__public_id=conversation.public_id, kind=Kind.APP_MESSAGE, direction="in", event_type__in=names
    )
    rows = entries.order_by("n").values_list("event_type", "at")[:1000]
    return [(str(interactions.read({"event_type": name}).fact), at) for name, at in rows]


def _told_by(webhooks: list[dict[str, Any]]) -> Iterator[tuple[str, datetime]]:
    """Facts that came by webhook, under whichever of their two names."""
    for event in webhooks:
        fact, at = interactions.read({"event_type": event.get("event_type")}).fact, moment(event.get("timestamp"))
        if fact is not None and at is not None:
            yield fact, at


def _list(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
