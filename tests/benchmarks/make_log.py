"""Fills a database with a log of a realistic mix, through the writer's own rows, chain included.

    .venv/bin/python tests/benchmarks/make_log.py --entries 1000000 --database-url sqlite:////tmp/log/sandbox.sqlite3

Each block of conversations is one transaction, so it can be stopped at any time; started again with the same arguments
it goes on. Secondary indexes are made after the rows, then the roll-ups and the text index by the duties' own code, in
larger batches. What comes out is what the writer and the duties would have made.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "benchmarks")]

HIGHEST = 2**62
BLOCK = 10_000  # entries that are kept of a block, so that the number asked for is met


def settle(database_url: str) -> None:
    """Settings for the database that is meant, before Django reads them."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "echoadmin.settings"
    os.environ.setdefault("ECHOADMIN_SECRET_KEY", "only for a made-up log, nobody signs in here: 0123456789abcdef")
    os.environ.setdefault("ECHOADMIN_SIGNING_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
    if database_url.startswith("sqlite:///"):
        path = Path(database_url.removeprefix("sqlite:///"))
        if path.name != "sandbox.sqlite3":
            sys.exit(f"{path}: the console opens sandbox.sqlite3 in its ECHOADMIN_DATA, so let the file be called that")
        path.parent.mkdir(parents=True, exist_ok=True)
        os.environ["ECHOADMIN_DATA"] = str(path.parent)
        os.environ.pop("DATABASE_URL", None)
    else:
        os.environ["DATABASE_URL"] = database_url
    import django

    django.setup()


def made(work: tuple[int, datetime, int]) -> tuple[int, list[Any], list[tuple[str, int, bytes]]]:
    """One block: its rows without the account's place in its chain, and the ends of its streams."""
    import log_mix

    from echoadmin.log.chain import GENESIS
    from echoadmin.log.writer.rows import prepare, row

    number, start, keep = work
    first = number * log_mix.BLOCK_STREAMS
    ids = {log_mix.public_id(first + i): first + i + 2 for i in range(log_mix.BLOCK_STREAMS)}
    heads = dict.fromkeys(ids, (0, GENESIS))
    rows: list[Any] = []
    for stored_at, draft in log_mix.block(number, start)[:keep]:
        prepared = prepare(draft)
        if draft.stream == "account":
            rows.append((prepared, stored_at))
            continue
        n, last = heads[draft.stream]
        values, last = row(prepared, ids[draft.stream], n + 1, last, stored_at)
        heads[draft.stream] = (n + 1, last)
        rows.append(values)
    return number, rows, [(name, ids[name], n, last) for name, (n, last) in heads.items()]


class Filler:
    """Puts blocks into the database, each in one transaction."""

    def __init__(self, entries: int) -> None:
        from django.db import connection

        self.connection = connection
        self.entries = entries
        self.postgresql = connection.vendor == "postgresql"

    def prepare(self) -> tuple[int, datetime]:
        """The tables, without secondary indexes; how many blocks are there, and when the log begins."""
        import log_mix
        from django.core.management import call_command

        from echoadmin.log.clips import append_samples, new_clip
        from echoadmin.log.models import Clip, Stream

        call_command("migrate", verbosity=0)
        streams = Stream.objects.filter(public_id__startswith="cv_mix").count()
        if not streams and (Stream.objects.exists() or Clip.objects.exists()):
            sys.exit("this database holds a log of its own: give an empty one")
        blocks = streams // log_mix.BLOCK_STREAMS
        if blocks:
            return blocks, Clip.objects.get(pk=1).created_at
        Stream.objects.create(pk=1, public_id="account")
        for clip in range(log_mix.CLIPS):
            append_samples(new_clip(log_mix.RATE).pk, log_mix.samples(clip))
        total = -(-self.entries // BLOCK)
        start = datetime.now(UTC).replace(microsecond=0) - log_mix.SLICE * total
        Clip.objects.filter(pk=1).update(created_at=start)  # where a second run finds it
        self.change_indexes(make=False)
        return 0, start

    def put(self, rows: list[Any], heads: list[tuple[str, int, int, bytes]]) -> None:
        """One block."""
        from django.db import transaction

        from echoadmin.log.clips import stored_time
        from echoadmin.log.many_rows import insert
        from echoadmin.log.models import Stream
        from echoadmin.log.writer.rows import AT, row
        from echoadmin.log.writer.storing import COPY, INTO

        with transaction.atomic(), self.connection.cursor() as cursor:
            account = Stream.objects.get(pk=1)
            n, last = account.last_n, bytes(account.last_digest)
            for i, one in enumerate(rows):
                if isinstance(one, tuple):
                    n += 1
                    rows[i], last = row(one[0], 1, n, last, one[1])
                rows[i][AT] = stored_time(self.connection, rows[i][AT])
            Stream.objects.filter(pk=1).update(last_n=n, last_digest=last)
            cursor.executemany(
                "INSERT INTO log_stream (public_id, id, last_n, last_digest) VALUES (%s, %s, %s, %s)", heads
            )
            if self.postgresql:
                with cursor.copy(COPY) as copy:
                    for values in rows:
                        copy.write_row(values)
            else:
                insert(cursor, INTO, rows)

    def fill(self, processes: int) -> None:
        """All blocks that are missing."""
        import log_mix

        done, start = self.prepare()
        total = -(-self.entries // BLOCK)
        work = [(i, start + log_mix.SLICE * i, min(BLOCK, self.entries - i * BLOCK)) for i in range(done, total)]
        began = time.monotonic()
        put = 0
        with get_context("spawn").Pool(processes, initializer=settle, initargs=(arguments.database_url,)) as pool:
            for number, rows, heads in ahead(pool, work):
                self.put(rows, heads)
                put += len(rows)
                if number % 20 == 0 or number + 1 == total:
                    say(f"{number + 1} of {total} blocks, {put / (time.monotonic() - began):,.0f} rows/s")
        self.finish()

    def finish(self) -> None:
        """What a filled table lacks: indexes, sequences, statistics, and what follows the log."""
        began = time.monotonic()
        with self.connection.cursor() as cursor:
            if self.postgresql:
                cursor.execute("SET maintenance_work_mem = '1GB'")
                cursor.execute(
                    "SELECT setval(pg_get_serial_sequence('log_stream', 'id'), (SELECT max(id) FROM log_stream))"
                )
            else:
                cursor.execute("PRAGMA cache_size=-1000000")
        self.change_indexes(make=True)
        with self.connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE log_entry" if self.postgresql else "PRAGMA optimize")
        say(f"indexes and statistics in {time.monotonic() - began:.0f} s")
        self.follow()

    def follow(self) -> None:
        """The text index and the roll-ups, by the duty's own code. On PostgreSQL, GIN is made after its rows."""
        from echoadmin.log.index.duties import FOLLOWERS
        from echoadmin.log.index.following import advance
        from echoadmin.log.search import postgresql

        gin = [statement for statement in postgresql.CREATE if "USING gin" in statement] if self.postgresql else []
        with self.connection.cursor() as cursor:
            for statement in gin:
                cursor.execute(f"DROP INDEX IF EXISTS {statement.split()[2]}")
        for follower in FOLLOWERS:
            began = told = time.monotonic()
            taken = 0
            while count := advance(follower, HIGHEST, 20_000):
                taken += count
                if time.monotonic() - told > 30:
                    told = time.monotonic()
                    say(f"{follower.name}: {taken:,} entries, {taken / (told - began):,.0f} a second")
            while follower.tidy("nothing"):
                pass
            say(f"{follower.name}: {taken:,} entries in {time.monotonic() - began:.0f} s")
        began = time.monotonic()
        with self.connection.cursor() as cursor:
            for statement in gin:
                cursor.execute(statement)
            if self.postgresql:
                cursor.execute("VACUUM ANALYZE log_words, log_facets, log_roll, log_mark")
        say(f"the rest in {time.monotonic() - began:.0f} s")

    def change_indexes(self, *, make: bool) -> None:
        """Makes the entries' secondary indexes that are missing, or drops those that are there."""
        from echoadmin.log.models import Entry

        with self.connection.cursor() as cursor:
            there = set(self.connection.introspection.get_constraints(cursor, Entry._meta.db_table))
        for index in Entry._meta.indexes:
            began = time.monotonic()
            if make and index.name not in there:
                with self.connection.schema_editor(atomic=False) as editor:
                    editor.add_index(Entry, index)
                say(f"  {index.name} in {time.monotonic() - began:.0f} s")
            elif not make and index.name in there:
                with self.connection.schema_editor(atomic=False) as editor:
                    editor.remove_index(Entry, index)


def ahead(pool: Any, work: list[Any]) -> Iterator[Any]:
    """The blocks in order, never more than four made ahead of the database."""
    waiting = [pool.apply_async(made, (one,)) for one in work[:4]]
    for one in work[4:]:
        yield waiting.pop(0).get()
        waiting.append(pool.apply_async(made, (one,)))
    for result in waiting:
        yield result.get()


def say(words: str) -> None:
    """To people, not to programs."""
    print(words, file=sys.stderr, flush=True)


def main() -> None:
    """From the command line."""
    settle(arguments.database_url)
    began = time.monotonic()
    Filler(arguments.entries).fill(arguments.processes)
    say(f"done in {time.monotonic() - began:.0f} s")


if __name__ in ("__main__", "__mp_main__"):
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--entries", type=int, required=True)
    parser.add_argument("--database-url", required=True, help="sqlite:////path/sandbox.sqlite3 or postgres://…")
    parser.add_argument("--processes", type=int, default=2, help="that prepare rows beside the one that stores them")
    arguments = parser.parse_args()
    if __name__ == "__main__":
        main()
