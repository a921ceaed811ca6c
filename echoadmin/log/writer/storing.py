"""The one transaction in which entries come into being: guards, numbers and digests, then the rows, last of all."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import takewhile
from time import monotonic
from typing import Any

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.utils import InterfaceError, InternalError, OperationalError

from echoadmin.log.clips import insert_clip, stored_time
from echoadmin.log.many_rows import execute, insert
from echoadmin.log.models import PART_BYTES
from echoadmin.log.writer.drafts import Refused, Unit, Written
from echoadmin.log.writer.rows import AT, BODY, CLIP_ID, COLUMNS, STREAM, N, Prepared, prepare, row

READ_ONLY = "25006"  # PostgreSQL takes no writes for now: a standby, or a server that somebody spares
IDLE_TOO_LONG = "25P03"  # PostgreSQL ended the session: this process stood still in a transaction, which held locks
GUARDS_SECONDS = 2.0  # no further unit is taken into a transaction that is older
SAID_NO = "the unit's guard said no: nothing of it was written"
COPY_FROM = 8  # rows; below it, plain INSERTs are the quicker way into PostgreSQL

INTO = f"log_entry ({', '.join(COLUMNS)})"
COPY = f"COPY {INTO} FROM STDIN"

Outcome = list[Written] | Exception


@dataclass(slots=True)
class Ready:
    """A unit whose entries are prepared. One `from_spool` happened: its guard's no does not keep it out."""

    unit: Unit
    given: Sequence[Prepared]
    found: Sequence[Prepared] = ()  # what the guard brought, this time
    from_spool: bool = False
    refused: Exception | None = None  # of one from the spool: what its guard said

    @property
    def entries(self) -> Sequence[Prepared]:
        """All of them, in order."""
        return [*self.given, *self.found] if self.found else self.given


@dataclass(slots=True)
class _Head:
    """A stream's end, locked until the commit."""

    id: int
    n: int
    digest: bytes


@dataclass(slots=True)
class _Batch:
    heads: dict[str, _Head]
    next_id: int | None  # of an entry, where the database's ids are known before
    rows: list[list[Any]] = field(default_factory=list)
    samples: list[tuple[list[Any], Prepared]] = field(default_factory=list)
    bodies: list[tuple[int, int, str]] = field(default_factory=list)


def is_passing(error: BaseException) -> bool:
    """Whether `error` speaks of the database's state (away, busy, full), so that the same can work later."""
    cause = error.__cause__
    if isinstance(error, InternalError):
        return getattr(cause, "sqlstate", None) in (READ_ONLY, IDLE_TOO_LONG)
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    sqlite_code = getattr(cause, "sqlite_errorcode", None)
    if sqlite_code is not None:
        return sqlite_code & 0xFF != 1  # SQLITE_ERROR: the statement itself is wrong
    state = getattr(cause, "sqlstate", None)
    return state is None or state[:2] in ("08", "40", "53", "55", "57", "58")


def _nothing() -> None:
    return


def store(
    connection: BaseDatabaseWrapper, ready: Sequence[Ready], meanwhile: Callable[[], None] = _nothing
) -> list[Outcome]:
    """Writes the units in the open transaction of `connection`.

    Returns an outcome for each of the first units; the rest didn't fit into the time that a transaction may take.
    Raises what concerns all of them. `meanwhile` is called once PostgreSQL has been sent many rows, to use the time
    in which it takes them in; it may not raise.
    """
    with connection.cursor() as cursor:
        outcomes = _run_guards(cursor, ready)
        passed = [at for at, outcome in enumerate(outcomes) if not isinstance(outcome, Exception)]
        streams = {entry.draft.stream for at in passed for entry in ready[at].entries}
        batch = _Batch(_lock_streams(cursor, streams), _next_id(cursor) if streams else None)
        now = datetime.now(UTC)
        for at in passed:
            outcomes[at] = _chain(cursor, ready[at], batch, now)
        _insert(cursor, batch, meanwhile)
    return outcomes


def ensure_streams(cursor: CursorWrapper, public_ids: Iterable[str]) -> None:
    """Makes the streams that are not there yet."""
    cursor.executemany(
        "INSERT INTO log_stream (public_id, last_n, last_digest) VALUES (%s, 0, %s) ON CONFLICT (public_id) DO NOTHING",
        [(public_id, bytes(32)) for public_id in sorted(public_ids)],
    )


def _run_guards(cursor: CursorWrapper, ready: Sequence[Ready]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    answers: dict[Hashable, bool] = {}
    until = monotonic() + GUARDS_SECONDS
    for at, one in enumerate(ready):
        if outcomes and monotonic() > until:
            break
        key = one.unit.guard_key
        if key is None:
            if _may_change_answers(one):
                answers.clear()
            refusal = _run_guard(cursor, one)
        else:
            if key not in answers:
                answers |= _ask(cursor, ready[at:])
            refusal = None if answers[key] else Refused(SAID_NO)
        if one.from_spool:
            one.refused, refusal = refusal, None
        outcomes.append(refusal or [])
    return outcomes


def _may_change_answers(ready: Ready) -> bool:
    return ready.unit.guard is not None and not ready.unit.plain


def _ask(cursor: CursorWrapper, ready: Sequence[Ready]) -> dict[Hashable, bool]:
    """The answers to the first key, and to those that can be asked together with it."""
    guard_all = ready[0].unit.guard_all
    assert guard_all is not None
    together = takewhile(lambda one: not _may_change_answers(one), ready)
    keys = dict.fromkeys(one.unit.guard_key for one in together if one.unit.guard_all == guard_all)
    yes = guard_all(cursor, list(keys))
    return {key: key in yes for key in keys}


def _run_guard(cursor: CursorWrapper, ready: Ready) -> Exception | None:
    if ready.unit.guard is None:
        return None
    if ready.unit.plain:
        return None if ready.unit.guard(cursor) else Refused(SAID_NO)
    try:
        with transaction.atomic(using=cursor.db.alias):
            answer = ready.unit.guard(cursor)
            if answer is False:
                raise Refused(SAID_NO)
            ready.found = [prepare(draft) for draft in answer] if isinstance(answer, list) else ()
    except Exception as error:
        if is_passing(error):
            raise
        return error
    return None


def _lock_streams(cursor: CursorWrapper, public_ids: set[str]) -> dict[str, _Head]:
    """Their ends, locked in the order of their ids, so that two writers can't wait for each other."""
    heads = _select_heads(cursor, public_ids)
    if missing := public_ids - heads.keys():
        ensure_streams(cursor, missing)
        heads |= _select_heads(cursor, missing)
    return heads


def _select_heads(cursor: CursorWrapper, public_ids: set[str]) -> dict[str, _Head]:
    if not public_ids:
        return {}
    lock = " FOR UPDATE" if cursor.db.vendor == "postgresql" else ""  # SQLite's writing transaction is alone anyway
    holders = ", ".join(["%s"] * len(public_ids))
    cursor.execute(
        f"SELECT public_id, id, last_n, last_digest FROM log_stream WHERE public_id IN ({holders}) ORDER BY id{lock}",
        list(public_ids),
    )
    return {public_id: _Head(id_, n, bytes(last)) for public_id, id_, n, last in cursor.fetchall()}


def _next_id(cursor: CursorWrapper) -> int | None:
    """On SQLite a writing transaction is alone, and AUTOINCREMENT goes on from here (sqlite.org/autoinc.html)."""
    if cursor.db.vendor == "postgresql":
        return None
    cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = 'log_entry'")
    found = cursor.fetchone()
    return (found[0] if found else 0) + 1


def _chain(cursor: CursorWrapper, ready: Ready, batch: _Batch, now: datetime) -> Outcome:
    """Numbers the unit's entries and runs its `after`; the batch grows only if that works."""
    entries, after = ready.entries, ready.unit.after
    if after is None:
        return _add(batch, entries, now)
    heads = {name: replace(head) for name, head in batch.heads.items()}
    sizes, next_id = [len(grown) for grown in (batch.rows, batch.samples, batch.bodies)], batch.next_id
    written = _add(batch, entries, now)
    try:
        with transaction.atomic(using=cursor.db.alias):
            after(cursor, written)
    except Exception as error:
        if is_passing(error):
            raise
        batch.heads, batch.next_id = heads, next_id
        for grown, size in zip((batch.rows, batch.samples, batch.bodies), sizes, strict=True):
            del grown[size:]  # type: ignore[attr-defined]
        return error
    return written


def _add(batch: _Batch, entries: Sequence[Prepared], now: datetime) -> list[Written]:
    written: list[Written] = []
    id_ = batch.next_id
    for entry in entries:
        stream = entry.draft.stream
        head = batch.heads[stream]
        head.n += 1
        values, head.digest = row(entry, head.id, head.n, head.digest, now)
        batch.rows.append(values)
        if entry.samples is not None:
            batch.samples.append((values, entry))
        if len(entry.body) > PART_BYTES:
            batch.bodies.append((values[STREAM], values[N], entry.body))
            values[BODY] = None
        written.append(Written(id_, stream, head.n, head.digest))
        if id_ is not None:
            id_ += 1
    batch.next_id = id_
    return written


def _insert(cursor: CursorWrapper, batch: _Batch, meanwhile: Callable[[], None]) -> None:
    """Puts everything into the database, the entries last."""
    if not batch.rows:
        return
    for values, entry in batch.samples:
        values[CLIP_ID] = insert_clip(cursor, _sample_rate(entry.draft.message), entry.samples or b"")
    if batch.bodies:
        insert(cursor, "log_entrybody (stream, n, body)", batch.bodies)
    _move_heads(cursor, sorted(batch.heads.values(), key=lambda head: head.id))
    if cursor.db.vendor != "postgresql":
        for values in batch.rows:
            values[AT] = stored_time(cursor.db, values[AT])
    if cursor.db.vendor == "postgresql" and len(batch.rows) >= COPY_FROM:
        with cursor.db.wrap_database_errors, cursor.copy(COPY) as copy:
            for values in batch.rows:
                copy.write_row(values)
            meanwhile()
        return
    insert(cursor, INTO, batch.rows)


def _move_heads(cursor: CursorWrapper, heads: Sequence[_Head]) -> None:
    if cursor.db.vendor == "sqlite":
        before = "UPDATE log_stream SET last_n = v.column2, last_digest = v.column3 FROM ("
        then = ") AS v WHERE log_stream.id = v.column1"
        execute(cursor, before, [(head.id, head.n, head.digest) for head in heads], then)
        return
    cursor.executemany(
        "UPDATE log_stream SET last_n = %s, last_digest = %s WHERE id = %s",
        [(head.n, head.digest, head.id) for head in heads],
    )


def _sample_rate(message: Any) -> int:
    """Hz, as the message says; the vendor's 16,000 where it says nothing that can be."""
    rate = message["properties"].get("sample_rate")
    return rate if isinstance(rate, int) and 1 <= rate <= 1_000_000 else 16_000
