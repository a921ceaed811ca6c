"""How long the log's pages take, over HTTP, on databases of different sizes made by make_log.py.

    .venv/bin/python tests/benchmarks/log_pages.py sqlite:////tmp/10k/sandbox.sqlite3 sqlite:////tmp/1m/sandbox.sqlite3

A console runs on each database, and beside it Django's stock changelist of the same table. All are asked in turns, so
that whatever else the machine does concerns them alike. Every question is asked twice before it counts. The first
database of each engine is what its others are compared with.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "benchmarks")]

from log_questions import BESIDE, QUESTIONS  # noqa: E402
from log_subjects import DEEP, Subject, subject  # noqa: E402

from tests.twin_process import running_twin  # noqa: E402

STOCK_SECONDS = 20.0  # spent on one of the stock changelist's pages


def measure(subjects: list[Subject], repeat: int) -> None:
    """Asks everybody everything, in turns."""
    for name, question in QUESTIONS.items():
        for turn in range(-40, repeat):
            for made in subjects:
                started = time.perf_counter()
                answer = question(made, turn)
                seconds = time.perf_counter() - started
                if answer.status_code != 200:
                    raise RuntimeError(f"{name} on {made.url}: {answer.status_code} {answer.text[:300]}")
                if turn >= 0:
                    made.times.setdefault(name, []).append(seconds * 1000)
                made.hits[name] = len(answer.json().get("results", ()))
        said = ", ".join(f"{made.entries:,}: {statistics.median(made.times[name]):.1f}" for made in subjects)
        print(f"{subjects[0].vendor} {name}: {said} ms", file=sys.stderr, flush=True)


def compare(made: Subject, repeat: int) -> dict[str, dict[str, float]]:
    """The console's page and Django's, in ms, and how many times longer Django's takes."""
    deep = min(DEEP, made.entries // 100)
    results = {}
    for name, (ours, theirs) in BESIDE.items():
        if name == "deep":
            ours, theirs = {"cursor": made.some["deep"][0]}, {"p": str(deep)}  # noqa: PLW2901
        us = timed(lambda params=ours: made.pages.get("/admin/log/entry/", params=params), repeat, 60)
        django = timed(lambda params=theirs: made.stock.get("/stock/log/entry/", params=params), repeat, STOCK_SECONDS)
        results[name] = {"page_ms": us, "stock_ms": django, "ratio": round(django / us, 2)}
        print(f"{made.vendor} {made.entries:,} {name}: {results[name]}", file=sys.stderr, flush=True)
    return results


def timed(get: Callable[[], httpx.Response], repeat: int, seconds: float) -> float:
    """The median in ms, of `repeat` answers or as many as come in so many seconds."""
    times: list[float] = []
    until = time.monotonic() + seconds
    while len(times) <= repeat and (len(times) < 2 or time.monotonic() < until):
        started = time.perf_counter()
        answer = get()
        times.append((time.perf_counter() - started) * 1000)
        answer.raise_for_status()
    return round(statistics.median(times[1:]), 2)  # the first one warms up


def quantile(times: list[float], share: float) -> float:
    return round(sorted(times)[min(int(len(times) * share), len(times) - 1)], 2)


def results(subjects: list[Subject], compared: dict[str, Any]) -> list[dict[str, Any]]:
    """For programs."""
    told = []
    first = subjects[0]
    for made in subjects:
        questions = {}
        for name, times in made.times.items():
            p95, base = quantile(times, 0.95), quantile(first.times[name], 0.95)
            limit = 100.0 if name.startswith("search") else max(base * 1.5, base + 10)
            row = {"p50": quantile(times, 0.5), "p95": p95, "p99": quantile(times, 0.99), "rows": made.hits[name]}
            questions[name] = row | {"limit": round(limit, 2), "kept": p95 <= limit}
        about = {"database": made.url.rpartition("@")[2], "vendor": made.vendor, "entries": made.entries}
        told.append(about | {"questions": questions, "changelist": compared[made.url]})
    return told


def table(told: list[dict[str, Any]]) -> None:
    """For people."""
    for one in told:
        print(f"\n{one['vendor']}, {one['entries']:,} entries: ms over HTTP")
        for name, row in one["questions"].items():
            miss = "" if row["kept"] else f"   over the limit of {row['limit']}"
            times = "  ".join(f"{share} {row[share]:8.2f}" for share in ("p50", "p95", "p99"))
            print(f"  {name:32} {times}  {row['rows']:3} rows{miss}")
        for name, row in one["changelist"].items():
            print(f"  page, {name:26} {row['page_ms']:8.1f}  Django's {row['stock_ms']:8.1f}  x {row['ratio']}")


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("urls", nargs="+", metavar="DATABASE_URL", help="made by make_log.py, the smallest first")
    parser.add_argument("--repeat", type=int, default=200, help="times that each question is asked (200)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    told: list[dict[str, Any]] = []
    for scheme in ("sqlite", "postgres"):
        urls = [url for url in arguments.urls if url.startswith(scheme)]
        if not urls:
            continue
        with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
            twin = running.enter_context(running_twin(Path(folder) / "twin"))
            subjects = [subject(url, twin, Path(folder), running) for url in urls]
            measure(subjects, arguments.repeat)
            told += results(subjects, {made.url: compare(made, min(arguments.repeat, 30)) for made in subjects})
    if arguments.json:
        machine = {"python": platform.python_version(), "cores": os.cpu_count(), "load": os.getloadavg()}
        print(json.dumps({"machine": machine, "databases": told}, indent=1))
    else:
        table(told)


if __name__ == "__main__":
    main()
