"""What the record says of a time without the database: what lay in a spool, what nobody can tell, what is lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from echoadmin.log.ranges import ranges
from echoadmin.log.writer.drafts import Draft

ACCOUNT = "account"


@dataclass(slots=True)
class Tally:
    """Entries of one stream, counted; `like` is the last of them."""

    entries: int
    first_at: datetime
    last_at: datetime
    like: Draft

    @property
    def facts(self) -> dict[str, Any]:
        """How many, and from when to when."""
        return {"count": self.entries, "from": self.first_at.isoformat(), "to": self.last_at.isoformat()}


Tallies = dict[str, Tally]  # by stream


def count(tallies: Tallies, drafts: Iterable[Draft]) -> None:
    """Adds entries to what was counted of their streams."""
    for draft in drafts:
        at = draft.at or datetime.now(UTC)
        tally = tallies.get(draft.stream)
        if tally is None:
            tallies[draft.stream] = Tally(1, at, at, _without_message(draft))
            continue
        tally.entries += 1
        tally.first_at, tally.last_at = min(tally.first_at, at), max(tally.last_at, at)


def spooled(tallies: Tallies, owner: str) -> list[Draft]:
    """In each stream: so many of the entries before lay in a file while the database was away."""
    return [_room(tally.like, "spooled", {**tally.facts, "worker": owner}) for tally in tallies.values()]


def lost(tallies: Tallies, reason: str) -> list[Draft]:
    """In each stream how many of its entries are lost, and all of them together in one entry of the account."""
    if not tallies:
        return []
    told = [
        _room(tally.like, "dropped", {**tally.facts, "reason": reason}, is_error=True)
        for stream, tally in tallies.items()
        if stream != ACCOUNT
    ]
    every = list(tallies.values())
    whole = Tally(
        sum(one.entries for one in every),
        min(one.first_at for one in every),
        max(one.last_at for one in every),
        Draft(ACCOUNT, "room", "gap"),
    )
    streams = {stream: tally.entries for stream, tally in tallies.items()}
    return [*told, _room(whole.like, "gap", {**whole.facts, "reason": reason, "streams": streams}, is_error=True)]


def damaged(records: int, nbytes: int, name: str) -> list[Draft]:
    """A spool could not be read whole; of which streams, nobody knows."""
    if not records and not nbytes:
        return []
    facts = {"reason": "spool_damaged", "records": records, "bytes": nbytes, "spool": name}
    return [_room(Draft(ACCOUNT, "room", "gap"), "gap", facts, is_error=True)]


def uncertain(drafts: Mapping[int, Draft]) -> Draft:
    """Outbound entries of one echo, by number: they may have left, and nobody is there who knows."""
    like = next(iter(drafts.values()))
    facts = {
        "ranges": ranges(drafts), "count": len(drafts), "inference_id": like.inference_id, "reason": "worker_lost",
    }  # fmt: skip
    told = _room(like, "uncertain", facts, is_error=True)
    told.inference_id, told.echo_id, told.epoch = like.inference_id, like.echo_id, like.epoch
    return told


def _room(like: Draft, event_type: str, facts: dict[str, Any], *, is_error: bool = False) -> Draft:
    return Draft(
        stream=like.stream,
        kind="room",
        event_type=event_type,
        family="room",
        conversation_ref=like.conversation_ref,
        persona_ref=like.persona_ref,
        is_error=is_error,
        message=facts,
    )


def _without_message(draft: Draft) -> Draft:
    """What is kept for each stream is small."""
    return _room(draft, "", {})
