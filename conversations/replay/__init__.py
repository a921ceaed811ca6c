"""Replays: echoes that were said, said again in another conversation: as they were timed, faster, edited, or dry."""

from conversations.replay.asking import Line, Replay, check

__all__ = ["Line", "Replay", "check"]
