"""Tells the log's timeline page what stands between a conversation's entries: gaps, and what only Tavus told."""

from __future__ import annotations

from typing import Any

from conversations.models import Conversation, GapKind
from conversations.timeline import timeline
from echoadmin.log.pages.timeline import Told, use_between
from echoadmin.shown import lasting

# Each has an entry, which the page shows.
TOLD_BY_ENTRIES = (GapKind.NOT_SENT, GapKind.UNCERTAIN, GapKind.DROPPED, GapKind.SPOOLED)


def between(public_id: str, first_n: int, last_n: int) -> list[Told] | None:
    """Before which of the entries `first_n` to `last_n` something stands, and its words. None: no conversation."""
    conversation = Conversation.objects.filter(public_id=public_id).first()
    if conversation is None:
        return None
    found: list[Told] = []
    items = timeline(conversation, first_n - 1, last_n - first_n + 1).items
    rooms_own = [item["n"] for item in items if _is_rooms_own(item)]
    for item in items:
        if item["type"] == "gap" and _is_news(item["gap"]) and not _is_told(item, rooms_own):
            found.append((item["n"], "gap", _gap_words(item["gap"])))
        elif item["type"] == "filled_in":
            found.append((item["n"], "filled", _filled_words(item)))
    return found


def _is_news(gap: dict[str, Any]) -> bool:
    return not gap["expected"] and gap["kind"] not in TOLD_BY_ENTRIES


def _is_rooms_own(item: dict[str, Any]) -> bool:
    """Whether it is the entry by which a room, joined again, tells how long nobody listened."""
    return bool(item["type"] == "entry" and item["entry"]["kind"] == "room" and item["entry"]["event_type"] == "gap")


def _is_told(item: dict[str, Any], rooms_own: list[int]) -> bool:
    """Whether one of those entries tells this gap already."""
    gap = item["gap"]
    return gap["kind"] == GapKind.NOT_IN_ROOM and any((gap["first_n"] or 0) <= n <= item["n"] for n in rooms_own)


def _gap_words(gap: dict[str, Any]) -> str:
    """3 messages missing (seq 604 to 606); Console not in the room, 12 s (room_lost)."""
    words = GapKind(gap["kind"]).label
    if gap["kind"] == GapKind.MISSING_SEQ:
        words = f"{gap['count']} message{'s' if gap['count'] != 1 else ''} missing"
        if gap["first_seq"] is not None:
            last = "" if gap["last_seq"] in (None, gap["first_seq"]) else f" to {gap['last_seq']}"
            words += f" (seq {gap['first_seq']}{last})"
        return words
    if gap["seconds"] is not None:
        words += f", {lasting(round(gap['seconds'], 1))}"
    return words + (f" ({gap['reason']})" if gap["reason"] else "")


def _filled_words(item: dict[str, Any]) -> str:
    message = item["message"] if isinstance(item["message"], dict) else {}
    properties = message.get("properties")
    inside = properties if isinstance(properties, dict) else message
    said = inside.get("speech") or inside.get("text") or inside.get("content") or ""
    return f"{item['event_type']}: {str(said)[:160]}" if said else str(item["event_type"])


use_between(between)
