"""How long the steps of each echo took, as histograms of the process that said it.

The rows hold the same times; but a histogram that is read from rows would forget what is pruned, and cost more with
each echo. A step is counted where both its ends are known; an echo that is taken over in mid-way is counted by nobody.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

from prometheus_client import Counter, Histogram

from conversations.models import Echo
from echoadmin import tracing

STEPS = ("queued", "sending", "sent", "speaking", "spoken")
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

TOOK = Histogram(
    "echoadmin_echo_step_seconds", "From one step of an echo to the next, in this process.", ["step"], buckets=BUCKETS
)
ENDED = Counter("echoadmin_echoes_ended", "Echoes that this process had in hand, by how far they got.", ["state"])
for _step in pairwise(STEPS):
    TOOK.labels("_to_".join(_step))  # a series that is there from the start can be told from one that is lost


class EchoSteps:
    """The steps of the echo in hand, as they are reached. Used on the rooms' loop alone."""

    def __init__(self, echo: Echo) -> None:
        self.echo = echo
        # What a second person took to decide is no latency.
        self.at: dict[str, datetime] = {"queued": echo.decided_at or echo.queued_at}
        self.ended = ""

    def reach(self, step: str, at: datetime | None = None) -> None:
        """The first time counts: a text of several parts starts to be spoken with each."""
        self.at.setdefault(step, at or datetime.now(UTC))

    def hear(self, change: str | None, at: datetime) -> None:
        """What the replica told of it: speaking, spoken, or interrupted."""
        if change == "interrupted":
            self.ended = change
        elif change is not None:
            self.reach(change, at)

    def count(self) -> None:
        """It is out of hand."""
        if "sending" not in self.at:
            return  # another had it, or it was taken out of the queue a moment before
        for first, last in pairwise(STEPS):
            if first in self.at and last in self.at:
                took = (self.at[last] - self.at[first]).total_seconds()
                TOOK.labels(f"{first}_to_{last}").observe(max(0.0, took))
        state = self.ended or "spoken"
        ENDED.labels(state).inc()
        facts = {"inference_id": self.echo.inference_id, "modality": self.echo.modality, "state": state}
        facts["request_id"] = self.echo.request_id
        times = {step: self.at[step] for step in STEPS if step in self.at}
        tracing.echo(times, facts, failed=state in ("failed", "unconfirmed"))
