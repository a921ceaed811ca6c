"""What a verification may find, and how it is named when a row does not fit into its chain."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from echoadmin.log.chain import digest, leaf
from echoadmin.log.proof.rows import Row

What = Literal[
    "changed", "removed", "inserted", "moved", "cut_off", "rewritten", "erased", "pruned", "checkpoint", "key", "guards"
]
FAR = 10_000  # numbers to each side of an entry, in which its old place is looked for


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was written. `n` is the first entry that is concerned; None: none in particular."""

    what: What
    words: str
    stream: str | None = None
    n: int | None = None

    def __str__(self) -> str:
        place = " ".join(part for part in (self.stream, f"entry {self.n}" if self.n else "") if part)
        return f"{place}: {self.what}: {self.words}" if place else f"{self.what}: {self.words}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def fits(row: Row, previous: bytes) -> bool:
    """Whether the entry is what its leaf and digest were made of, and follows `previous`."""
    return (
        row.leaf == leaf(row.header, row.body_sha256)
        and row.digest == digest(previous, row.leaf)
        and (row.erased or row.sha == row.body_sha256)
    )


def name(stream: str, row: Row, previous: bytes, following: Row | None, last_n: int) -> Finding:
    """What has happened to an entry that does not fit. `following` is the one with the next number, if it is there."""

    def finding(what: What, words: str) -> Finding:
        return Finding(what, words, stream, row.n)

    own = leaf(row.header, row.body_sha256) == row.leaf
    linked = digest(previous, row.leaf) == row.digest
    if own and linked:
        if row.sha is None:
            return finding("changed", "its message is gone, and nothing says that it was erased")
        return finding("changed", "its message is not the one that was logged")
    if not own and (old := old_number(row, last_n)) is not None:
        if old < row.n:  # and that number has been looked at already
            return finding("inserted", f"this is a copy of entry {old}")
        return finding("moved", f"this is the entry that was number {old}")
    if following is not None and following.n == row.n + 1 and _was(following, row.n):
        return finding("inserted", f"the entry that had this number is number {following.n} now")
    if linked:
        return finding("changed", "its columns, or the hash of its message, are not those that its leaf was made of")
    if own and following is not None and digest(digest(previous, row.leaf), following.leaf) == following.digest:
        return finding("changed", "its digest is not the one that was written")
    if own:
        return finding("changed", "another entry stands in its place: the chain from those before does not lead to it")
    return finding("changed", "neither its columns nor its digest are what was written")


def old_number(row: Row, last_n: int) -> int | None:
    """The number with which the entry's columns and leaf fit together; None where none near does."""
    low, high = max(1, row.n - FAR), min(last_n, row.n + FAR)
    return next((number for number in range(low, high + 1) if number != row.n and _was(row, number)), None)


def _was(row: Row, number: int) -> bool:
    """Whether the entry was written as this number."""
    renumbered = row.header.replace(b'"n":%d,"persona_ref":' % row.n, b'"n":%d,"persona_ref":' % number)
    return leaf(renumbered, row.body_sha256) == row.leaf


def missing(stream: str, first: int, until: int, last_n: int, strays: Callable[[], Iterable[Row]]) -> Finding:
    """Numbers `first` to `until` are not there. `strays` are entries of the stream with numbers that can't be."""
    for row in strays():
        if _was(row, first):
            return Finding("moved", f"it has the number {row.n} now", stream, first)
    words = f"number {first}" if first == until else f"numbers {first} to {until}"
    if until == last_n:
        return Finding(
            "cut_off", f"{words} at the stream's end {'is' if first == until else 'are'} gone", stream, first
        )
    return Finding("removed", f"{words} {'is' if first == until else 'are'} gone", stream, first)
