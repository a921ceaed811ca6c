"""Which of the replica's interactions belongs to which echo. No Django, no sockets.

Tavus gives an echo's id back rewritten (`uuid.UUID(md5(id))`), or with one of its own where none was sent, and reports
speaking in two families of events. A room has one echo outstanding at a time, so order decides where ids do not.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from conversations.interactions import Reading, rewritten_id

REMEMBERED = 2000  # ids of echoes that ended; late events still find their echo by them


@dataclass(slots=True)
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


@dataclass(frozen=True, slots=True)
class Hearing:
    """What an inbound interaction means: the echo that it belongs to, and what it changes there, once."""

    echo_id: int
    change: str | None = None  # "speaking", "spoken", "interrupted", or None


@dataclass
class Matcher:
    """Gives inbound interactions to echoes."""

    outstanding: Outstanding | None = None
    _owners: OrderedDict[str, int] = field(default_factory=OrderedDict)
    _silent: set[int] = field(default_factory=set)  # echoes whose start never came in time

    def expect(self, echo_id: int, wire_id: str, *, words: str | None, last: bool = True) -> Outstanding:
        """The next thing to hear of is this."""
        self.outstanding = Outstanding(echo_id, wire_id, words, last)
        self._own(wire_id, echo_id)
        self._own(rewritten_id(wire_id), echo_id)
        return self.outstanding

    def give_up(self) -> None:
        """Nothing is outstanding any more; if it was never heard, its start may still come, and must not mislead."""
        if self.outstanding and not self.outstanding.started:
            self._silent.add(self.outstanding.echo_id)
        self.outstanding = None

    def hear(self, reading: Reading) -> Hearing | None:
        """What this interaction means for an echo; None when it is nobody's. Only the replica's own speaking counts."""
        if not reading.by_replica or reading.fact not in ("started", "stopped", "utterance", "streaming"):
            return None
        echo_id = self._owner(reading)
        if echo_id is None:
            return None
        out = self.outstanding
        if out is None or out.echo_id != echo_id or not self._of_this_part(out, reading):
            self._silent.discard(echo_id)
            return Hearing(echo_id, _late_change(reading))
        return Hearing(echo_id, _change(out, reading))

    def _owner(self, reading: Reading) -> int | None:
        heard = reading.inference_id
        out = self.outstanding
        if heard is not None and heard in self._owners:
            return self._owners[heard]
        if out is None or out.heard_id is not None or out.stopped:
            return None
        if not self._plausible(out, reading):
            return None
        if heard is not None:
            self._own(heard, out.echo_id)
        return out.echo_id

    def _plausible(self, out: Outstanding, reading: Reading) -> bool:
        """An unseen id is the outstanding echo's, unless an earlier one may only now start and the words differ."""
        if not self._silent:
            return reading.fact == "started"
        if out.words is None or reading.speech is None:
            return False
        return _plain(out.words).startswith(_plain(reading.speech))

    def _of_this_part(self, out: Outstanding, reading: Reading) -> bool:
        known = (None, out.heard_id, out.wire_id, rewritten_id(out.wire_id))
        if reading.inference_id in known:
            return True
        return out.heard_id is None and self._owners.get(str(reading.inference_id)) == out.echo_id and not out.started

    def _own(self, heard: str, echo_id: int) -> None:
        self._owners[heard] = echo_id
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
    return "".join(char for char in words.casefold() if char.isalnum())
