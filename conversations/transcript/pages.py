"""A page of a conversation's transcript: entries of the log, oldest first, and the echoes that they belong to."""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from conversations.models import Conversation
from conversations.serializers import echo_dict
from echoadmin.log import reader
from echoadmin.log.api import shown
from echoadmin.log.models import Direction, Entry, EntryQuerySet, Kind
from echoadmin.log.pages.lines import without_noise

PAGE = 100  # entries
SAID = ("conversation.echo", "conversation.utterance", "conversation.interrupt", "echo.interrupt")

SHOWS: dict[str, tuple[str, Q]] = {
    "": ("Everything", Q()),
    "said": ("What was said", Q(event_type__in=SAID)),
    "audio": ("Audio", Q(direction=Direction.OUT, clip_id__isnull=False)),
    "room": ("The room", Q(kind=Kind.ROOM) | Q(event_type__startswith="system.") | Q(event_type__startswith="room.")),
    "calls": ("Calls and webhooks", Q(kind__in=(Kind.UPSTREAM, Kind.WEBHOOK))),
    "wrong": ("What went wrong", Q(is_error=True)),
}
"""What can be shown: its name in an address, its words, and which entries it is. filters.js decides the same of an
entry that arrives."""

_LOOKS = Q(kind=Kind.UPSTREAM, actor="system", event_type__startswith="GET ", is_error=False)
"""The console's own looks at how it stands: one every now and then, and nobody asked for them."""

_CHUNKS = Q(direction=Direction.OUT, clip_start__gt=0)
_OF_A_CALL = ("method", "path", "status", "error", "seconds")  # of its message, what a row tells


def transcript_page(
    conversation: Conversation,
    *,
    show: str = "",
    find: str = "",
    noise: bool = False,
    every: bool = False,
    after: int = 0,
    before: int | None = None,
) -> dict[str, Any]:
    """The newest 100 entries with `after` < n < `before`: {entries, echoes, more}.

    Without heartbeats, single words and the console's own looks unless `noise`, with the first chunk alone of an audio
    echo unless `every`.
    `find`: what is in the words, the type or the name of who did it, in any case: within one conversation it needs no
    index, and finds what came a moment ago. Raises FilterError for an unknown `show`.
    """
    if show not in SHOWS:
        raise reader.FilterError({"show": [f"Is one of: {', '.join(name or 'nothing' for name in SHOWS)}."]})
    found = reader.filtered({"conversation": conversation.public_id})
    found = _quiet(found, noise=noise, every=every).filter(SHOWS[show][1] & _words(find))
    if not noise and show != "calls":
        found = found.exclude(_LOOKS)
    rows = reader.read(found, after + 1, reader.HIGHEST if before is None else before, PAGE + 1)
    entries = rows[:PAGE][::-1]
    return {
        "entries": [_lean(entry) for entry in shown(entries, audio=False)],
        "echoes": _echoes(conversation, entries),
        "more": len(rows) > PAGE,
    }


def _quiet(found: EntryQuerySet, *, noise: bool, every: bool) -> EntryQuerySet:
    if every:
        return found
    return found.exclude(_CHUNKS) if noise else without_noise(found, {})


def _words(find: str) -> Q:
    wanted = Q()
    for column in ("said", "event_type", "actor", "sender_name") if find else ():
        wanted |= Q(**{f"{column}__icontains": find})
    return wanted


def _lean(entry: dict[str, Any]) -> dict[str, Any]:
    """Of a call its row alone: what went there and came back may be long, and is read when the row is opened."""
    if entry["kind"] == Kind.UPSTREAM and isinstance(entry["message"], dict):
        entry["message"] = {name: entry["message"].get(name) for name in _OF_A_CALL}
    return entry


def _echoes(conversation: Conversation, entries: list[Entry]) -> list[dict[str, Any]]:
    ids = {entry.echo_id for entry in entries if entry.echo_id}
    if not ids:
        return []
    rows = conversation.echoes.filter(pk__in=ids).select_related("conversation", "again_of").order_by("pk")
    return [echo_dict(echo) for echo in rows]
