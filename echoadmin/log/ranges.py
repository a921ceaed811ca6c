"""Numbers of entries as an entry names them."""

from __future__ import annotations

from collections.abc import Iterable


def ranges(ns: Iterable[int]) -> list[list[int]]:
    """Numbers as runs, ends included: [3, 4, 5, 9] → [[3, 5], [9, 9]]."""
    runs: list[list[int]] = []
    for n in sorted(ns):
        if runs and runs[-1][1] == n - 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    return runs
