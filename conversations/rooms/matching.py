"""Which of the replica's interactions belongs to which echo. No Django, no sockets.

Tavus gives an echo's id back rewritten (`uuid.UUID(md5(id))`), or with one of its own where none was sent, and reports
speaking in two families of events. A room has one echo outstanding at a time, so order decides where ids do not.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, field

from conversations.interactions import Reading, rewritten_id

REMEMBERED = 2000  # ids of echoes that ended; late events still find their echo by them


_TAG = re.compile(r"<[^<>]{0,250}>")


@dataclass(slots=True, eq=False)
class Outstanding:
    """What the replica was last asked to say: one echo, or one part of a long text."""

    echo_id: int
    wire_id: str
    words: str | None  # None for audio
    last: bool = True  # whether the echo is spoken when this part is
    heard_id: str | None = None
    started: bool = False
    stopped: bool = False
    interrupted: bool = False
    overdue: bool = False  # it was sent, and its start did not come in time


@dataclass(frozen=True, slots=True)
class Hearing:
    """What an inbound interaction means: the echo that it belongs to, and what it changes there, once."""

    echo_id: int
    change: str | None = None  # "speaking", "spoken", "interrupted", or None


@dataclass
class Matcher:
    """Gives inbound interactions to echoes."""

    outstanding: Outstanding | None = None
    _owners: OrderedDict[str, Outstanding] = field(default_factory=OrderedDict)
    _overdue: set[int] = field(default_factory=set)  # echoes whose start may still come, late

    def expect(
        self, echo_id: int, wire_id: str, *, words: str | None, last: bool = True, heard_id: str | None = None
    ) -> Outstanding:
        """The next thing to hear of is this; `heard_id`: the id under which it was already heard."""
        self.outstanding = Outstanding(echo_id, wire_id, words, last, heard_id)
        for known in (wire_id, rewritten_id(wire_id), heard_id):
            if known:
                self._own(known, self.outstanding)
        return self.outstanding

    def give_up(self) -> None:
        """Nothing is outstanding any more; what is overdue may still start, and must not mislead."""
        if self.outstanding and self.outstanding.overdue:
            self._overdue.add(self.outstanding.echo_id)
        self.outstanding = None

    def hear(self, reading: Reading) -> Hearing | None:
        """What this interaction means for an echo; None when it is nobody's. Only the replica's own speaking counts."""
        if not reading.by_replica or reading.fact not in ("started", "stopped", "utterance", "streaming"):
            return None
        owner = self._owner(reading)
        if owner is None:
            return None
        if owner is not self.outstanding:
            self._overdue.discard(owner.echo_id)
            return Hearing(owner.echo_id, _late_change(reading))
        self._overdue.clear()  # a replica speaks in order: what was sent before this will not come any more
        return Hearing(owner.echo_id, _change(owner, reading))

    def _owner(self, reading: Reading) -> Outstanding | None:
        heard, out = reading.inference_id, self.outstanding
        if heard is not None and heard in self._owners:
            return self._owners[heard]
        if out is None:
            return None
        if heard is None:
            return out if out.started or self._plausible(out, reading) else None
        if out.heard_id is not None or out.stopped or not self._plausible(out, reading):
            return None
        self._own(heard, out)
        return out

    def _plausible(self, out: Outstanding, reading: Reading) -> bool:
        """An unseen id is the outstanding echo's, unless an earlier one may only now start and the words differ."""
        if not self._overdue:
            return reading.fact == "started"
        if out.words is None or reading.speech is None:
            return False
        said = _plain(reading.speech)
        return bool(said) and _plain(out.words).startswith(said)

    def _own(self, heard: str, owner: Outstanding) -> None:
        self._owners[heard] = owner
        self._owners.move_to_end(heard)
        while len(self._owners) > REMEMBERED:
            self._owners.popitem(last=False)


def _change(out: Outstanding, reading: Reading) -> str | None:
    """Both families tell each fact; the first one counts."""
    if reading.inference_id and out.heard_id is None:
        out.heard_id = reading.inference_id
    if reading.fact == "stopped":
        if out.stopped:
            return None
        out.started = out.stopped = True
        out.interrupted = reading.interrupted
        if reading.interrupted:
            return "interrupted"
        return "spoken" if out.last else None
    if out.started:
        return None
    out.started = True
    return "speaking"


def _late_change(reading: Reading) -> str | None:
    """An echo that is no longer waited for: its row may still be open after a takeover."""
    if reading.fact == "stopped":
        return "interrupted" if reading.interrupted else None
    return None


def _plain(words: str) -> str:
    """What can be compared: no tags, no case, no punctuation."""
    return "".join(char for char in _TAG.sub("", words).casefold() if char.isalnum())
