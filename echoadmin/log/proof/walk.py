"""One stream from its first entry to its last, block by block: the chain recomputed, and held to the checkpoints."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from django.db import connection

from echoadmin.log.chain import GENESIS, digest
from echoadmin.log.models import Entry, Pruned, Stream
from echoadmin.log.proof import findings, pruned, rows
from echoadmin.log.proof.findings import Finding

BLOCK = 1_000  # entries in memory
LOOKS = 20  # at a block in which each look finds something else
SPAN = 20_000  # numbers in a block: of pruned ones only their leaves are there

ErasedBy = Callable[[str, int], bool]  # stream, n: does the log say that this entry was erased?


@dataclass(frozen=True, slots=True)
class End:
    """Where a stream ends as its row says, and the lowest and highest numbers that its entries have."""

    id: int
    public_id: str
    last_n: int
    last_digest: bytes
    lowest: int | None
    highest: int | None


@dataclass(frozen=True, slots=True)
class SignedHead:
    """What a checkpoint says of the stream."""

    n: int
    digest: bytes
    told_by: str  # "checkpoint 12 of 2026-…"


@dataclass(frozen=True, slots=True)
class Place:
    """How far a walk is: the last number, its digest, and the last number at which a checkpoint agreed."""

    n: int = 0
    digest: bytes = GENESIS
    agreed: int = 0


@dataclass(slots=True)
class Walk:
    """A stream to be verified from `place` on, up to `until` (None: its end)."""

    end: End
    heads: list[SignedHead]  # ascending
    erased_by: ErasedBy
    place: Place = field(default_factory=Place)
    until: int | None = None
    judged: set[int] = field(default_factory=set)  # rows of Pruned whose signature was found good

    @property
    def last(self) -> int:
        """The number with which the walk ends."""
        return min(self.end.last_n, self.until or self.end.last_n)

    def blocks(self) -> Iterator[Finding | None]:
        """One step after another: None while all is well, or the first thing that is not; then it ends."""
        while self.place.n < self.last:
            finding = self._block()
            yield finding
            if finding is not None:
                return
        yield self._at_the_end()

    def _block(self) -> Finding | None:
        """The next block. What is not well is looked at again until it is the same twice: an entry may be pruned or
        erased while it is looked at, and in the next look another one."""
        before, finding = self.place, self._try_block()
        for _ in range(LOOKS):
            if finding is None:
                break
            self.place, seen = before, finding
            finding = self._try_block()
            if finding == seen:
                break
        return finding

    def _try_block(self) -> Finding | None:
        after = self.place.n
        upto = min(self.last, after + SPAN)
        found = rows.block(self.end.id, self.end.public_id, after, upto, BLOCK)
        if len(found) == BLOCK:
            upto = found[-1].n
        gone = self._pruned(after, upto)  # after the entries: what is pruned between is in both, not in neither
        if isinstance(gone, Finding):
            return gone
        at = 0
        while self.place.n < upto:
            n = self.place.n + 1
            if at < len(found) and found[at].n == n:
                finding = self._entry(found[at], found[at + 1] if at + 1 < len(found) else None, gone)
                at += 1
            elif n in gone:
                finding = self._link(n, gone[n])
            else:
                finding = self._missing(n, gone)
            if finding is not None:
                return finding
        return None

    def _entry(self, row: rows.Row, following: rows.Row | None, gone: dict[int, bytes]) -> Finding | None:
        public_id = self.end.public_id
        if not findings.fits(row, self.place.digest):
            if following is None:
                following = next(iter(rows.block(self.end.id, public_id, row.n, row.n + 1, 1)), None)
            return findings.name(public_id, row, self.place.digest, following, self.end.last_n)
        if gone.get(row.n, row.leaf) != row.leaf:
            return Finding("inserted", "the entry of this number was pruned, and this is another one", public_id, row.n)
        if row.erased and not self.erased_by(public_id, row.n):
            return Finding(
                "erased", "its message is gone, and no entry of the log says who erased it", public_id, row.n
            )
        return self._link(row.n, row.leaf)

    def _link(self, n: int, leaf: bytes) -> Finding | None:
        """One number further; a checkpoint that saw this number must have seen the same digest."""
        now = digest(self.place.digest, leaf)
        agreed = self.place.agreed
        at = bisect_right(self.heads, n - 1, key=_number) if self.heads else 0
        for head in islice(self.heads, at, None):
            if head.n != n:
                break
            if head.digest != now:
                return self._rewritten(head)
            agreed = n
        self.place = Place(n, now, agreed)
        return None

    def _rewritten(self, head: SignedHead) -> Finding:
        words = (
            f"the chain was written anew: {head.told_by} saw another digest at number {head.n}. Each link fits, so the "
            f"first changed entry is one of {self.place.agreed + 1} to {head.n}"
        )
        return Finding("rewritten", words, self.end.public_id, self.place.agreed + 1)

    def _missing(self, first: int, gone: dict[int, bytes]) -> Finding:
        end = self.end
        entries = Entry.objects.filter(stream=end.id, n__gt=first, n__lte=end.last_n).order_by("n")
        next_rows = Pruned.objects.filter(stream=end.id, first_n__gt=first).order_by("first_n")
        there = [
            *entries.values_list("n", flat=True)[:1],
            *next_rows.values_list("first_n", flat=True)[:1],
            *sorted(n for n in gone if n > first)[:1],
        ]
        return findings.missing(end.public_id, first, min(there, default=end.last_n + 1) - 1, end.last_n, self._strays)

    def _strays(self) -> list[rows.Row]:
        """Entries with numbers that the stream does not have."""
        end = self.end
        below = rows.block(end.id, end.public_id, -(2**62), 0, 100)
        return below + rows.block(end.id, end.public_id, end.last_n, 2**62, 100)

    def _pruned(self, after: int, upto: int) -> dict[int, bytes] | Finding:
        """The leaves of what was pruned there."""
        found: dict[int, bytes] = {}
        for row in pruned.rows_between(self.end.id, after, upto):
            if row.pk not in self.judged:
                verdict = pruned.judge(row, self.end.public_id)
                if verdict != "good":
                    return self._bad_pruned(row.first_n, verdict, row.key_id)
                self.judged.add(row.pk)
            try:
                found.update((n, leaf) for n, leaf in pruned.leaves(row) if after < n <= upto)
            except ValueError as error:
                return Finding("pruned", f"its record is broken: {error}", self.end.public_id, row.first_n)
        return found

    def _bad_pruned(self, n: int, verdict: str, key_id: str) -> Finding:
        if verdict == "bad":
            words = "what is kept of pruned entries does not carry its signature: they may have been removed otherwise"
            return Finding("pruned", words, self.end.public_id, n)
        return Finding("key", f"pruned entries are {unknown_key(key_id)}", self.end.public_id, n)

    def _at_the_end(self) -> Finding | None:
        end, public_id = self.end, self.end.public_id
        if self.until is not None and self.until < end.last_n:
            return None
        longer = next((head for head in reversed(self.heads) if head.n > end.last_n), None)
        if longer is not None and longer.n > self._last_n_now():  # else it grew, and was signed, since its end was read
            words = f"numbers {end.last_n + 1} to {longer.n} at the stream's end are gone: {longer.told_by} saw them"
            return Finding("cut_off", words, public_id, end.last_n + 1)
        if end.highest is not None and end.highest > end.last_n:
            words = f"entries up to number {end.highest} lie beyond the stream's end, which is {end.last_n}"
            return Finding("inserted", words, public_id, end.last_n + 1)
        if end.last_n and end.last_digest != self.place.digest:
            return Finding("changed", "the stream's row has another digest than its last entry", public_id, end.last_n)
        if end.lowest is not None and end.lowest < 1:
            return Finding("inserted", "its number is below 1", public_id, end.lowest)
        return None

    def _last_n_now(self) -> int:
        return Stream.objects.filter(pk=self.end.id).values_list("last_n", flat=True).first() or 0


def _number(head: SignedHead) -> int:
    return head.n


def unknown_key(key_id: str) -> str:
    """How a signature by a key that nobody vouches for is told."""
    return (
        f"signed by the key {key_id}, which is not the one in use: if it was changed on purpose, name the old public "
        "key in ECHOADMIN_OLD_SIGNING_KEYS (`manage.py checkpoint_log --keys` lists those that signed here)"
    )


_END = """
SELECT id, public_id, last_n, last_digest,
       (SELECT MIN(n) FROM log_entry WHERE stream = log_stream.id),
       (SELECT MAX(n) FROM log_entry WHERE stream = log_stream.id)
FROM log_stream WHERE id = %s
"""


def end_of(stream: int) -> End | None:
    """The stream's end, from one look: what is written meanwhile is in all of it or in nothing."""
    with connection.cursor() as cursor:
        cursor.execute(_END, [stream])
        found = cursor.fetchone()
    if found is None:
        return None
    id_, public_id, last_n, last_digest, lowest, highest = found
    return End(id_, public_id, last_n, bytes(last_digest), lowest, highest)


def place_before(end: End, first: int) -> Place:
    """From where on a range that begins with `first` can be verified: the last entry before it that is there."""
    row = Entry.objects.filter(stream=end.id, n__lt=first, n__gte=1).order_by("-n").values_list("n", "digest").first()
    return Place(row[0], bytes(row[1]), row[0]) if row else Place()
