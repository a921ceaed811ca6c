"""How long a room waits for what, in seconds, and by which words a dead link is known."""

from __future__ import annotations

JOIN_TIMEOUT = 30.0  # s; the slowest failing join measured takes 19
LEAVE_TIMEOUT = 5.0
INTERRUPTED_FOR = 10.0  # s that the signalling connection may be away before the room counts as lost
SETTLE = 0.05  # s in which many comings and goings become one write
SEEN_EVERY = 5.0  # s between writes of last_seen_at
SILENT_FOR = 30.0  # s without a heartbeat of a replica that is there and used to send them
CALL_ENDED = "Daily ended the call"
END_IS_TOLD_IN = 2.0  # s: a call that Daily ends has mostly ended upstream, and a duty finds that out meanwhile
BACK_OFF = (0.5, 1, 2, 4, 8, 15, 30)  # s
JOIN_TRIES = 60  # in a row, half an hour and more; then somebody has to ask for the room again
DEAD_LINK = ("Disconnected", "ChannelNotOpen", "the link is closed")


def pause_after(tries: int) -> float | None:
    """Seconds until the next join, after so many in a row that failed; None: that was the last."""
    return BACK_OFF[min(tries, len(BACK_OFF)) - 1] if tries < JOIN_TRIES else None
