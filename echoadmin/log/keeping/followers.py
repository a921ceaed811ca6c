"""Who made something of entries, and must make it anew when they are pruned or erased."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from echoadmin.log.index.following import forget, remember
from echoadmin.log.index.rolls import ROLLS
from echoadmin.log.search import SEARCH

Forgetting = Callable[[str, str, Sequence[int]], None]
_erased: list[Forgetting] = []


def forget_pruned(ids: Sequence[int]) -> None:
    """Before they are deleted, in the same transaction: neither found nor counted any more."""
    for follower in (ROLLS, SEARCH):
        forget(follower, ids)


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
