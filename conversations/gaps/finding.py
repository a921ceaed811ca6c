"""What entries tell of gaps. No database: entries in their order go in, and what is to be written comes out.

`seq` is the sender's own count of its messages, one for each conversation (docs.tavus.io, interactions; since May 2026,
often absent). So a jump is a message that never came, and a number that comes after a higher one fills its place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from conversations.models.gap import GapKind

SENDERS = 20  # of numbered messages, whose counts are kept
FARTHEST = 1_000_000  # numbers in one jump: more is another way of counting, not a loss

State = dict[str, Any]


class Seen(NamedTuple):
    """The columns of an entry that matter here; `facts`: the message of an entry of the kind `room`."""

    n: int
    at: datetime
    kind: str
    event_type: str
    direction: str | None
    seq: int | None
    sender: str | None
    late: bool
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """A new gap, as its row's columns."""

    columns: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Closed:
    """The time out of the room ends."""

    columns: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Filled:
    """A number that was missing has come."""

    sender: str
    seq: int


Step = Found | Closed | Filled


@dataclass(slots=True)
class Finder:
    """Goes through a conversation's entries; `state` is what the next batch's finder has to know, and is JSON.

    started_at: when the conversation began; None where upstream never had it: then nobody is missed in its room.
    """

    started_at: datetime | None
    state: State
    steps: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state.setdefault("seqs", {})
        if "out" not in self.state:
            self.state["out"] = False
            if self.started_at is not None:
                self._out(Seen(1, self.started_at, "", "", None, None, None, False, {}), "not_joined", expected=True)

    def take(self, seen: Seen) -> None:
        """The next entry."""
        if seen.late:
            self._late(seen)
        if seen.kind == "room":
            self._room(seen)
        elif seen.event_type == "conversation.ended":
            self._over(seen)
        elif seen.kind == "app_message" and seen.direction == "in" and seen.seq is not None:
            self._number(seen, seen.seq)

    # --- numbers ---

    def _number(self, seen: Seen, seq: int) -> None:
        sender = seen.sender or ""
        seqs: dict[str, Any] = self.state["seqs"]
        before = seqs.get(sender)
        if before is None:
            self._first_number(seen, sender, seq, alone=not seqs)
        elif seq <= before["seq"]:
            if seq <= 1 < before["seq"]:  # it counts anew
                seqs[sender] = _place(seen, seq)
            else:
                self.steps.append(Filled(sender, seq))
            return
        elif 1 < seq - before["seq"] <= FARTHEST:
            self._missing(seen, sender, before["seq"] + 1, seq - 1, before)
        if before is not None or len(seqs) < SENDERS:
            seqs[sender] = _place(seen, seq)
        self.state["why"] = ""

    def _first_number(self, seen: Seen, sender: str, seq: int, *, alone: bool) -> None:
        """What was counted before the console heard anything; only of the one that is heard first, the replica."""
        if alone and 1 < seq <= FARTHEST and self.started_at is not None:
            before = {"n": None, "at": self.started_at.isoformat()}
            self._missing(seen, sender, 1, seq - 1, before, reason="before_join", expected=True)

    def _missing(
        self, seen: Seen, sender: str, first: int, last: int, before: Any, *, reason: str = "", expected: bool = False
    ) -> None:
        self._found(
            GapKind.MISSING_SEQ,
            seen,
            first_n=before["n"],
            last_n=seen.n,
            from_at=_moment(before["at"]),
            to_at=seen.at,
            count=last - first + 1,
            first_seq=first,
            last_seq=last,
            sender=sender,
            reason=reason or self.state.get("why") or "lost",
            expected=expected,
        )

    # --- the room ---

    def _room(self, seen: Seen) -> None:
        if seen.event_type == "joined":
            self._in(seen)
        elif seen.event_type in ("left", "lost"):
            self._gone(seen)
        elif seen.event_type == "gap":
            since = _moment(seen.facts.get("from")) or seen.at
            self._out(seen._replace(at=since), str(seen.facts.get("reason") or "lost")[:64])
        elif seen.event_type in (GapKind.NOT_SENT, GapKind.UNCERTAIN):
            self._unsent(seen)
        elif seen.event_type == "dropped":
            self.state["why"] = "dropped"
            self._counted(GapKind.DROPPED, seen, _reason(seen))
        elif seen.event_type == "spooled":
            self._counted(GapKind.SPOOLED, seen, "database_away")

    def _gone(self, seen: Seen) -> None:
        reason = _reason(seen)
        if seen.event_type == "left" and reason == "ended":
            self._over(seen)
        elif seen.event_type == "left":  # a worker that stopped is missed, one that was told to leave is not
            self._out(seen, {"stopped": "worker_stopped"}.get(reason, reason or "left"), expected=reason == "left")
        else:
            self._out(seen, "room_lost")

    def _out(self, seen: Seen, reason: str, *, expected: bool = False) -> None:
        """From here on nobody of ours listens; what was said of the same time before is put right."""
        columns = {"from_at": seen.at, "reason": reason, "expected": expected, "first_n": seen.n}
        if self.state["out"]:
            self.steps.append(Closed({**columns, "to_at": None}))
            return
        self.state["out"] = True
        self._found(GapKind.NOT_IN_ROOM, seen, **columns, to_at=None)

    def _in(self, seen: Seen) -> None:
        if self.state["out"]:
            self.steps.append(Closed({"to_at": seen.at, "last_n": seen.n, "n": seen.n}))
            self.state["why"] = "not_in_room"
        self.state["out"] = False

    def _over(self, seen: Seen) -> None:
        """The conversation has ended: from here on there is nothing to miss."""
        if self.state["out"]:
            self.steps.append(Closed({"to_at": seen.at, "last_n": seen.n, "n": seen.n}))
        self.state["out"] = False

    # --- the rest ---

    def _unsent(self, seen: Seen) -> None:
        ranges = seen.facts.get("ranges")
        numbers = [n for pair in ranges if isinstance(pair, list) for n in pair] if isinstance(ranges, list) else []
        whole = [n for n in numbers if isinstance(n, int)]
        self._found(
            GapKind(seen.event_type),
            seen,
            first_n=min(whole, default=None),
            last_n=max(whole, default=None),
            count=_number(seen.facts.get("count")),
            reason=_reason(seen),
        )

    def _counted(self, kind: GapKind, seen: Seen, reason: str) -> None:
        """So many entries of a time, if it's told from when to when."""
        since, until = _moment(seen.facts.get("from")) or seen.at, _moment(seen.facts.get("to")) or seen.at
        self._found(kind, seen, count=_number(seen.facts.get("count")), reason=reason, from_at=since, to_at=until)

    def _late(self, seen: Seen) -> None:
        """Neighbours are one gap."""
        last = self.steps[-1] if self.steps else None
        if isinstance(last, Found) and last.columns["kind"] == GapKind.LATE and last.columns["last_n"] == seen.n - 1:
            columns = last.columns
            columns["last_n"], columns["count"] = seen.n, columns["count"] + 1
            columns["from_at"], columns["to_at"] = min(columns["from_at"], seen.at), max(columns["to_at"], seen.at)
            return
        self._found(GapKind.LATE, seen, last_n=seen.n, count=1, reason="stored_late")

    def _found(self, kind: GapKind, seen: Seen, **columns: Any) -> None:
        usual = {"kind": kind, "n": seen.n, "first_n": seen.n, "from_at": seen.at, "to_at": seen.at}
        self.steps.append(Found({**usual, **columns}))


def _place(seen: Seen, seq: int) -> dict[str, Any]:
    return {"seq": seq, "n": seen.n, "at": seen.at.isoformat()}


def _moment(text: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and 0 <= value < 2**63 else None


def _reason(seen: Seen) -> str:
    return str(seen.facts.get("reason") or "")[:64]
