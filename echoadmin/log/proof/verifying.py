"""Does the log say what it said when it was written? All of it, a stream, or a range of one; resumable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from django.db import connection
from django.db.models import Sum

from echoadmin.log.chain import GENESIS
from echoadmin.log.models import Checkpoint, CheckpointHead, Stream
from echoadmin.log.proof import checkpoints, signing, triggers
from echoadmin.log.proof.erasures import Erasures
from echoadmin.log.proof.findings import Finding
from echoadmin.log.proof.walk import Place, SignedHead, Walk, end_of, place_before, unknown_key

MOST_FINDINGS = 1_000  # then it stops: all is lost


class CannotVerify(ValueError):
    """What was asked can't be: no such stream, no such range, a place that is none. The message says so."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What to verify. Without a stream: everything, the guards and the checkpoints included."""

    stream: str | None = None
    first: int | None = None
    last: int | None = None


@dataclass(slots=True)
class State:
    """How far it is. As a dict it can be kept, and gone on with in another process."""

    stream: int = 0  # the row of the stream in hand
    place: Place = field(default_factory=Place)
    done: int = 0  # entries, of streams that are behind us
    streams: int = 0
    findings: list[Finding] = field(default_factory=list)
    begun: bool = False
    complete: bool = False

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        place = {"n": self.place.n, "digest": self.place.digest.hex(), "agreed": self.place.agreed}
        return {
            **{name: getattr(self, name) for name in ("stream", "done", "streams", "begun", "complete")},
            "place": place,
            "findings": [finding.as_dict() for finding in self.findings],
        }

    @classmethod
    def from_dict(cls, kept: Any) -> State:
        """Raises CannotVerify for what as_dict() did not write."""
        try:
            place = kept["place"]
            return cls(
                **{name: kept[name] for name in ("stream", "done", "streams", "begun", "complete")},
                place=Place(int(place["n"]), bytes.fromhex(place["digest"]), int(place["agreed"])),
                findings=[Finding(**finding) for finding in kept["findings"]],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CannotVerify(f"this is no place of a verification to go on from: {error!r}") from error

    @property
    def checked(self) -> int:
        """Entries so far."""
        return self.done + self.place.n


class Verification:
    """One verification. `steps()` does it; `state` is how far it is."""

    def __init__(
        self,
        scope: Scope | None = None,
        state: State | None = None,
        given: Iterable[checkpoints.Given] = (),
    ) -> None:
        """`given` are checkpoints that were kept elsewhere. Raises CannotVerify, signing.BadSigningKey."""
        self.scope = scope or Scope()
        self.state = state or State()
        self._erasures = Erasures()
        self._bad: set[int] = set()  # checkpoints that say nothing: their heads are not looked at
        self._given: dict[str, list[SignedHead]] = {}
        self._given_findings = list(self._read(given))
        self._only = self._find_stream() if self.scope.stream else None
        self.total = self._count()
        signing.trusted()

    def steps(self) -> Iterator[State]:
        """Works on, a block at a time; between two steps the state may be kept. Ends when all is verified."""
        state = self.state
        self._judge_checkpoints(tell=not state.begun)
        if not state.begun:
            state.begun = True
            state.findings += self._given_findings
            if self._only is None:
                state.findings[:0] = _guards()
        for stream in self._streams():
            yield from self._stream(stream)
            if len(state.findings) >= MOST_FINDINGS:
                break
        if self._only is None:
            state.findings += self._strangers()
        state.complete = True
        yield state

    def run(self) -> list[Finding]:
        """All steps; what was found."""
        for _ in self.steps():
            pass
        return self.state.findings

    def _stream(self, stream: int) -> Iterator[State]:
        state = self.state
        end = end_of(stream)
        if end is None:
            return
        if state.stream != stream:
            first = self.scope.first or 1
            state.stream, state.place = stream, place_before(end, first) if first > 1 else Place()
        heads = self._heads(end.public_id)
        walk = Walk(end, heads, self._erasures.cover, state.place, self.scope.last)
        for finding in walk.blocks():
            state.place = walk.place
            if finding is not None:
                state.findings.append(finding)
                break
            yield state
        state.done += state.place.n
        state.streams += 1
        state.place = Place()
        state.stream = stream + 1 if self._only is None else -1
        yield state  # a finding and the end of its stream are kept together

    def _streams(self) -> Iterator[int]:
        """The rows of the streams still to be looked at, ascending."""
        if self._only is not None:
            yield from [self._only] if self.state.stream != -1 else []
            return
        reached = self.state.stream
        while page := list(Stream.objects.filter(id__gte=reached).order_by("id").values_list("id", flat=True)[:500]):
            yield from page
            reached = page[-1] + 1

    def _find_stream(self) -> int:
        row = Stream.objects.filter(public_id=self.scope.stream).first()
        if row is None:
            if CheckpointHead.objects.filter(stream=self.scope.stream).exists():
                raise CannotVerify(f"{self.scope.stream} is gone from the log, and checkpoints have seen it")
            raise CannotVerify(f"there is no stream {self.scope.stream!r}: give a conversation's cv_… id, or account")
        first, last = self.scope.first, self.scope.last
        if (first is not None and not 1 <= first <= row.last_n) or (last is not None and last < (first or 1)):
            raise CannotVerify(
                f"{self.scope.stream} has the numbers 1 to {row.last_n}: "
                f"{first or 1} to {last or row.last_n} is no range of it"
            )
        return row.pk

    def _count(self) -> int:
        streams = Stream.objects.all() if self._only is None else Stream.objects.filter(pk=self._only)
        total: int = streams.aggregate(all=Sum("last_n"))["all"] or 0
        return min(total, self.scope.last) if self.scope.last else total

    # --- checkpoints ---------------------------------------------------------------------------------------------

    def _judge_checkpoints(self, tell: bool) -> None:
        """Reads each once, signature and order; what is wrong goes to the findings if `tell`."""
        found: list[Finding] = []
        number, previous = 1, GENESIS
        strangers: dict[str, list[int]] = {}
        for row in Checkpoint.objects.order_by("number").iterator(chunk_size=50):
            text = checkpoints.stored_document(row)
            verdict = signing.judge(text, row.key_id, bytes(row.signature))
            if verdict != "good":
                self._bad.add(row.number)
            if verdict == "bad":
                found.append(Finding("checkpoint", f"checkpoint {row.number} does not carry its signature"))
            elif verdict == "unknown key":
                strangers.setdefault(row.key_id, []).append(row.number)
            elif (row.number, bytes(row.previous)) != (number, previous):
                found.append(
                    Finding("checkpoint", f"checkpoints before number {row.number} are gone, or not those it followed")
                )
            number, previous = row.number + 1, sha256(text).digest()
        for key_id, some in strangers.items():
            which = f"checkpoint {some[0]} is" if len(some) == 1 else f"checkpoints {some[0]} to {some[-1]} are"
            found.append(Finding("key", f"{which} {unknown_key(key_id)}"))
        if tell:
            self.state.findings += found

    def _read(self, given: Iterable[checkpoints.Given]) -> Iterator[Finding]:
        """Checkpoints that were kept elsewhere: their heads, and what is wrong with them."""
        for one in given:
            told_by = f"the given checkpoint {one.number} of {one.at}"
            if one.verdict == "bad":
                yield Finding("checkpoint", f"{told_by} does not carry its signature")
            elif one.verdict == "unknown key":
                yield Finding("key", f"{told_by} is {unknown_key(one.key_id)}")
            else:
                for head in one.heads:
                    self._given.setdefault(head.stream, []).append(SignedHead(head.n, head.digest, told_by))

    def _heads(self, public_id: str) -> list[SignedHead]:
        """What checkpoints say of the stream, ascending."""
        seen = CheckpointHead.objects.filter(stream=public_id).values_list("checkpoint", "n", "digest")
        heads = [
            SignedHead(n, bytes(digest), f"checkpoint {number}")
            for number, n, digest in seen
            if number not in self._bad
        ]
        return sorted(heads + self._given.get(public_id, []), key=lambda head: head.n)

    # --- what belongs to no stream -------------------------------------------------------------------------------

    def _strangers(self) -> Iterator[Finding]:
        """Streams that are gone, and entries of streams that are not there."""
        gone = (
            CheckpointHead.objects.exclude(checkpoint__in=self._bad) if len(self._bad) < 500 else CheckpointHead.objects
        )
        there = Stream.objects.values("public_id")
        names = set(gone.exclude(stream__in=there).values_list("stream", flat=True).distinct())
        names |= set(self._given) - set(
            Stream.objects.filter(public_id__in=self._given).values_list("public_id", flat=True)
        )
        for name in sorted(names):
            yield Finding("removed", "the whole stream is gone, and checkpoints have seen it", name, 1)
        for stream in _streams_of_entries():
            if not Stream.objects.filter(pk=stream).exists():
                yield Finding("inserted", f"entries lie in stream number {stream}, which is not there")


def _guards() -> list[Finding]:
    missing = triggers.missing()
    if not missing:
        return []
    return [Finding("guards", f"the database's guards are not as they should be: {', '.join(missing)}")]


def _streams_of_entries() -> Iterator[int]:
    """The streams that entries name, each once: one step in the index for each."""
    reached: int | None = -(2**62)
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT MIN(stream) FROM log_entry WHERE stream > %s", [reached])
            reached = cursor.fetchone()[0]
            if reached is None:
                return
            yield reached


Progress = Callable[[int, int], None]  # entries verified, of how many


def verify(scope: Scope | None = None, progress: Progress | None = None) -> list[Finding]:
    """What is not as it was written; an empty list when all is. Raises CannotVerify and signing.BadSigningKey."""
    verification = Verification(scope)
    for state in verification.steps():
        if progress is not None:
            progress(state.checked, verification.total)
    return verification.state.findings
