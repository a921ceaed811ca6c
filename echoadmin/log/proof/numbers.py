"""Sets of entry numbers as short text: "3,7-12"."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def pack(numbers: Iterable[int]) -> str:
    """Ascending numbers as text, runs folded."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def runs(text: str) -> Iterator[tuple[int, int]]:
    """The runs of such a text, (first, last) each. Raises ValueError for what pack() does not write."""
    for part in text.split(",") if text else ():
        first, _, last = part.partition("-")
        yield int(first), int(last or first)


def unpack(text: str) -> Iterator[int]:
    """The numbers of such a text, ascending."""
    for first, last in runs(text):
        yield from range(first, last + 1)
