"""Entries of web requests and commands: stored at once, on the caller's own connection."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from django.db import connection, transaction

from echoadmin.log.writer.drafts import Draft, Unit, Written
from echoadmin.log.writer.rows import prepare
from echoadmin.log.writer.storing import Ready, ensure_streams, store

_bells: list[Callable[[set[str]], None]] = []


def append(drafts: Iterable[Draft]) -> list[Written]:
    """Stores the drafts in one transaction, or in the one that is open.

    In an open transaction, call it once and let it be the last statement: from here to the commit the streams are
    locked for everybody, and a reader across streams waits 5 s for stragglers, no longer. Raises TypeError or
    ValueError for a draft that no entry can hold, and the database's errors.
    """
    unit = Unit(list(drafts))
    ready = Ready(unit, [prepare(draft) for draft in unit.drafts])
    with transaction.atomic():
        [outcome] = store(connection, [ready])
        streams = {draft.stream for draft in unit.drafts}
        transaction.on_commit(lambda: _ring(streams), robust=True)
    assert not isinstance(outcome, Exception)  # only guards and afters fail alone, and there are none
    return outcome


def open_stream(public_id: str) -> None:
    """Makes the stream; nothing happens if it is there. Streams are also made by their first entry."""
    with connection.cursor() as cursor:
        ensure_streams(cursor, [public_id])


def on_append(bell: Callable[[set[str]], None]) -> None:
    """From now on calls `bell`, after the commit, with the public ids of the streams that append() made longer."""
    if bell not in _bells:
        _bells.append(bell)


def _ring(streams: set[str]) -> None:
    for bell in _bells:
        bell(streams)
