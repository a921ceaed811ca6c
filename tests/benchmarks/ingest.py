"""How fast the log takes entries: the writer with its chain, beside raw batches of the same rows in the same table.

    .venv/bin/python tests/benchmarks/ingest.py                     (SQLite, in a folder of its own)
    .venv/bin/python tests/benchmarks/ingest.py --database-url postgres://postgres@127.0.0.1:5432/bench_log

Both take turns on one table with all its indexes, for --rounds or for --minutes on end; the writer is set up as a
worker's is, with its spool and with bells that ring for each stream that grew. On SQLite raw inserts make their own
checkpoints, every 16 MB, as a console's are made beside it meanwhile. Then 500 entries a second come while the duty
that follows the log keeps the text index and the roll-ups: how far behind they are, and how long the writer takes for
an entry.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import platform
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import Future
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "benchmarks")]

from make_log import settle  # noqa: E402

BATCH = 500  # rows of a raw transaction


def drafts(count: int) -> list[Any]:
    """Made-up entries that happen when they are written, each in a stream of this run."""
    import log_mix

    run = f"{time.time_ns():x}"
    found: list[Any] = []
    block = 0
    while len(found) < count:
        for _, draft in log_mix.block(block, datetime.now(UTC)):
            draft.at = None
            draft.stream = f"{draft.stream}_{run}"
            found.append(draft)
        block += 1
    return found[:count]


def raw_rows(taken: list[Any]) -> list[list[Any]]:
    """The rows as the writer would store them, ready made."""
    from django.db import connection

    from echoadmin.log.chain import GENESIS
    from echoadmin.log.clips import stored_time
    from echoadmin.log.models import Stream
    from echoadmin.log.writer.rows import AT, prepare, row

    heads: dict[str, tuple[int, int, bytes]] = {}
    rows = []
    now = datetime.now(UTC)
    for draft in taken:
        if draft.stream not in heads:
            made = Stream.objects.create(public_id=f"raw_{draft.stream}"[:64])
            heads[draft.stream] = (made.pk, 0, GENESIS)
        stream, n, last = heads[draft.stream]
        values, last = row(prepare(draft), stream, n + 1, last, now)
        values[AT] = stored_time(connection, values[AT])
        heads[draft.stream] = (stream, n + 1, last)
        rows.append(values)
    return rows


def insert_raw(rows: list[list[Any]]) -> float:
    """Seconds for the rows in batches of BATCH, the quickest way that the database's driver has."""
    from django.db import connection, transaction

    from echoadmin.log.many_rows import insert
    from echoadmin.log.writer.storing import COPY, INTO

    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_autocheckpoint=4000")
    started = time.perf_counter()
    for at in range(0, len(rows), BATCH):
        with transaction.atomic(), connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                with cursor.copy(COPY) as copy:
                    for values in rows[at : at + BATCH]:
                        copy.write_row(values)
            else:
                insert(cursor, INTO, rows[at : at + BATCH])
    return time.perf_counter() - started


@cache
def loop() -> asyncio.AbstractEventLoop:
    """One that runs, as in a worker: bells are rung on it."""
    made = asyncio.new_event_loop()
    threading.Thread(target=made.run_forever, daemon=True).start()
    return made


def workers_writer() -> Any:
    """A writer as a worker has it."""
    from django.conf import settings

    from conversations import bells
    from echoadmin.log.writer import Folder, Writer

    bells.use_loop(loop())

    return Writer(on_commit=bells.Tails().grew, spool=Folder(settings.DATA / "spool", "bench", "bench", 2**28))


def write(taken: list[Any]) -> float:
    """Seconds until a writer has stored them all, each handed over on its own (as rooms do) before it starts."""
    from echoadmin.log.writer import Unit

    writer = workers_writer()
    futures: list[Future[Any]] = [writer.put(Unit([draft])) for draft in taken]
    started = time.perf_counter()
    writer.start()
    futures[-1].result(300)
    seconds = time.perf_counter() - started
    for future in futures:
        future.result(0)
    writer.stop()
    return seconds


def compare(rounds: int, rows: int, minutes: float) -> dict[str, Any]:
    """Rows a second of both, in turns: so many, and on until so many minutes are over."""
    turns: list[tuple[float, float]] = []  # seconds of raw inserts and of the writer
    ends = time.monotonic() + minutes * 60
    while len(turns) <= rounds or time.monotonic() < ends:
        taken = drafts(rows)
        ready = raw_rows(taken)
        gc.collect()
        gc.freeze()  # what is made up here is no part of what either has to keep
        turns.append((insert_raw(ready), write(taken)))
    turns = turns[1:]  # the first one warms up
    raw, written = (rows / statistics.median(seconds) for seconds in zip(*turns, strict=True))
    told = {"raw_rows_per_s": round(raw), "writer_rows_per_s": round(written), "ratio": round(written / raw, 3)}
    tenth = max(1, len(turns) // 10)
    ratios = [round(statistics.median(ours / theirs for ours, theirs in part), 3) for part in cut(turns, tenth)]
    return told | {"turns": len(turns), "rows": 2 * rows * (len(turns) + 1), "ratios_one_after_the_other": ratios}


def cut(turns: list[tuple[float, float]], size: int) -> list[list[tuple[float, float]]]:
    """In parts of so many, so that a slow decline shows."""
    return [turns[at : at + size] for at in range(0, len(turns) - size + 1, size)]


def follow(rate: int, seconds: int) -> dict[str, float]:
    """Entries come at `rate` a second while the duty runs every two seconds."""
    from django.db import connections

    from echoadmin.log.heads import safe_head
    from echoadmin.log.index.duties import follow_log, seconds_behind
    from echoadmin.log.index.following import catch_up
    from echoadmin.log.index.rolls import ROLLS
    from echoadmin.log.search import SEARCH
    from echoadmin.log.writer import Unit, Writer

    with connections["default"].cursor() as cursor:
        cursor.execute("ANALYZE")  # what autovacuum does meanwhile, where it is on
    for follower in (SEARCH, ROLLS):
        catch_up(follower, safe_head(), batch=5_000)
    writer, stop = Writer(), threading.Event()
    writer.start()
    lags: list[float] = []

    def duty() -> None:
        while not stop.wait(2):
            lags.append(max(seconds_behind().values()))
            follow_log()
        connections.close_all()

    thread = threading.Thread(target=duty)
    thread.start()
    times: list[float] = []
    started = time.perf_counter()
    for number, draft in enumerate(drafts(rate * seconds)):
        wait = started + number / rate - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        put = time.perf_counter()
        writer.put(Unit([draft])).add_done_callback(lambda _, put=put: times.append(time.perf_counter() - put))
    stop.set()
    thread.join()
    writer.stop()
    times.sort()
    return {
        "entries_per_s": rate,
        "most_seconds_behind": round(max(lags), 2),
        "writer_p50_ms": round(times[len(times) // 2] * 1000, 2),
        "writer_p99_ms": round(times[int(len(times) * 0.99)] * 1000, 2),
        "writer_max_ms": round(times[-1] * 1000, 2),
    }


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--database-url", help="an empty one, or one made by make_log.py; it is written to")
    parser.add_argument("--rows", type=int, default=10_000, help="of one turn: at most 10,000, what a writer lets wait")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=0, help="go on with rounds until so long has passed")
    parser.add_argument("--seconds", type=int, default=30, help="of 500 entries a second (30; 0 leaves it out)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settle(arguments.database_url or f"sqlite:///{folder}/sandbox.sqlite3")
        told = run(arguments)
    print(
        json.dumps(told, indent=1) if arguments.json else "\n".join(f"{name}: {value}" for name, value in told.items())
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything, on the database that Django has."""
    from django.core.management import call_command
    from django.db import connection

    from echoadmin.garbage import spare_what_is_loaded
    from echoadmin.log.models import Entry

    call_command("migrate", verbosity=0, skip_checks=True)
    spare_what_is_loaded()  # as a process does that holds rooms
    before = Entry.objects.order_by("-id").values_list("id", flat=True).first() or 0
    told: dict[str, Any] = {
        "vendor": connection.vendor,
        "entries_before": before,
        **compare(arguments.rounds, arguments.rows, arguments.minutes),
    }
    if arguments.seconds:
        told["behind"] = follow(500, arguments.seconds)
    return told | {"python": platform.python_version(), "cores": os.cpu_count(), "load": os.getloadavg()[0]}


if __name__ == "__main__":
    main()
