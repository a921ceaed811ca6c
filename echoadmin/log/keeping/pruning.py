"""Pruning by age: small batches with pauses, so that the log's writer never waits long; the leaves stay, signed.

Stream by stream: what is pruned of one lies together, and a row of Pruned holds up to MOST leaves.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from echoadmin.actors import SYSTEM, Actor
from echoadmin.log.index.following import without_waiting_for_the_disk
from echoadmin.log.keeping import followers, samples
from echoadmin.log.keeping.holds import on_hold
from echoadmin.log.keeping.leases import Renewable, lease
from echoadmin.log.keeping.rules import Rule, rules
from echoadmin.log.models import Kind, Stream
from echoadmin.log.proof import pruned, signing
from echoadmin.log.proof.triggers import lifted
from echoadmin.log.times import bounds
from echoadmin.log.writer import Draft, append

PRUNED = "log.pruned"
WINDOW = 5_000  # of the oldest entries at a time, whose streams are gone through
FEWEST, MOST = 10, 300  # entries in a transaction
AIM = 0.015  # seconds for a transaction: batches grow and shrink towards it
PAUSE = 0.05  # seconds between two, at least


class LogDamaged(RuntimeError):
    """Entries are not where they were a moment ago, and nobody pruned them: the batch was undone."""


@dataclass(slots=True)
class Outcome:
    """What was pruned by one rule."""

    rule: Rule
    entries: int = 0
    streams: set[int] = field(default_factory=set)


Progress = Callable[[int], None]  # entries pruned so far; may raise, to stop


@dataclass(slots=True)
class _Pace:
    """How many entries go into a transaction, and how long to wait after it."""

    size: int = 50

    def took(self, seconds: float) -> float:
        wanted = self.size * AIM / max(seconds, 0.001)
        self.size = int(min(MOST, max(FEWEST, min(wanted, self.size * 1.5))))
        return max(PAUSE, seconds)


def prune(*, actor: Actor = SYSTEM, now: datetime | None = None, progress: Progress | None = None) -> list[Outcome]:
    """Prunes what the rules say, one rule after the other. Raises leases.Busy, signing.BadSigningKey.

    Whatever stops it, what was pruned until then verifies, and the rest is pruned the next time.
    """
    moment = now or timezone.now()
    outcomes: list[Outcome] = []
    with lease("prune") as held:
        signing.note_key()
        for rule in rules(moment):
            outcome = Outcome(rule)
            outcomes.append(outcome)
            try:
                for count in _batches(rule, held, outcome):
                    outcome.entries += count
                    if progress is not None:
                        progress(sum(done.entries for done in outcomes))
            finally:
                if outcome.entries:
                    _record(outcome, actor)
    return outcomes


def would_prune(now: datetime | None = None) -> list[Outcome]:
    """How many entries each rule would prune now. Counts, so it takes a while on a large log."""
    found: list[Outcome] = []
    for rule in rules(now or timezone.now()):
        where, params = _where(rule)
        with connection.cursor() as cursor:
            cursor.execute(f'SELECT "stream", COUNT(*) FROM log_entry WHERE {where} GROUP BY 1', params)
            counts = dict(cursor.fetchall())
        found.append(Outcome(rule, sum(counts.values()), set(counts)))
    return found


def anything_to_prune(now: datetime | None = None) -> bool:
    """Whether a rule has something to prune now."""
    return any(_streams(rule, window=1)[0] for rule in rules(now or timezone.now()))


def _where(rule: Rule) -> tuple[str, list[Any]]:
    """The condition of all that the rule may prune now."""
    _, before_id = bounds(None, None, rule.before)
    where, params = _where_in_stream(rule)
    if before_id is not None:
        where, params = f"{where} AND id < %s", [*params, before_id]
    if held := sorted(on_hold()):
        holders = ", ".join(["%s"] * len(held))
        where += (
            f' AND "stream" NOT IN (SELECT id FROM log_stream WHERE public_id IN ({holders}))'
            f" AND COALESCE(conversation_ref, '') NOT IN ({holders})"
        )
        params = [*params, *held, *held]
    return where, params


def _streams(rule: Rule, after: int = 0, window: int = WINDOW) -> tuple[list[int], int]:
    """The streams of the oldest entries after the id `after` that the rule prunes, each once; the last one's id."""
    where, params = _where(rule)
    with connection.cursor() as cursor:
        cursor.execute(
            f'SELECT "stream", id FROM log_entry WHERE {where} AND id > %s ORDER BY id LIMIT %s',
            [*params, after, window],
        )
        rows = cursor.fetchall()
    return list(dict.fromkeys(stream for stream, _ in rows)), rows[-1][1] if rows else after


def _batches(rule: Rule, held: Renewable, outcome: Outcome) -> Iterator[int]:
    """Prunes all that the rule says; tells after each batch how many entries it had.

    What lies behind is not looked through again: until it is vacuumed, PostgreSQL would step over each that is gone.
    """
    pace = _Pace()
    streams, after = _streams(rule)
    while streams:
        for stream in streams:
            for count in _stream(stream, rule, held, pace):
                outcome.streams.add(stream)
                yield count
        streams, after = _streams(rule, after)


@dataclass(frozen=True, slots=True)
class _Batch:
    ids: list[int]
    leaves: list[tuple[int, bytes]]
    beside: list[int]  # numbers whose bodies lie beside
    clips: list[int]
    erased: int  # how many of them were


def _stream(stream: int, rule: Rule, held: Renewable, pace: _Pace) -> Iterator[int]:
    row = Stream.objects.filter(pk=stream).first()
    after = 0
    while row is not None and (batch := _read(stream, rule, after, pace.size)):
        held.renew()
        kept = pruned.signed_row(stream, row.public_id, batch.leaves, timezone.now(), str(rule)[:100])
        known = followers.look_up(batch.ids)
        started = time.monotonic()
        with lifted("prune"), connection.cursor() as cursor:
            without_waiting_for_the_disk(cursor)
            may_go = _may_go(cursor, row)
            unchanged = may_go and _still_there(cursor, batch)
            if unchanged:
                kept.save()
                followers.forget_pruned(cursor, known)
                _delete(cursor, stream, batch)
        pause = pace.took(time.monotonic() - started)
        if not may_go:
            return
        if unchanged:
            yield len(batch.ids)
            after = batch.leaves[-1][0]
        time.sleep(pause / 2)  # the log's writer gets its turn before and after
        followers.tidy()
        time.sleep(pause / 2)


def _read(stream: int, rule: Rule, after: int, size: int) -> _Batch | None:
    """The next entries of the stream that the rule prunes."""
    where, params = _where_in_stream(rule)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, n, leaf, body IS NULL AND erased_at IS NULL, clip_id, erased_at IS NOT NULL FROM log_entry"
            f' WHERE "stream" = %s AND n > %s AND {where} ORDER BY n LIMIT %s',
            [stream, after, *params, size],
        )
        rows = cursor.fetchall()
    if not rows:
        return None
    return _Batch(
        [id_ for id_, *_ in rows],
        [(n, bytes(leaf)) for _, n, leaf, *_ in rows],
        [n for _, n, _, beside, _, _ in rows if beside],
        sorted({clip for *_, clip, _ in rows if clip is not None}),
        sum(bool(erased) for *_, erased in rows),
    )


def _where_in_stream(rule: Rule) -> tuple[str, list[Any]]:
    return f'{rule.condition} AND "at" < %s', [connection.ops.adapt_datetimefield_value(rule.before)]


def _may_go(cursor: CursorWrapper, stream: Stream) -> bool:
    """Locks the stream's row, as who places a hold does, and asks for holds once more."""
    if connection.vendor == "postgresql":
        cursor.execute("SELECT 1 FROM log_stream WHERE id = %s FOR UPDATE", [stream.pk])
    cursor.execute("SELECT 1 FROM log_hold WHERE conversation_ref = %s AND released_at IS NULL", [stream.public_id])
    return cursor.fetchone() is None


def _still_there(cursor: CursorWrapper, batch: _Batch) -> bool:
    """Whether none was erased since it was read; who erases locks the stream too. Raises LogDamaged."""
    cursor.execute(
        "SELECT COUNT(*), COUNT(CASE WHEN erased_at IS NOT NULL THEN 1 END) FROM log_entry "
        f"WHERE id IN ({_holders(batch.ids)})",
        batch.ids,
    )
    there, erased = cursor.fetchone()
    if there != len(batch.ids):
        raise LogDamaged("entries went away while they were being pruned; run verify_log")
    return int(erased) == batch.erased


def _delete(cursor: CursorWrapper, stream: int, batch: _Batch) -> None:
    cursor.execute(f"DELETE FROM log_entry WHERE id IN ({_holders(batch.ids)})", batch.ids)
    if batch.beside:
        holders = _holders(batch.beside)
        cursor.execute(f"DELETE FROM log_entrybody WHERE stream = %s AND n IN ({holders})", [stream, *batch.beside])
    samples.drop_unneeded(cursor, batch.clips)


def _holders(values: list[int]) -> str:
    return ", ".join(["%s"] * len(values))


def _record(outcome: Outcome, actor: Actor) -> None:
    rule = outcome.rule
    message = {
        "rule": str(rule),
        "before": rule.before,
        "entries": outcome.entries,
        "streams": len(outcome.streams),
    }
    append([Draft(Stream.ACCOUNT, Kind.OPERATOR, PRUNED, actor=actor.name, message=message)])
