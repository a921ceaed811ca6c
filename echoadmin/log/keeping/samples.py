"""Samples go when the last entry that needs them has gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.db.backends.utils import CursorWrapper

_asked: list[Callable[[Sequence[int]], set[int]]] = []


def on_drop(still_needed: Callable[[Sequence[int]], set[int]]) -> None:
    """From now on asks `still_needed` which of some clips others need: an echo that is not said yet has no entries."""
    if still_needed not in _asked:
        _asked.append(still_needed)


_UNNEEDED = """
SELECT id FROM log_clip WHERE id IN ({})
AND NOT EXISTS (SELECT 1 FROM log_entry WHERE clip_id = log_clip.id AND erased_at IS NULL)
"""


def drop_unneeded(cursor: CursorWrapper, clips: Sequence[int]) -> int:
    """Deletes those of the clips that no entry, or only erased ones, refer to; returns how many bytes they had.

    Within lifted("prune") or lifted("erase"). A clip is kept whole while one entry needs a part of it.
    """
    if not clips:
        return 0
    cursor.execute(_UNNEEDED.format(_holders(clips)), list(clips))
    gone = [clip for (clip,) in cursor.fetchall()]
    for still_needed in _asked if gone else ():
        needed = still_needed(gone)
        gone = [clip for clip in gone if clip not in needed]
    if not gone:
        return 0
    cursor.execute(f"SELECT SUM(size) FROM log_clip WHERE id IN ({_holders(gone)})", gone)
    nbytes = int(cursor.fetchone()[0] or 0)
    cursor.execute(f"DELETE FROM log_clippart WHERE clip_id IN ({_holders(gone)})", gone)
    cursor.execute(f"DELETE FROM log_clip WHERE id IN ({_holders(gone)})", gone)
    return nbytes


def _holders(values: Sequence[int]) -> str:
    return ", ".join(["%s"] * len(values))
