#!/usr/bin/env python3
# ruff: noqa: T201, PTH123 - a script of its own
"""Verifies an export of the log on its own: Python's standard library, no Django, no database, no network.

    python verify_export.py entries.ndjson proof.ndjson --key PUBLIC_KEY

`entries.ndjson` is an NDJSON export (with audio, or its messages with samples can't be checked); `proof.ndjson` is what
`manage.py prove_log` wrote. Exits 0 when all fits, 1 when something does not, 2 when the files can't be read.

    leaf   = SHA-256(header ‖ SHA-256 of the message)        header: canonical JSON of the columns below
    digest = SHA-256(digest of the entry before ‖ leaf)      32 zero bytes before the first
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from array import array
from base64 import b64decode
from collections.abc import Callable, Iterator
from typing import Any

HEADER = (
    *("actor", "api_key_ref", "at", "body_bytes", "clip_bytes", "clip_start", "conversation_ref", "direction"),
    *("echo_id", "epoch", "event_type", "family", "inference_id", "is_error", "kind", "late", "n", "persona_ref"),
    *("request_id", "sender", "sender_name", "seq", "stream"),
)
GENESIS = bytes(32)
MOST_PROBLEMS = 100


def canonical(value: Any) -> bytes:
    """JSON in its one form: keys sorted, nothing between tokens, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def sha256(data: bytes) -> bytes:
    """32 bytes."""
    return hashlib.sha256(data).digest()


class Stream:
    """The entries of one stream that the files have, 64 bytes each, and leaves of those that they have not."""

    def __init__(self) -> None:
        self.numbers, self.hashes = array("q"), bytearray()
        self.leaves: list[tuple[int, bytes]] = []  # (first number, leaves)
        self.heads: dict[int, list[tuple[bytes, int]]] = {}  # n: [(digest, checkpoint's number)]

    def ordered(self) -> Iterator[tuple[int, bytes, bytes]]:
        """(n, leaf, digest) of each entry, by number."""
        for at in sorted(range(len(self.numbers)), key=self.numbers.__getitem__):
            two = bytes(self.hashes[at * 64 : at * 64 + 64])
            yield self.numbers[at], two[:32], two[32:]


class Report:
    """What does not fit, and what could not be looked at."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.notes: dict[str, int] = {}
        self.counts = {"entries": 0, "checkpoints": 0, "pruned ranges": 0}

    def problem(self, words: str) -> None:
        """Something does not fit."""
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(words)

    def note(self, words: str) -> None:
        """Something could not be looked at."""
        self.notes[words] = self.notes.get(words, 0) + 1


class Chain:
    """One stream's chain, from number 1 on: each entry must follow the one before."""

    def __init__(self, name: str, stream: Stream, report: Report, miss: Callable[[str], None]) -> None:
        self.name, self.stream, self.report, self.miss = name, stream, report, miss
        self.known = {
            first + at: run[at * 32 : at * 32 + 32] for first, run in stream.leaves for at in range(len(run) // 32)
        }
        self.n, self.agreed = 0, 0
        self.digest: bytes | None = GENESIS  # None: after a hole

    def verify(self) -> None:
        """Goes as far as all fits; the first thing that does not is a problem."""
        for n, leaf, digest in self.stream.ordered():
            words = self.bridge(n) or self.entry(n, leaf, digest)
            if words:
                self.report.problem(f"{self.name}{words}")
                return
        words = self.bridge(max(self.stream.heads, default=0) + 1)
        if words:
            self.report.problem(f"{self.name}{words}")
        elif self.digest is None:
            self.miss(f"{self.name}: the files end at {self.n}, and a checkpoint saw {max(self.stream.heads)}")

    def bridge(self, until: int) -> str:
        """Over numbers that only leaves are known of; to where there is a hole."""
        while self.digest is not None and self.n + 1 < until:
            leaf = self.known.get(self.n + 1)
            if leaf is None:
                self.digest = None
            elif words := self.step(self.n + 1, sha256(self.digest + leaf)):
                return words
        return ""

    def entry(self, n: int, leaf: bytes, digest: bytes) -> str:
        """One that is in the files."""
        if n <= self.n:
            return f" entry {n}: there are two of this number"
        if self.digest is None:
            self.miss(f"{self.name}: entries before {n} are not in the files: it is anchored in itself only")
        elif sha256(self.digest + leaf) != digest:
            return f" entry {n}: the chain from those before does not lead to it"
        if self.known.get(n, leaf) != leaf:
            return f" entry {n}: its leaf is another one than the list of leaves has"
        return self.step(n, digest)

    def step(self, n: int, digest: bytes) -> str:
        """To number `n`, where checkpoints must have seen the same digest."""
        for told, number in self.stream.heads.get(n, ()):
            if told != digest:
                return (
                    f": the chain was written anew: checkpoint {number} saw another digest at {n}, so the first "
                    f"changed entry is one of {self.agreed + 1} to {n}"
                )
            self.agreed = n
        self.n, self.digest = n, digest
        return ""


class Export:
    """All lines read, each checked by itself; chains and signatures are checked by verify()."""

    def __init__(self, trusted: list[bytes], whole: bool) -> None:
        self.trusted = {key_id(key): key for key in trusted}
        self.keys = dict(self.trusted)
        self.streams: dict[str, Stream] = {}
        self.signed: list[tuple[str, str, bytes, bytes]] = []  # type, document, signature, leaves
        self.report = Report()
        self.miss = self.report.problem if whole else self.report.note

    def stream(self, name: str) -> Stream:
        """The stream's, made when it is met first."""
        return self.streams.setdefault(name, Stream())

    def read(self, row: dict[str, Any]) -> None:
        """One line. Raises KeyError, TypeError, ValueError or AttributeError for what is none."""
        kind = row.get("type")
        if kind is None:
            self.entry(row)
        elif kind == "key":
            public = b64decode(row["public_key"])
            self.keys.setdefault(key_id(public), public)
        elif kind == "leaves":
            self.stream(row["stream"]).leaves.append((row["first"], b64decode(row["leaves"])))
        elif kind in ("checkpoint", "pruned"):
            leaves = b64decode(row["leaves"]) if kind == "pruned" else b""
            self.signed.append((kind, row["document"], b64decode(row["signature"]), leaves))
        else:
            raise ValueError(f"a line of the type {kind!r}")

    def entry(self, row: dict[str, Any]) -> None:
        """An entry's columns and message must be those that its leaf was made of."""
        place, told = f"{row['stream']} entry {row['n']}", bytes.fromhex(row["body_sha256"])
        leaf, digest = bytes.fromhex(row["leaf"]), bytes.fromhex(row["digest"])
        if sha256(canonical({name: row[name] for name in HEADER}) + told) != leaf:
            self.report.problem(f"{place}: changed: its columns are not those that its leaf was made of")
        elif row["erased_at"] is not None:
            self.report.note("messages were erased: their entries verify, what they said is gone")
        elif row["clip_bytes"] and not row["message"]["properties"]["audio"]:
            self.report.note("messages are without their samples: export with audio to verify them")
        elif sha256(canonical(row["message"])) != told:
            self.report.problem(f"{place}: changed: its message is not the one that was logged")
        stream = self.stream(row["stream"])
        stream.numbers.append(row["n"])
        stream.hashes += leaf + digest
        self.report.counts["entries"] += 1

    def verify(self) -> Report:
        """Signatures, then each stream's chain."""
        for kind, text, signature, leaves in sorted(self.signed, reverse=True):  # what was pruned makes streams too
            said = json.loads(text)
            self.report.counts["checkpoints" if kind == "checkpoint" else "pruned ranges"] += 1
            name = f"checkpoint {said['number']}" if kind == "checkpoint" else f"{said['stream']}: pruned entries"
            if not self.is_signed(name, said["key"], text.encode("ascii"), signature):
                continue
            if kind == "pruned":
                self.pruned(said, leaves)
                continue
            for stream, (n, digest) in said["heads"].items():
                if stream in self.streams:
                    heads = self.streams[stream].heads.setdefault(n, [])
                    heads.append((bytes.fromhex(digest), said["number"]))
        for stream, found in self.streams.items():
            Chain(stream, found, self.report, self.miss).verify()
        return self.report

    def is_signed(self, name: str, signer: str, text: bytes, signature: bytes) -> bool:
        """Whether a key that counts signed it; if not, that is a problem."""
        key = self.keys.get(signer)
        if key is None or (self.trusted and signer not in self.trusted):
            self.report.problem(f"{name}: signed by the key {signer}, which is not among those given")
            return False
        if not signed_by(key, signature, text):
            self.report.problem(f"{name}: does not carry its signature")
            return False
        if not self.trusted:
            self.report.note(
                f"signatures are by the key {signer}, as the files have it: give the one you know as --key"
            )
        return True

    def pruned(self, said: dict[str, Any], leaves: bytes) -> None:
        """The leaves of what was pruned, as they were signed."""
        numbers = [n for part in said["numbers"].split(",") for n in span(part)]
        if sha256(leaves).hex() != said["leaves_sha256"] or len(leaves) != 32 * len(numbers):
            self.report.problem(f"{said['stream']} entry {numbers[0]}: the leaves of pruned entries were changed")
            return
        self.stream(said["stream"]).leaves += [(n, leaves[at * 32 : at * 32 + 32]) for at, n in enumerate(numbers)]


def span(part: str) -> range:
    """The numbers of "3" or "7-12"."""
    first, _, last = part.partition("-")
    return range(int(first), int(last or first) + 1)


def key_id(public: bytes) -> str:
    """A key's name."""
    return hashlib.sha256(public).hexdigest()[:16]


# --- Ed25519 (RFC 8032), only to verify ------------------------------------------------------------------------------
Point = tuple[int, int, int, int]  # in extended coordinates
P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def added(a: Point, b: Point) -> Point:
    """The sum of two points."""
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(scalar: int, point: Point) -> Point:
    """A point, so many times."""
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = added(result, point)
        point, scalar = added(point, point), scalar >> 1
    return result


def point_of(data: bytes) -> Point:
    """The point that 32 bytes stand for. Raises ValueError."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (x * x - x2) % P or (x == 0 and sign):
        raise ValueError("no point of the curve")
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


BASE = point_of((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signed_by(public: bytes, signature: bytes, text: bytes) -> bool:
    """Whether the signature over `text` was made by the key."""
    s = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or s >= Q:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + text).digest(), "little") % Q
    try:
        left, right = times(s, BASE), added(point_of(signature[:32]), times(h, point_of(public)))
    except ValueError:
        return False
    return not ((left[0] * right[2] - right[0] * left[2]) % P or (left[1] * right[2] - right[1] * left[2]) % P)


def main(arguments: list[str] | None = None) -> int:
    """Reads the files, prints what was found, returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--key", action="append", default=[], help="a public key that you trust (base64); repeatable")
    parser.add_argument(
        "--whole", action="store_true", help="the files have whole streams: what is missing is a problem"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    place = "--key"
    try:
        export = Export([b64decode(key, validate=True) for key in options.key], options.whole)
        for path in options.files:
            place = path
            with open(path, encoding="utf-8") as file:
                for number, line in enumerate(file, 1):
                    place = f"{path}, line {number}"
                    export.read(json.loads(line))
        place = "a signed document"
        report = export.verify()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        print(f"{place} can't be read: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    show(report, options.json)
    return 1 if report.problems else 0


def show(report: Report, as_json: bool) -> None:
    """What was found, for people or programs."""
    if as_json:
        print(json.dumps({"verified": not report.problems, **vars(report)}, indent=2))
        return
    for words in report.problems:
        print(words)
    for words, times_noted in report.notes.items():
        print(f"note: {words}" + (f" ({times_noted} times)" if times_noted > 1 else ""))
    counts = ", ".join(f"{count:,} {name}" for name, count in report.counts.items())
    print(f"{counts}: {'all fits' if not report.problems else f'{len(report.problems)} problems'}")


if __name__ == "__main__":
    sys.exit(main())
