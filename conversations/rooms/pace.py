"""When each chunk of an audio echo is to leave. Seconds on the loop's clock."""

from __future__ import annotations

from dataclasses import dataclass

AHEAD = 0.25  # s: no chunk is written to the log earlier than this before it leaves
BURST_CHUNKS = 400  # chunks that a burst writes to the log at once, while those before them are handed over
BURST_UNACKNOWLEDGED = 1.0  # s of audio that a burst may have with the SDK at a time


@dataclass
class Pace:
    """`lead` runs `lead` seconds ahead of real time, `realtime` not at all, `burst` as fast as the SDK takes it."""

    pacing: str
    chunk_seconds: float
    lead: float
    started: float

    @property
    def most_unacknowledged(self) -> int:
        """Chunks that may wait for their completion."""
        return max(1, int(BURST_UNACKNOWLEDGED / self.chunk_seconds))

    def departure(self, index: int) -> float:
        """When chunk `index` leaves."""
        if self.pacing == "burst":
            return self.started
        ahead = self.lead if self.pacing == "lead" else 0.0
        return self.started + max(0.0, index * self.chunk_seconds - ahead)

    def batch(self, index: int, now: float) -> int:
        """How many chunks from `index` on may be written to the log at `now`; 0: wait."""
        if self.pacing == "burst":
            return BURST_CHUNKS
        count = 0
        while self.departure(index + count) <= now + AHEAD:
            count += 1
        return count

    def starved(self, index: int, now: float) -> None:
        """The samples for chunk `index` came late: the plan moves, instead of hurrying after the old one."""
        late = now - self.departure(index)
        if late > 0 and self.pacing != "burst":
            self.started += late
