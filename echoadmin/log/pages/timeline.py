"""A conversation on one clock: its entries as they happened, grouped by echo, gaps shown where they were."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from echoadmin.log import reader
from echoadmin.log.models import Direction, Entry, EntryQuerySet, Kind
from echoadmin.log.naming import names
from echoadmin.log.pages import opened
from echoadmin.log.pages.lines import NOISE, light, lines
from echoadmin.shown import after, lasting

PAGE = 300  # entries, noise included

Told = tuple[int, str, str]  # the number of the entry before which it stands, "gap" or "filled", words
Between = Callable[[str, int, int], list[Told] | None]  # our id of a conversation, first and last number of the page

_between: list[Between] = []


def use_between(ask: Between) -> None:
    """Who knows the conversations says here what stands between their entries: gaps, and what only Tavus told.

    None of it is known (None) for what is no conversation: then numbers that are missing are told, no more."""
    _between[:] = [ask]


@dataclass(slots=True)
class Block:
    """Something on the timeline: an echo with all that belongs to it, one entry, or a gap."""

    kind: str  # "echo", "entry", "gap", "filled"
    offset: str  # from the conversation's first entry
    rows: list[dict[str, Any]] = field(default_factory=list)
    words: str = ""
    echo_id: int | None = None
    seconds: str = ""
    folded: int = 0  # further chunks and single words of an echo
    sound: int | None = None  # the entry whose sound is that of the echo


@dataclass(frozen=True, slots=True)
class Timeline:
    """A page of it. `began`: when the conversation's first entry happened."""

    blocks: list[Block]
    began: datetime | None
    folded: int  # heartbeats left out
    older: str | None
    newer: str | None


def timeline_context(conversation: str, cursor: str | None) -> tuple[dict[str, Any], int]:
    """What the page shows, and its status."""
    here = reverse("admin:log_entry_timeline", args=[conversation])
    beside = opened.conversation_page(conversation)
    name = names({conversation}).get(conversation, conversation)
    context: dict[str, Any] = {
        "title": "Timeline",
        "crumb": (name, beside or here),
        "here": here,
        "conversation_page": beside,
        "replay": opened.replay_page(conversation),
        "gaps": opened.gaps_page(conversation) if beside else "",
        "log": f"{reverse('admin:log_entry_changelist')}?{urlencode({'conversation': conversation})}",
    }
    try:
        line = timeline(conversation, cursor or None)
    except reader.CursorError as error:
        return context | {"error": str(error), "line": None}, 400
    addresses = {"older": line.older, "newer": line.newer}
    found = {name: f"?{urlencode({'cursor': to})}" for name, to in addresses.items() if to}
    return context | {"line": line} | found, 200


def timeline(conversation: str, cursor: str | None) -> Timeline:
    """A page, oldest first. Raises CursorError."""
    entries = reader.filtered({"conversation": conversation})
    page = reader.page(light(entries), cursor, PAGE, newest_first=False)
    began = _began(entries)
    folded = sum(_is_heartbeat(entry) for entry in page.rows)
    blocks = _blocks(page.rows, began, _told(conversation, page.rows)) if began else []
    return Timeline(blocks, began, folded, page.previous, page.next)


def _began(entries: EntryQuerySet) -> datetime | None:
    found: datetime | None = entries.order_by("n").values_list("at", flat=True).first()
    return found


def _is_heartbeat(entry: Entry) -> bool:
    return entry.event_type in NOISE and entry.event_type.startswith("system.")


def _is_folded(entry: Entry) -> bool:
    return entry.event_type in NOISE or bool(entry.direction == Direction.OUT and entry.clip_start)


def _told(conversation: str, entries: list[Entry]) -> list[Told]:
    """What stands between the entries, in order."""
    if not entries:
        return []
    told = _between[0](conversation, entries[0].n, entries[-1].n) if _between else None
    return _missing(entries) if told is None else told


def _blocks(entries: list[Entry], began: datetime, told: list[Told]) -> list[Block]:
    """In the order of their first moments."""
    told = sorted(told)
    in_time = sorted(entries, key=lambda entry: (entry.at, entry.n))
    shown = [entry for entry in in_time if not _is_folded(entry)]
    rows = dict(zip((entry.pk for entry in shown), lines(shown), strict=True))
    blocks: list[Block] = []
    echoes: dict[int, Block] = {}
    for entry in in_time:
        offset = after((entry.at - began).total_seconds())[1:]
        while told and told[0][0] <= entry.n:
            _, kind, words = told.pop(0)
            blocks.append(Block(kind, offset, words=words))
        if entry.echo_id and entry.kind == Kind.APP_MESSAGE:
            _into_echo(echoes, blocks, entry, rows.get(entry.pk), offset)
        elif entry.pk in rows:
            row = rows[entry.pk]
            blocks.append(Block("gap" if row["is_gap"] else "entry", offset, [row]))
    return blocks + [Block(kind, "", words=words) for _, kind, words in told]


def _into_echo(
    echoes: dict[int, Block], blocks: list[Block], entry: Entry, row: dict[str, Any] | None, offset: str
) -> None:
    assert entry.echo_id is not None
    block = echoes.get(entry.echo_id)
    if block is None:
        block = echoes[entry.echo_id] = Block("echo", offset, echo_id=entry.echo_id)
        blocks.append(block)
    if row is None:
        block.folded += 1
        return
    first = block.rows[0]["entry_at"] if block.rows else entry.at
    block.rows.append(row | {"entry_at": entry.at, "after": _after(first, entry.at)})
    block.seconds = lasting(round((entry.at - first).total_seconds(), 1))
    if entry.direction == Direction.OUT:
        block.words = block.words or row["words"]
        block.sound = block.sound or (entry.pk if entry.clip_id and not entry.erased_at else None)


def _after(first: datetime, at: datetime) -> str:
    """+638 ms, +2.3 s."""
    past = (at - first).total_seconds()
    if past <= 0:
        return ""
    return f"+{past * 1000:.0f} ms" if past < 1 else after(past)


def _missing(entries: list[Entry]) -> list[Told]:
    """Messages that Tavus numbered and that never came."""
    numbered = [entry for entry in entries if entry.seq is not None and entry.direction == Direction.IN]
    known = {entry.seq for entry in numbered}
    found: list[Told] = []
    last: int | None = None
    for entry in numbered:
        seq = entry.seq or 0
        if last is not None and seq > last + 1:
            lost = [number for number in range(last + 1, min(seq, last + 10_000)) if number not in known]
            if lost:
                span = str(lost[0]) if len(lost) == 1 else f"{lost[0]} to {lost[-1]}"
                words = f"{len(lost)} message{'s' if len(lost) > 1 else ''} missing (seq {span})"
                found.append((entry.n, "gap", words))
        last = seq
    return found
