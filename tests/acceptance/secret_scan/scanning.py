"""Looks for known values in files, databases and texts: in clear, in base64, escaped for a URL or for JSON."""

from __future__ import annotations

import base64
import json
import sqlite3
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import numpy as np

SHORTEST = 10  # characters: what is shorter turns up by chance
SQLITE = b"SQLite format 3\0"
START = 8  # bytes of a needle by which it is looked for first; the shortest has more
TABLE_BITS = 22
BLOCK = 8 * 1024 * 1024  # bytes of a file that are looked at together
# A virtual table has no values of its own: what it indexes lies in the others.
TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'"
# Where secrets are meant to lie, readable by the console's owner alone: what the installation signs and seals with.
KEPT_ON_PURPOSE = ("secret_key", "signing_key")

Secrets = Mapping[str, str]
"""What a secret is called → its value."""


@dataclass(frozen=True)
class Found:
    """A secret that lies where it must not. Its value is never told."""

    secret: str
    place: str
    shape: str

    def __str__(self) -> str:
        return f"{self.secret}, {self.shape}, in {self.place}"


class Patterns:
    """Every shape of every secret, as bytes."""

    def __init__(self, secrets: Secrets) -> None:
        short = [name for name, value in secrets.items() if len(value) < SHORTEST]
        assert not short, f"too short to look for: {short}"
        every = [(name, shape, needle) for name, value in secrets.items() for shape, needle in _shapes(value)]
        self.longest = max((len(needle) for _, _, needle in every), default=0)
        self._by_start: dict[int, list[tuple[str, str, bytes]]] = {}
        for one in every:
            self._by_start.setdefault(int.from_bytes(one[2][:START], "little"), []).append(one)
        self._starts = np.array(sorted(self._by_start), dtype="<u8")
        self._table = np.zeros(1 << TABLE_BITS, dtype=bool)
        self._table[_places(self._starts)] = True

    def in_bytes(self, data: bytes, place: str) -> Iterator[Found]:
        """Ten thousand needles at once: by a table of how they start, and only where one does, by themselves."""
        for shift in range(min(START, len(data))):
            words = np.frombuffer(data, dtype="<u8", offset=shift, count=(len(data) - shift) // START)
            maybe = np.flatnonzero(self._table[_places(words)])
            for at in maybe[np.isin(words[maybe], self._starts)]:
                start = shift + int(at) * START
                for name, shape, needle in self._by_start[int(words[at])]:
                    if data.startswith(needle, start):
                        yield Found(name, place, shape)


def _places(words: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Where in the table these eight bytes are noted (multiplicative hashing)."""
    return (words * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(64 - TABLE_BITS)


def _shapes(value: str) -> Iterator[tuple[str, bytes]]:
    raw = value.encode()
    shapes = {"in clear": raw, "escaped for a URL": quote(value, safe="").encode()}
    shapes |= {"escaped for a form": quote_plus(value).encode(), "escaped for JSON": json.dumps(value)[1:-1].encode()}
    shapes["in hex"] = raw.hex().encode()
    shapes["in UTF-16"] = value.encode("utf-16-le")
    for shift in range(3):  # base64 of a text that holds it: by where in the text it begins
        whole = base64.b64encode(b"\0" * shift + raw)
        inside = whole[(0, 2, 3)[shift] : len(whole) // 4 * 4 - 4]  # the ends depend on what stands beside
        shapes[f"in base64, {shift}"] = inside
        shapes[f"in base64 for URLs, {shift}"] = inside.replace(b"+", b"-").replace(b"/", b"_")
    seen: set[bytes] = set()
    for shape, needle in shapes.items():
        if needle not in seen:
            seen.add(needle)
            yield shape, needle


def scan_texts(texts: Iterable[tuple[str, bytes]], secrets: Secrets) -> list[Found]:
    """(place, bytes) pairs, such as answers."""
    patterns = Patterns(secrets)
    return _once(found for place, data in texts for found in patterns.in_bytes(data, place))


def scan_folder(folder: Path, secrets: Secrets, *, without: Iterable[str] = ()) -> list[Found]:
    """Every file under `folder`: as it lies there, each value of a SQLite database, each member of a zip.

    without: parts of paths that are somebody else's, such as the twin's.
    """
    patterns = Patterns(secrets)
    left = tuple(without)
    found = (
        one
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and path.name not in KEPT_ON_PURPOSE
        if not any(part in f"/{path.relative_to(folder)}" for part in left)
        for one in _in_file(path, str(path.relative_to(folder)), patterns)
    )
    return _once(found)


def _once(found: Iterable[Found]) -> list[Found]:
    return list(dict.fromkeys(found))


def _in_file(path: Path, place: str, patterns: Patterns) -> Iterator[Found]:
    try:
        with path.open("rb") as file:
            head = file.read(16)
            file.seek(0)
            rest = b""
            while block := file.read(BLOCK):
                yield from patterns.in_bytes(rest + block, place)
                rest = block[-patterns.longest :]
    except FileNotFoundError:  # it was somebody's for a moment
        return
    if head == SQLITE:
        yield from _in_sqlite(path, place, patterns)
    elif head.startswith(b"PK\3\4"):
        yield from _in_zip(path, place, patterns)


def _in_zip(path: Path, place: str, patterns: Patterns) -> Iterator[Found]:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            yield from patterns.in_bytes(archive.read(name), f"{place}:{name}")


def _in_sqlite(path: Path, place: str, patterns: Patterns) -> Iterator[Found]:
    """Value by value: a long one lies in pieces in the file."""
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    database.text_factory = bytes
    try:
        for (name,) in database.execute(TABLES).fetchall():
            rows = database.execute(f'SELECT * FROM "{name.decode()}"')
            while some := rows.fetchmany(1000):
                values = b"\n".join(value for row in some for value in row if isinstance(value, bytes))
                yield from patterns.in_bytes(values, f"{place}:{name.decode()}")
    finally:
        database.close()


def tokens_of_twins(folder: Path) -> dict[str, str]:
    """The meeting tokens that twins issued, by their own databases."""
    tokens: dict[str, str] = {}
    for path in folder.rglob("twin.sqlite3"):
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            bodies = [row[0] for row in database.execute("SELECT body FROM document WHERE kind LIKE 'conversation%'")]
        finally:
            database.close()
        for body in bodies:
            token = json.loads(body).get("meeting_token")
            if token:
                tokens[f"meeting token {len(tokens)}"] = token
    return tokens
