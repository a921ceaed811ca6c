"""Signs of life of one connection to a room: when it was last heard, and what it may not have carried.

A connection can be dead for seconds before anybody can tell, and its SDK takes messages all the while
(daily-python 0.36.0, measured: after a close frame the next message completes without an error and never leaves).
"""

from __future__ import annotations

from collections import deque
from datetime import datetime

from echoadmin.log.writer import Number

PROOF = 1.0  # s: what was handed over so long before something was heard has left


class Signs:
    """Of one connection; `now` is always the loop's clock."""

    def __init__(self, at: datetime, now: float) -> None:
        self.heard_at = at  # UTC; of joining, until something is heard
        self._heard = now
        self._interrupted: tuple[float, datetime] | None = None  # since when, and when it was last heard before
        self._unproven: deque[tuple[float, Number]] = deque()

    def heard(self, at: datetime, now: float) -> None:
        """Something came from the room: what was handed over a while before has left."""
        self.heard_at, self._heard = at, now
        while self._unproven and self._unproven[0][0] < now - PROOF:
            self._unproven.popleft()

    def silent_since(self, moment: float) -> bool:
        """Whether nothing was heard since `moment`."""
        return self._heard < moment

    def handed(self, n: Number, now: float) -> None:
        """The SDK got the message that is number `n` of the log."""
        self._unproven.append((now, n))

    def accounted(self, ns: list[Number]) -> None:
        """What became of these is in the log already."""
        named = set(ns)
        self._unproven = deque(one for one in self._unproven if one[1] not in named)

    @property
    def doubtful(self) -> bool:
        """Whether there are messages that the room may not have had."""
        return bool(self._unproven)

    def unproven(self) -> list[Number]:
        """Messages that the room may never have had, each told once."""
        ns = [n for _, n in self._unproven]
        self._unproven.clear()
        return ns

    def interrupted(self, now: float) -> None:
        """The signalling connection is away."""
        self._interrupted = self._interrupted or (now, self.heard_at)

    def connected(self) -> datetime | None:
        """It is back: since when something may have been missed, None when it was not away."""
        back, self._interrupted = self._interrupted, None
        return back[1] if back else None

    @property
    def blind_since(self) -> datetime:
        """Since when something may have been missed. After some outages a connection hears again, and never says that
        it is back (daily-python 0.36.0, measured): what it heard then doesn't tell what it missed before."""
        return self._interrupted[1] if self._interrupted else self.heard_at

    def interrupted_for(self, now: float) -> float:
        """Seconds since it went away; 0 while it is there."""
        return now - self._interrupted[0] if self._interrupted else 0.0

    @property
    def is_interrupted(self) -> bool:
        """Whether it is away."""
        return self._interrupted is not None
