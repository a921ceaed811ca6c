"""What a WebSocket reads: a conversation's entries and echoes, or the log across conversations. Runs in threads."""

from __future__ import annotations

import time
from copy import copy
from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from conversations.models import Conversation, Echo
from conversations.models.echo import FINAL_STATES
from conversations.serializers import echo_dict
from conversations.services.speaking import WAITING
from conversations.standing import standing
from echoadmin.actors import Limits
from echoadmin.log import reader
from echoadmin.log.api import shown
from echoadmin.log.cursors import Cursor, read_cursor
from echoadmin.log.models import Entry

BATCH = 200
MOST_OPEN = 500
LATELY = timedelta(minutes=1)
NEWEST = 200  # entries that are read where there are more than were asked for
CLOCK_EVERY = 10.0  # s between two pushes of a standing of which nothing changed but time and money
CLOCKS = ("now", "seconds", "seconds_left", "cost")


class ConversationTail:
    """Entries after a number, and the echoes and the conversation's standing as they change.

    Where more than `at_most` entries came after `after`, the newest are read, and how many were left out is told.
    """

    def __init__(
        self,
        conversation: Conversation,
        after: int | None,
        *,
        audio: bool,
        at_most: int | None = None,
        entries: bool = True,
    ) -> None:
        self.conversation = conversation
        self._entries = entries
        last_n = reader.last_n(conversation.public_id) if after is None or at_most is not None else 0
        self.n = last_n if after is None else after
        self._missed: dict[str, Any] | None = None
        if after is not None and at_most is not None and last_n - after > at_most:
            self.n = last_n - min(at_most, NEWEST)
            self._missed = {"type": "missed", "after": after, "until": self.n, "count": self.n - after}
        self._audio = audio
        self._open: dict[int, Any] = {}  # echoes that may change yet, as they were sent
        self._newest_echo: int | None = None
        self._told: int | None = None  # the n of the last caught_up
        self._stood: dict[str, Any] = {}  # the standing as it was sent
        self._stood_at = 0.0

    def look(self) -> tuple[list[dict[str, Any]], bool]:
        """Messages to send, and whether there is more to read at once."""
        rows = reader.tail(self.conversation.public_id, self.n, BATCH) if self._entries else []
        told: list[dict[str, Any]] = [self._missed] if self._missed else []
        self._missed = None
        told += [{"type": "entry", "entry": entry} for entry in shown(rows, audio=self._audio)]
        if rows:
            self.n = rows[-1].n
        told += self._standing()
        told += [{"type": "echo", "echo": echo} for echo in self._changed()]
        more = len(rows) == BATCH
        if not more and self._told != self.n:
            self._told = self.n
            told.append({"type": "caught_up", "n": self.n})
        return told, more

    @property
    def reads(self) -> tuple[int, bool, bool]:
        """What it reads: whose is the same sees the same."""
        return self.conversation.pk, self._audio, self._entries

    def fork(self) -> ConversationTail:
        """Another one at the same place."""
        other = copy(self)
        other._open, other._stood = dict(self._open), dict(self._stood)
        return other

    @property
    def waiting(self) -> int:
        """How many of its echoes wait to be said."""
        return sum(echo["state"] in WAITING for echo in self._open.values())

    def _standing(self) -> list[dict[str, Any]]:
        """How the conversation stands, when that is another; its clock and its money alone now and then."""
        found = Conversation.objects.select_related("room", "room__worker").get(pk=self.conversation.pk)
        now, at = standing(found), time.monotonic()
        lasting = {name: value for name, value in now.items() if name not in CLOCKS}
        ticks = found.is_active and at - self._stood_at >= CLOCK_EVERY
        if lasting == self._stood and not ticks:
            return []
        self._stood, self._stood_at = lasting, at
        return [{"type": "room", **now}]

    def _changed(self) -> list[Any]:
        """Echoes that are new or changed since the last look; at the first, those that have not ended, or just now."""
        own = Echo.objects.filter(conversation=self.conversation).select_related("conversation", "again_of")
        if self._newest_echo is None:
            newest = own.order_by("-id").values_list("id", flat=True).first()
            # One that ended while the page was on its way here was told by nobody as ended.
            lately = timezone.now() - LATELY
            found = own.filter(~Q(state__in=FINAL_STATES) | Q(ended_at__gt=lately))
            self._newest_echo = newest or 0
        else:
            found = own.filter(Q(id__gt=self._newest_echo) | Q(id__in=list(self._open)))
        changed = []
        for echo in found.order_by("id")[:MOST_OPEN]:
            now = echo_dict(echo)
            if self._open.get(echo.pk) != now:
                changed.append(now)
            self._newest_echo = max(self._newest_echo, echo.pk)
            self._open[echo.pk] = now
            if echo.is_final:
                del self._open[echo.pk]
        return changed


class EntryTail:
    """Entries of one conversation after a number, filtered, each with its number to go on from."""

    def __init__(self, stream: str, after: int | None, filters: dict[str, Any], *, audio: bool) -> None:
        self._stream = stream
        self._filters = filters
        self._audio = audio
        self._told = False  # whether caught_up was ever said
        reader.filtered(filters)  # a bad one is told now
        self.n = reader.last_n(stream) if after is None else after

    def look(self) -> tuple[list[dict[str, Any]], bool]:
        """Messages to send, and whether there is more to read at once."""
        last_n = reader.last_n(self._stream)  # within a stream, all up to it is there
        rows = reader.tail(self._stream, self.n, BATCH, **self._filters) if last_n > self.n else []
        told: list[dict[str, Any]] = [{"type": "entry", "entry": one} for one in shown(rows, audio=self._audio)]
        more = len(rows) == BATCH
        reached = rows[-1].n if rows else self.n
        # What a search finds may be indexed later than what it does not find yet.
        self.n = reached if more or self._filters.get("text") else max(reached, last_n)
        if not more and (told or not self._told):
            self._told = True
            told.append({"type": "caught_up", "n": self.n})
        return told, more


class LogTail:
    """Entries of all conversations after a cursor, each with the cursor to go on from."""

    def __init__(
        self, cursor: str | None, filters: dict[str, Any], *, audio: bool, limits: Limits | None = None
    ) -> None:
        self._filters = filters
        self._limits = limits
        self._audio = audio
        self._fingerprint = reader.filtered(filters).fingerprint
        if cursor is None:
            newest = Entry.objects.order_by("-id").values_list("id", flat=True).first() or 0
            cursor = str(Cursor(self._fingerprint, "tail", newest))
        read_cursor(cursor, self._fingerprint, "tail")  # a bad one is told now
        self.cursor = cursor
        self._told = False  # whether caught_up was ever said

    def look(self) -> tuple[list[dict[str, Any]], bool]:
        """Messages to send, and whether there is more to read at once."""
        tail = reader.tail_all(self.cursor, self._filters, BATCH, limits=self._limits)
        told: list[dict[str, Any]] = []
        for row, entry in zip(tail.rows, shown(tail.rows, audio=self._audio), strict=True):
            cursor = reader.tail_cursor(row, self._fingerprint)
            told.append({"type": "entry", "entry": {**entry, "cursor": cursor}})
        self.cursor = tail.cursor
        if tail.caught_up and (told or not self._told):
            self._told = True
            told.append({"type": "caught_up", "cursor": tail.cursor})
        return told, not tail.caught_up
