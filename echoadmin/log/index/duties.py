"""The duty that keeps the text index and the roll-ups behind the log, and how far behind they are."""

from __future__ import annotations

from datetime import timedelta

from echoadmin.duties import duty
from echoadmin.log.heads import safe_head
from echoadmin.log.index.following import Follower, Lag, catch_up, lag
from echoadmin.log.index.rolls import ROLLS
from echoadmin.log.search import SEARCH
from echoadmin.metrics import Shown, register_rows

FOLLOWERS: tuple[Follower, ...] = (SEARCH, ROLLS)
SECONDS = 5.0  # of one run for one follower, so that the other duties get their turns


@duty("follow_log", every=timedelta(seconds=2), at_rest=True)
def follow_log() -> str | None:
    """Takes in what was written since the last run."""
    up_to = safe_head()
    taken = {follower.name: catch_up(follower, up_to, SECONDS) for follower in FOLLOWERS}
    if not any(taken.values()):
        return None
    behind = {name: lag(name) for name in taken}
    return ", ".join(
        f"{name}: {count:,} entries taken in, {behind[name].seconds:.0f} s behind" for name, count in taken.items()
    )


def lags() -> dict[str, Lag]:
    """By follower."""
    return {follower.name: lag(follower.name) for follower in FOLLOWERS}


def seconds_behind() -> dict[str, float]:
    """By follower: how long ago its oldest missing entry happened."""
    return {name: behind.seconds for name, behind in lags().items()}


register_rows(
    Shown(
        "echoadmin_log_behind_seconds",
        "How long ago the oldest entry happened that the text index or the roll-ups don't have yet.",
        lambda behind: behind.seconds,
    ),
    Shown("echoadmin_log_behind_entries", "How many entries they don't have yet.", lambda behind: behind.entries),
    label="follower",
    read=lags,
    shared=True,
)
