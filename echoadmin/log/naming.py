"""Names of conversations for the log's pages: the log knows their ids alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

Names = Callable[[set[str]], Mapping[str, str]]  # our ids → what people call them

_asked: list[Names] = []


def use_names(ask: Names) -> None:
    """Who knows the conversations says here how to get their names."""
    _asked[:] = [ask]


def names(refs: set[str]) -> Mapping[str, str]:
    """The names of these conversations; one query for all, none for none."""
    sane = {ref for ref in refs if "\0" not in ref}  # an address may hold anything, and PostgreSQL takes no NUL
    return _asked[0](sane) if sane and _asked else {}
