"""Who made something of entries, and must make it anew when they are pruned or erased."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.backends.utils import CursorWrapper

from echoadmin.log.index.following import Follower, forget, reached, remember
from echoadmin.log.index.rolls import ROLLS
from echoadmin.log.models import Entry
from echoadmin.log.search import SEARCH

Forgetting = Callable[[str, str, Sequence[int]], None]
_erased: list[Forgetting] = []


@dataclass(frozen=True, slots=True)
class Known:
    """What followers made of some entries, worked out before the transaction that takes it back."""

    ids: Sequence[int]
    made: list[tuple[Follower, Any]]  # of those followers that have all of the entries in


def look_up(ids: Sequence[int]) -> Known:
    """To be called outside of transactions: while one is open on SQLite, the log's writer waits."""
    made = []
    for follower in (ROLLS, SEARCH):
        if reached(follower.name) >= max(ids):
            entries = Entry.objects.filter(pk__in=ids).order_by("id")
            made.append((follower, follower.read(list(entries.values_list(*follower.columns)))))
    return Known(ids, made)


def forget_pruned(cursor: CursorWrapper, known: Known) -> None:
    """Before they are deleted, in the same transaction: neither found nor counted any more.

    The entries must be as they were at look_up().
    """
    done = []
    for follower, made in known.made:
        cursor.execute(
            "UPDATE log_progress SET changes = changes + 1 WHERE name = %s AND last_id >= %s",
            [follower.name, max(known.ids)],
        )
        if cursor.rowcount:  # else it begins anew at this moment, and has them not
            follower.forget(cursor, made)
            done.append(follower.name)
    for follower in (ROLLS, SEARCH):
        if follower.name not in done:
            forget(follower, known.ids)


def tidy() -> None:
    """After some were pruned, outside of transactions."""
    for follower in (ROLLS, SEARCH):
        follower.tidy("pruning")


def forget_words(ids: Sequence[int]) -> None:
    """Before they are erased, in the same transaction: their words are not found any more."""
    forget(SEARCH, ids)


def remember_rest(ids: Sequence[int]) -> None:
    """After they were erased: found by what is left of them."""
    remember(SEARCH, ids)


def on_erase(forget_too: Forgetting) -> None:
    """From now on calls `forget_too` for each batch that is erased, in its transaction.

    It gets what was asked for ("sender", "echo" or "conversation", and its value) and the ids of the echoes that the
    entries belong to. Parts above the log keep words of their own; here they say how those go.
    """
    if forget_too not in _erased:
        _erased.append(forget_too)


def words_erased(of: str, value: str, echo_ids: Sequence[int]) -> None:
    """Tells who asked by on_erase()."""
    for forget_too in _erased:
        forget_too(of, value, echo_ids)
