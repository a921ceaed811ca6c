"""Puts what waits in a spool into the database, in order and once: each piece with how far it goes, in one transaction.

A process killed at any moment leaves either both or neither, and the next one begins behind what was committed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from time import monotonic

from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from echoadmin.log.writer import told
from echoadmin.log.writer.backlog import Backlog, Found, Kept
from echoadmin.log.writer.drafts import Draft, Unit, Written
from echoadmin.log.writer.records import Transaction
from echoadmin.log.writer.rows import prepare
from echoadmin.log.writer.storing import Ready, store
from echoadmin.log.writer.successors import Successors
from echoadmin.log.writer.told import Tallies

logger = logging.getLogger(__name__)

PIECE_ENTRIES = 1_000
PIECE_BYTES = 4 * 1024 * 1024
TOLD_FROM = 1.0  # s that a spool was in use: a moment's wait shows nowhere in the record

Settled = list[tuple[Kept | None, list[Written]]]


@dataclass(slots=True)
class _Piece:
    """Some records in a row, and what becomes of each."""

    found: list[Found] = field(default_factory=list)
    ready: dict[int, Ready] = field(default_factory=dict)  # by the records' ends; the others are not stored
    outcomes: dict[int, list[Written]] = field(default_factory=dict)
    end: int = 0


def take_in(connection: BaseDatabaseWrapper, backlog: Backlog, end: int, *, most: int | None = None) -> set[str]:
    """Stores the next records up to `end`, in the open transaction; returns the streams that grew.

    `settle` has to follow once the transaction is committed. When it broke and was committed nevertheless, this
    finds that out the next time, and stores nothing.
    """
    with connection.cursor() as cursor:
        done = _lock(cursor, backlog)
        if backlog.attempt is not None and done == backlog.attempt[0]:
            return _streams(backlog.attempt[1])
        piece = _read(cursor, backlog, done, end, most or PIECE_ENTRIES)
        _store(connection, piece)
        last = piece.end == backlog.file.size
        if last:
            _tell(connection, backlog)
        cursor.execute("UPDATE log_spool SET done = %s WHERE name = %s", [piece.end, backlog.file.name])
    settled: Settled = [(one.kept, piece.outcomes.get(one.end, [])) for one in piece.found if one.end <= piece.end]
    backlog.attempt = (piece.end, settled)
    return _streams(settled)


def settle(backlog: Backlog) -> None:
    """The transaction is committed: whoever waits gets the numbers."""
    if backlog.attempt is None:
        return
    backlog.done, settled = backlog.attempt
    backlog.attempt = None
    for kept, outcome in settled:
        if kept is not None:
            kept.settle(outcome)
    backlog.forget(backlog.done)


def pass_over(connection: BaseDatabaseWrapper, backlog: Backlog, end: int, error: Exception) -> None:
    """The next record is one that the database never takes: it is left out, and told, so that the rest gets in."""
    with connection.cursor() as cursor:
        done = _lock(cursor, backlog)
        one = next(iter(backlog.read(done, end)))
        drafts = one.record.drafts if one.record else []
        logger.error("%d entries of %s are lost, the database refuses them: %s", len(drafts), backlog.file.name, error)
        refused: Tallies = {}
        told.count(refused, drafts)
        _store_more(connection, told.lost(refused, "refused_by_database"))
        if one.end == backlog.file.size:
            _tell(connection, backlog)
        cursor.execute("UPDATE log_spool SET done = %s WHERE name = %s", [one.end, backlog.file.name])
    if one.kept is not None and one.kept.future is not None and not one.kept.future.done():
        one.kept.future.set_exception(error)
    backlog.attempt = (one.end, [])


def forget(connection: BaseDatabaseWrapper, backlog: Backlog) -> None:
    """All of it is in, and its file is gone; a row that stays, because the database went away, does no harm."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM log_spool WHERE name = %s", [backlog.file.name])


def _lock(cursor: CursorWrapper, backlog: Backlog) -> int:
    """How far the spool was taken in; held until the commit, so that a COMMIT under way is waited for."""
    name, lock = backlog.file.name, " FOR UPDATE" if cursor.db.vendor == "postgresql" else ""
    cursor.execute(
        "INSERT INTO log_spool (name, done) VALUES (%s, %s) ON CONFLICT (name) DO NOTHING", [name, backlog.file.first]
    )
    cursor.execute(f"SELECT done FROM log_spool WHERE name = %s{lock}", [name])
    done: int = cursor.fetchone()[0]
    return done


def _read(cursor: CursorWrapper, backlog: Backlog, done: int, end: int, most: int) -> _Piece:
    """The next records, as many as fit into a transaction; those that are in the database already only counted.

    Neither is what a successor in the room heard itself: this process did not know yet that it had one.
    """
    piece, entries, committed, successors = _Piece(end=done), 0, _Committed(cursor), Successors(cursor)
    for one in backlog.read(done, end):
        piece.found.append(one)
        piece.end = one.end
        if one.record is None:
            backlog.damaged.add(one.end)
        elif committed(one.record.transaction):
            if one.kept is not None and one.kept.doubt is not None:
                piece.outcomes[one.end] = one.kept.doubt[1]
        elif not successors.heard(one.record.drafts):
            guard = one.kept.guard if one.kept is not None else None
            drafts = one.record.drafts
            piece.ready[one.end] = Ready(Unit(drafts, guard=guard), [*map(prepare, drafts)], from_spool=True)
            entries += len(drafts)
        if entries >= most or one.end - done >= PIECE_BYTES:
            break
    if piece.end == done:  # no record can be told from what is there
        backlog.damaged.add(end)
        piece.end = end
    return piece


def _store(connection: BaseDatabaseWrapper, piece: _Piece) -> None:
    """Stores what is ready, and behind it names what may have left and nobody knows; the piece ends where time did."""
    ends = list(piece.ready)
    outcomes = store(connection, list(piece.ready.values())) if ends else []
    if len(outcomes) < len(ends):
        piece.end = ends[len(outcomes) - 1]
    for end, outcome in zip(ends, outcomes, strict=False):
        if isinstance(outcome, Exception):
            raise outcome
        piece.outcomes[end] = outcome
    _store_more(connection, _doubts(piece))


def _doubts(piece: _Piece) -> list[Draft]:
    """Outbound entries whose sender is dead, or has lost the room."""
    named: dict[tuple[str, str | None], dict[int, Draft]] = {}
    kept = {one.end: one.kept for one in piece.found}
    for end, ready in piece.ready.items():
        if kept[end] is not None and ready.refused is None:
            continue
        for draft, written in zip(ready.unit.drafts, piece.outcomes.get(end, []), strict=False):
            if draft.direction == "out" and isinstance(written.n, int):
                named.setdefault((draft.stream, draft.inference_id), {})[written.n] = draft
    return [told.uncertain(drafts) for drafts in named.values()]


def _tell(connection: BaseDatabaseWrapper, backlog: Backlog) -> None:
    """At the end of the spool: what it was."""
    drafts = told.damaged(len(backlog.damaged), backlog.file.cut_off, backlog.file.name)
    if backlog.adopted or drafts or monotonic() - backlog.began >= TOLD_FROM:
        drafts += told.spooled(backlog.tallies, backlog.owner)
    _store_more(connection, drafts)


def _store_more(connection: BaseDatabaseWrapper, drafts: list[Draft]) -> None:
    if not drafts:
        return
    [outcome] = store(connection, [Ready(Unit(drafts), [*map(prepare, drafts)])])
    if isinstance(outcome, Exception):
        raise outcome


class _Committed:
    """Asks what became of transactions that broke in COMMIT, each once."""

    def __init__(self, cursor: CursorWrapper) -> None:
        self._cursor = cursor
        self._answers: dict[Transaction, bool] = {}

    def __call__(self, transaction: Transaction | None) -> bool:
        if transaction is None:
            return False
        if transaction not in self._answers:
            self._answers[transaction] = was_committed(self._cursor, transaction)
        return self._answers[transaction]


# A number from which PostgreSQL has not given out any yet is an error to ask about: what had it was undone by a crash.
_STATE = "SELECT CASE WHEN %s < txid_snapshot_xmax(txid_current_snapshot()) THEN txid_status(%s) END"
_THERE = """
    SELECT 1 FROM log_entry JOIN log_stream ON log_stream.id = log_entry.stream
    WHERE log_stream.public_id = %s AND log_entry.n = %s AND log_entry.digest = %s
"""


def was_committed(cursor: CursorWrapper, transaction: Transaction) -> bool:
    """Whether PostgreSQL's `transaction` was; raises what passes while it is still being committed."""
    cursor.execute(_STATE, [transaction.number, transaction.number])
    state = cursor.fetchone()[0]
    if state == "in progress":
        raise OperationalError("the transaction before is still being committed")
    if state != "committed" or transaction.digest is None:
        return bool(state == "committed")
    cursor.execute(_THERE, [transaction.stream, transaction.n, transaction.digest])
    return cursor.fetchone() is not None


def _streams(settled: Settled) -> set[str]:
    return {written.stream for _, outcome in settled for written in outcome}
