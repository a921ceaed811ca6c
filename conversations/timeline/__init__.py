"""A conversation on one clock: messages, HTTP calls, webhooks, operators, room changes; gaps where they are; and what
Tavus tells of the time when the console was not there."""

from conversations.timeline.pages import Timeline, timeline

__all__ = ["Timeline", "timeline"]
