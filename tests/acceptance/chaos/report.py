"""The report: a line for each round as it happens, then each check with its counts, and how to run it again."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.acceptance.chaos.checks.finding import Check

MOST = 20  # problems of one check that are told

_began = time.monotonic()


def tell(line: str) -> None:
    """One line, at once."""
    print(f"{time.monotonic() - _began:6.0f} s  {line}", flush=True)


def tell_checks(checks: list[Check]) -> bool:
    """Whether every promise was kept."""
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"\nchecks (load average {load} on {os.cpu_count()} processors)")
    for check in checks:
        print(f"  {'FAILED' if check.problems else 'ok':<7} {check.promise}{f': {check.told}' if check.told else ''}")
        for problem in check.problems[:MOST]:
            print(f"            {problem}")
        if len(check.problems) > MOST:
            print(f"            … and {len(check.problems) - MOST} more")
    return not any(check.problems for check in checks)


def tell_complaints(folder: Path) -> None:
    """What the processes' own logs have that nobody expects: no check by itself, but worth a look."""
    for log in sorted(folder.glob("*/*.log")):
        count = log.read_text(errors="replace").count("Traceback (most recent call last)")
        if count:
            print(f"  note    {count} tracebacks in {log}")
