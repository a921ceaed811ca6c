"""A request before it is sent: what both clients do is written here once, and they add the I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlsplit

import httpx

T = TypeVar("T")
API = "/api/v1/"


def _data(response: httpx.Response) -> Any:
    return response.json() if response.content else None


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request, and how its answer is read. `key` is the Idempotency-Key of a POST; `pause` (s) comes before it."""

    method: str
    path: str  # from the root: "/api/v1/personas/"
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    parts: Mapping[str, Any] | None = None  # of a multipart body: name → text, or (file name, bytes)
    headers: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None
    pause: float = 0.0
    read: Callable[[httpx.Response], T] = _data

    @property
    def what(self) -> str:
        """For people."""
        return f"{self.method} {self.path}"

    def arguments(self) -> dict[str, Any]:
        """For httpx's `build_request`."""
        headers = {**self.headers, **({"Idempotency-Key": self.key} if self.key else {})}
        given: dict[str, Any] = {"method": self.method, "url": self.path, "params": dict(self.query) or None}
        if self.parts is not None:
            files = {name: part if isinstance(part, tuple) else (None, str(part)) for name, part in self.parts.items()}
            return {**given, "headers": headers, "files": files}
        return {**given, "headers": headers, **({} if self.body is None else {"json": self.body})}


@dataclass(frozen=True)
class Pages(Generic[T]):
    """A list that is read page by page: the first call, what of its answer is given, and what is asked next."""

    first: Call[Any]
    items: Callable[[Any], list[T]]
    following: Callable[[Call[Any], Any], Call[Any] | None]


def get(path: str, **query: Any) -> Call[Any]:
    """A GET; what is None in the query is left out."""
    return Call("GET", API + path, given(**query))


def post(path: str, body: Any = None, *, key: str | None = None, **query: Any) -> Call[Any]:
    """A POST."""
    return Call("POST", API + path, given(**query), body=body, key=key)


def pages(path: str, **query: Any) -> Pages[Any]:
    """A list of {results, next}. Of `next` only the path and the query count: the key goes to no other host."""

    def following(call: Call[Any], page: Any) -> Call[Any] | None:
        if not page.get("next"):
            return None
        there = urlsplit(page["next"])
        return replace(call, path=there.path, query=dict(httpx.QueryParams(there.query)))

    return Pages(get(path, **query), lambda page: page["results"], following)


def tail(path: str, after: int, every: float, **query: Any) -> Pages[Any]:
    """A conversation's entries from `after` on, and what comes, without an end: it looks every so many seconds."""

    def following(call: Call[Any], page: Any) -> Call[Any]:
        rows = page["results"]
        last = rows[-1]["n"] if rows else call.query["after"]
        return replace(call, query={**call.query, "after": last}, pause=0.0 if page["next"] else every)

    return Pages(get(path, after=after, **query), lambda page: page["results"], following)


PIECE = 4 * 1024 * 1024  # bytes of a file that are asked for at once


def file(path: str) -> Pages[bytes]:
    """A file in pieces, by Range: one that breaks off is asked for again from there, not from its start."""

    def piece(start: int) -> Call[Any]:
        headers = {"Range": f"bytes={start}-{start + PIECE - 1}"}
        return Call("GET", API + path, headers=headers, read=lambda response: (start, response))

    def following(call: Call[Any], answer: Any) -> Call[Any] | None:
        start, response = answer
        end, size = start + len(response.content), _size(response)
        return piece(end) if response.status_code == 206 and end < size else None

    return Pages(piece(0), lambda answer: [answer[1].content], following)


def at(*parts: str) -> str:
    """`at("conversations", id)` → "conversations/<id>/", safe for any id."""
    return "".join(f"{quote(str(part), safe='')}/" for part in parts)


def given(**fields: Any) -> dict[str, Any]:
    """Those that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def _size(response: httpx.Response) -> int:
    return int(response.headers["Content-Range"].rpartition("/")[2])


@dataclass(frozen=True)
class Until(Generic[T]):
    """A call that is made again until `done` says so of its answer, for so many `seconds`."""

    call: Call[T]
    done: Callable[[T], bool]
    what: str
    seconds: float
    every: float = 0.2  # seconds
