"""Who was in a room after the one that a spool is of: what both heard is in the log once, as the successor's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.backends.utils import CursorWrapper

from echoadmin.log.clips import stored_time
from echoadmin.log.writer.drafts import Draft

BEFORE_JOINED = 200  # entries: what it heard before its join was known to be complete

_JOINED = """
    SELECT MIN(e.stream), MIN(e.n), MIN(e.at) FROM log_entry e JOIN log_stream s ON s.id = e.stream
    WHERE s.public_id = %s AND e.event_type = 'joined' AND e.kind = 'room' AND e.epoch > %s
"""
_HEARD = """
    SELECT MIN(at) FROM log_entry WHERE stream = %s AND n BETWEEN %s AND %s
    AND direction = 'in' AND kind = 'app_message' AND epoch > %s
"""


class Successors:
    """Asks for each room once: since when a later epoch listens there. Of one transaction."""

    def __init__(self, cursor: CursorWrapper) -> None:
        self._cursor = cursor
        self._since: dict[tuple[str, int], Any] = {}

    def heard(self, drafts: Sequence[Draft]) -> bool:
        """Whether all of these came while a successor listened already: it has them, or tells of a gap."""
        return bool(drafts) and all(self._heard(draft) for draft in drafts)

    def _heard(self, draft: Draft) -> bool:
        if draft.kind != "app_message" or draft.direction != "in" or draft.epoch is None or draft.at is None:
            return False
        place = (draft.stream, draft.epoch)
        if place not in self._since:
            self._since[place] = self._listens_since(*place)
        since = self._since[place]
        return since is not None and bool(stored_time(self._cursor.db, draft.at) >= since)

    def _listens_since(self, stream: str, epoch: int) -> Any:
        """As the database gives it; None where nobody came after."""
        self._cursor.execute(_JOINED, [stream, epoch])
        own, n, at = self._cursor.fetchone()
        if own is None:
            return None
        self._cursor.execute(_HEARD, [own, n - BEFORE_JOINED, n, epoch])
        first = self._cursor.fetchone()[0]
        return at if first is None else min(at, first)
