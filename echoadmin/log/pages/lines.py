"""Entries as rows of a page: one line each, noise left out, the messages of one echo folded into its first."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.db.models.functions import Left, Right
from django.urls import reverse

from echoadmin.log.models import Clip, Direction, Entry, EntryQuerySet, Kind
from echoadmin.log.naming import names
from echoadmin.log.search import Query, marked
from echoadmin.shown import lasting, when

NOISE = ("system.replica_present", "system.pal_present", "system.heartbeat", "conversation.utterance.streaming")
MARKS = {"upstream": "http", "operator": "op", "webhook": "hook", "room": "room"}
WORDS = 160  # characters of an entry's summary
BEFORE_A_HIT = 60  # characters that are shown before the first hit
HEAD, END = 600, 160  # characters of a body that are read for its summary
FACTS = 3  # values of a body in its summary
UNSAID = frozenset(("event_type", "message_type", "seq", "role", "timestamp", "turn_idx", "attempt"))  # told elsewhere
_HOW_A_CALL_ENDED = re.compile(r'"seconds":([\d.e-]+),"status":(\d+|null)\}$')
_BREAKS = re.compile(r"(?<=[._/])(?=.)")  # where a long type may go on in the next line

Pieces = list[tuple[str, bool]]  # words, and whether they are a hit


def light(entries: EntryQuerySet) -> EntryQuerySet:
    """As few bytes of each entry as its row needs: bodies are long."""
    found = entries.defer("body", "leaf", "digest", "body_sha256")
    return found.annotate(body_head=Left("body", HEAD), body_end=Right("body", END))


def without_noise(entries: EntryQuerySet, given: dict[str, str]) -> EntryQuerySet:
    """Without heartbeats and single words, unless those are asked for, and with the first chunk alone of an audio."""
    if given.get("kind", Kind.APP_MESSAGE) != Kind.APP_MESSAGE or given.get("event_type") or given.get("inference_id"):
        return entries
    chunks = Q(direction=Direction.OUT, clip_start__gt=0)
    quiet = entries.exclude(chunks)
    return quiet if given.get("family") else quiet.exclude(event_type__in=NOISE)


def lines(entries: Sequence[Entry], query: Query | None = None) -> list[dict[str, Any]]:
    """The rows of a list; two queries for all of them."""
    named = names({entry.conversation_ref for entry in entries if entry.conversation_ref})
    clips = {entry.clip_id for entry in entries if entry.clip_id and entry.direction == Direction.OUT}
    seconds = {clip.pk: clip.seconds for clip in Clip.objects.filter(pk__in=clips)} if clips else {}
    return [_line(entry, query, dict(named), seconds) for entry in entries]


def _line(entry: Entry, query: Query | None, named: dict[str, str], seconds: dict[int, float]) -> dict[str, Any]:
    words = summary(entry, seconds.get(entry.clip_id or 0))
    conversation = entry.conversation_ref
    return {
        "id": entry.pk,
        "n": entry.n,
        "at": when(entry.at),
        "mark": (entry.direction if entry.kind == Kind.APP_MESSAGE else MARKS.get(entry.kind)) or entry.kind,
        "event_type": entry.event_type,
        "type_parts": _BREAKS.split(entry.event_type),
        "words": words[:WORDS],
        "pieces": around_hits(words, query),
        "who": entry.actor or entry.sender_name or "",
        "is_error": entry.is_error,
        "is_gap": entry.kind == Kind.ROOM and entry.event_type in ("gap", "not_sent", "uncertain", "dropped", "lost"),
        "late": entry.late,
        "inference_id": entry.inference_id,
        "conversation": conversation,
        "conversation_name": named.get(conversation or "", conversation or ""),
        "address": reverse("admin:log_entry_change", args=[entry.pk]),
        "opened_address": reverse("admin:log_entry_opened", args=[entry.pk]),
    }


def summary(entry: Entry, seconds: float | None = None) -> str:
    """What an entry says, in a line. `seconds`: how long its clip plays."""
    if entry.erased_at:
        return "erased"
    if entry.said:
        return entry.said
    if entry.clip_bytes:
        return f"audio, {lasting(round(seconds, 1))}" if seconds else "audio"
    head, end = getattr(entry, "body_head", None) or "", getattr(entry, "body_end", None) or ""
    if entry.kind == Kind.UPSTREAM:
        return _how_a_call_ended(end)
    return _facts(head) if len(head) < HEAD else ""


def _how_a_call_ended(end: str) -> str:
    found = _HOW_A_CALL_ENDED.search(end)
    if found is None:
        return ""
    status = "no answer" if found[2] == "null" else found[2]
    return f"{status} · {float(found[1]) * 1000:,.0f} ms"


def _facts(body: str) -> str:
    """The first values of a short body: what a room or an operator's entry tells."""
    try:
        message = json.loads(body)
    except ValueError:
        return ""
    if not isinstance(message, dict):
        return ""
    inside = message.get("properties")
    message = _spanned(inside if isinstance(inside, dict) else message)
    told = [
        name.replace("_", " ") + ("" if value is True else f" {value}")
        for name, value in message.items()
        if isinstance(value, str | int | float)
        and value not in ("", False)
        and name not in UNSAID
        and not name.endswith("_id")
    ]
    return ", ".join(told[:FACTS])[:WORDS]


def _spanned(message: dict[str, Any]) -> dict[str, Any]:
    """The same, with two moments told as what lies between them: nobody reads microseconds in a row."""
    try:
        seconds = (datetime.fromisoformat(message["to"]) - datetime.fromisoformat(message["from"])).total_seconds()
    except (KeyError, TypeError, ValueError):
        return message
    rest = {name: value for name, value in message.items() if name not in ("from", "to")}
    return {"for": f"{seconds * 1000:.0f} ms" if seconds < 1 else lasting(round(seconds, 1)), **rest}


def around_hits(words: str, query: Query | None) -> Pieces:
    """The words from shortly before the first hit on; hits told apart."""
    if query is None or not query.phrases:
        return [(words[:WORDS] + ("…" if len(words) > WORDS else ""), False)]
    pieces = marked(words, query)
    if pieces and not pieces[0][1] and len(pieces) > 1 and len(pieces[0][0]) > BEFORE_A_HIT:
        pieces[0] = ("…" + pieces[0][0][-BEFORE_A_HIT:], False)
    shown: Pieces = []
    room = WORDS
    for text, is_hit in pieces:
        shown.append((text[:room], is_hit))
        room -= len(text)
        if room <= 0:
            shown.append(("…", False))
            break
    return shown
