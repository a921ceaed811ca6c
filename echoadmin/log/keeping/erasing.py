"""Erasure: bodies, words and samples of a sender, an echo or a conversation go; the entries and their hashes stay.

What stays of an entry: when, what sort, who (names are part of its leaf), how long. The chain still verifies, since
leaves hold the hash of a message and not the message. Each batch is told by an entry of its own, in its transaction: an
erased entry that no such entry names was not erased here.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from echoadmin.actors import Actor
from echoadmin.log.keeping import followers, samples, shredding
from echoadmin.log.keeping.holds import OnHold, on_hold
from echoadmin.log.keeping.rules import KEPT
from echoadmin.log.models import Entry, Kind, Stream
from echoadmin.log.proof import numbers
from echoadmin.log.proof.erasures import ERASED
from echoadmin.log.proof.triggers import lifted
from echoadmin.log.writer import Draft, append

BATCH = 200  # entries in a transaction
PAUSE = 0.02  # seconds between two

Of = Literal["sender", "echo", "conversation"]


class EraseRefused(ValueError):
    """What was asked can't be erased; the message says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """Whose words: a sender's (the participant's id in the room), an echo's (our number), or a conversation's."""

    of: Of
    value: str

    @property
    def condition(self) -> tuple[str, list[Any]]:
        """As SQL. Raises EraseRefused."""
        if self.of == "sender" and self.value:
            return "sender = %s", [self.value]
        if self.of == "echo" and self.value.isdecimal() and int(self.value) < 2**63:
            return "echo_id = %s", [int(self.value)]
        if self.of == "conversation" and self.value not in ("", Stream.ACCOUNT):
            stream = Stream.objects.filter(public_id=self.value).values_list("id", flat=True).first()
            if stream is not None:
                return '"stream" = %s', [stream]
        raise EraseRefused(
            f"there is no {self.of} {self.value!r} in the log: give a sender's id, an echo's number, or a cv_… id"
        )


@dataclass(slots=True)
class Erased:
    """What was erased, or would be."""

    entries: int = 0
    sample_bytes: int = 0
    streams: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Row:
    id: int
    stream: str
    n: int
    stream_id: int
    beside: bool
    clip: int | None
    echo: int | None


def erase(*, target: Target, actor: Actor, reason: str, progress: Callable[[Erased], None] | None = None) -> Erased:
    """Erases what is there now; asked again, what has come since. Raises EraseRefused, and OnHold before anything goes.

    Left in the middle, what was erased until then is told in the log, and the rest can be erased by asking again.
    """
    if not reason.strip():
        raise EraseRefused("say why: a reason is kept with each erasure")
    held = on_hold(would_erase(target).streams)
    if held:
        raise OnHold(held)
    done = Erased()
    shredding.overwrite_deleted()
    for batch in _batches(target):
        with lifted("erase"):
            rows, nbytes = _erase(batch, target, actor, reason.strip())
        done.entries += len(rows)
        done.sample_bytes += nbytes
        done.streams |= {row.stream for row in rows}
        if progress is not None:
            progress(done)
        time.sleep(PAUSE)
    if done.entries:
        shredding.merge_index()
    return done


def would_erase(target: Target) -> Erased:
    """How many entries there are to erase, and in which streams. Raises EraseRefused."""
    condition, params = target.condition
    with connection.cursor() as cursor:
        cursor.execute(
            'SELECT public_id, COUNT(*) FROM log_entry JOIN log_stream ON log_stream.id = "stream" '
            f"WHERE {condition} AND erased_at IS NULL AND {KEPT} GROUP BY public_id",
            params,
        )
        counts = dict(cursor.fetchall())
    return Erased(entries=sum(counts.values()), streams=set(counts))


def _batches(target: Target) -> Iterator[list[_Row]]:
    """What is to be erased, in the order of an index."""
    condition, params = target.condition
    key = "n" if target.of == "conversation" else "log_entry.id"
    after = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                'SELECT log_entry.id, public_id, n, "stream", body IS NULL, clip_id, echo_id FROM log_entry '
                f'JOIN log_stream ON log_stream.id = "stream" WHERE {condition} AND {key} > %s '
                f"AND erased_at IS NULL AND {KEPT} ORDER BY {key} LIMIT %s",
                [*params, after, BATCH],
            )
            rows = [_Row(*values) for values in cursor.fetchall()]
        if not rows:
            return
        yield rows
        after = rows[-1].n if target.of == "conversation" else rows[-1].id


def _erase(batch: list[_Row], target: Target, actor: Actor, reason: str) -> tuple[list[_Row], int]:
    """One batch, in the open transaction; returns what was erased, and bytes of samples that went. Raises OnHold."""
    streams = {row.stream for row in batch}
    # In the order of their numbers, as everybody locks them; the account's too, since the telling entry goes there.
    list(Stream.objects.select_for_update().filter(public_id__in=[*streams, Stream.ACCOUNT]).order_by("id"))
    if held := on_hold(streams):
        raise OnHold(held)
    rows = _still_there(batch)
    if not rows:
        return [], 0
    ids = [row.id for row in rows]
    followers.forget_words(ids)
    with connection.cursor() as cursor:
        holders = ", ".join(["%s"] * len(ids))
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        cursor.execute(
            f"UPDATE log_entry SET body = NULL, said = NULL, erased_at = %s WHERE id IN ({holders})", [now, *ids]
        )
        _drop_beside(cursor, [row for row in rows if row.beside])
        nbytes = samples.drop_unneeded(cursor, sorted({row.clip for row in rows if row.clip is not None}))
    followers.remember_rest(ids)
    followers.words_erased(target.of, target.value, sorted({row.echo for row in rows if row.echo is not None}))
    append([_record(rows, target, actor, reason)])
    return rows, nbytes


def _still_there(batch: list[_Row]) -> list[_Row]:
    """Without those that another pruned or erased since they were read; the rest is locked."""
    wanted = Entry.objects.select_for_update().filter(pk__in=[row.id for row in batch], erased_at__isnull=True)
    there = set(wanted.values_list("pk", flat=True))
    return [row for row in batch if row.id in there]


def _drop_beside(cursor: CursorWrapper, rows: Sequence[_Row]) -> None:
    cursor.executemany(
        "DELETE FROM log_entrybody WHERE stream = %s AND n = %s", [(row.stream_id, row.n) for row in rows]
    )


def _record(rows: Sequence[_Row], target: Target, actor: Actor, reason: str) -> Draft:
    erased: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        erased[row.stream].append(row.n)
    entries = {stream: numbers.pack(sorted(ns)) for stream, ns in erased.items()}
    return Draft(
        Stream.ACCOUNT,
        Kind.OPERATOR,
        ERASED,
        actor=actor.name,
        api_key_ref=actor.api_key_ref,
        request_id=actor.request_id,
        message={target.of: target.value, "reason": reason, "entries": entries},
    )
