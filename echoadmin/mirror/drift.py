"""How a row here and its object upstream differ, field by field, at the moment of asking.

What counts as "here" is what was asked for (`requested`, and edits since), and, for fields that nobody asked for, what
the mirror saw last. A field is named by a JSON Pointer (RFC 6901); a list counts as one field. Null and absent are the
same. What is masked on either side is not compared: nobody here knows it, and a mask must never be sent upstream.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils import timezone

from echoadmin.actors import Actor
from echoadmin.mirror.kinds import MirroredKind, NotPossible, Payload, about, instant
from echoadmin.mirror.looking import known_upstream_id, mark_gone
from echoadmin.mirror.models import MirrorState
from echoadmin.tavus.errors import NotFound
from echoadmin.tavus.wire import holds_mask, redact, storable
from echoadmin.upstream import calling, client

HOLDS_A_SECRET = "It holds a secret that this console does not know: pushing would remove or replace it."


@dataclass(frozen=True)
class Difference:
    """One field that differs. asked: `here` was asked for, else it is what the mirror saw last. since: when it was
    first noticed; agreed_at: the last look at which both were known to be the same, None when there is none.
    kept_back: why a push leaves it as it is, "" when it does not.
    """

    pointer: str
    here: Any
    upstream: Any
    asked: bool
    since: datetime | None = None
    agreed_at: datetime | None = None
    kept_back: str = ""

    def facts(self) -> Payload:
        """As the API shows it."""
        return {
            "field": self.pointer,
            "here": self.here,
            "upstream": self.upstream,
            "here_is": "asked" if self.asked else "seen",
            "since": self.since,
            "agreed_at": self.agreed_at,
            "not_pushed": self.kept_back,
        }


@dataclass
class Comparison:
    """A row beside its object. looked_at: when upstream was asked. not_compared: fields that are masked. payload: what
    upstream said, masked; empty when the object is gone.
    """

    state: str
    looked_at: datetime
    differences: list[Difference] = field(default_factory=list)
    not_compared: list[str] = field(default_factory=list)
    payload: Payload = field(default_factory=dict)

    @property
    def pull(self) -> list[Payload]:
        """The JSON Patch that makes here what upstream is."""
        return [operation(one.pointer, one.upstream) for one in self.differences]

    @property
    def push(self) -> list[Payload]:
        """The JSON Patch that makes upstream what is here."""
        return [operation(one.pointer, one.here) for one in self.differences if not one.kept_back]

    @property
    def pull_sha256(self) -> str:
        """Of the patch and the values that it replaces."""
        return _digest(self.pull, [one.here for one in self.differences])

    @property
    def push_sha256(self) -> str:
        """Of the patch and the values that it replaces."""
        return _digest(self.push, [one.upstream for one in self.differences if not one.kept_back])

    def facts(self) -> Payload:
        """As the API and the command show it."""
        return {
            "state": self.state,
            "looked_at": self.looked_at,
            "differs": bool(self.differences),
            "differences": [one.facts() for one in self.differences],
            "not_compared": self.not_compared,
            "pull": {"patch": self.pull, "patch_sha256": self.pull_sha256},
            "push": {"patch": self.push, "patch_sha256": self.push_sha256},
        }


class DriftChanged(NotPossible):
    """What was shown before a push or pull is not what would be done now."""

    code = "drift_changed"

    def __init__(self) -> None:
        words = (
            "It changed since it was shown, and nothing was done. Look at the drift again, and decide on what is now."
        )
        super().__init__("patch_sha256", words)


def compare(kind: MirroredKind, row: Any, *, actor: Actor) -> Comparison:
    """Ask upstream for the object now and hold it against the row. Writes nothing but `gone` where upstream has none.

    Raises TavusError when upstream can't be asked, NotPossible when it never had the object.
    """
    asked_id = known_upstream_id(kind, row)
    with calling(actor=actor, **about(row)):
        try:
            said = kind.get(client(), asked_id)
        except NotFound:
            mark_gone(kind, row, actor)
            return Comparison(state=MirrorState.GONE, looked_at=timezone.now())
    payload = storable(redact({**said, kind.id_field: asked_id}))
    found = Comparison(state=str(row.state), looked_at=timezone.now(), payload=payload)
    noted = getattr(row, "drift", None) or {}
    raw = _Walk(kind.bookkeeping, noted).walk(wanted(row), row.payload, payload)
    found.not_compared = [one.pointer for one in raw if one.kept_back == _MASKED]
    found.differences = [_dated(one, noted, row, found.looked_at) for one in raw if one.kept_back != _MASKED]
    return found


def noticed(kind: MirroredKind, row: Any, before: Payload, looked_before: datetime | None) -> Payload | None:
    """What a look or a sync notes of fields that were asked for here: pointer → {"since", "agreed_at"}; None for none.

    The row holds upstream's answer already; before: the payload that it had.
    """
    noted = row.drift or {}
    raw = _Walk(kind.bookkeeping, noted).walk(wanted(row), before, row.payload)
    now = timezone.now().isoformat()
    agreed = looked_before.isoformat() if looked_before else None
    found = [one.pointer for one in raw if one.asked and one.kept_back != _MASKED]
    return {pointer: noted.get(pointer) or {"since": now, "agreed_at": agreed} for pointer in found} or None


def wanted(row: Any) -> Payload:
    """What was asked for here: the request that made it, with the edits since."""
    edited = getattr(row, "asked", None)
    asked: Payload = row.requested if edited is None else edited
    return asked


def require(shown: str | None, now: str) -> None:
    """Raises DriftChanged unless what was shown is what is. None: nothing was shown, and nothing is required."""
    if shown is not None and shown != now:
        raise DriftChanged


def operation(pointer: str, value: Any) -> Payload:
    """`add` also replaces (RFC 6902), so it is right for a field that may be absent."""
    if value is None:
        return {"op": "remove", "path": pointer}
    return {"op": "add", "path": pointer, "value": value}


def at(document: Any, pointer: str) -> Any:
    """The value there, None when there is none."""
    for name in names_of(pointer):
        document = document.get(name) if isinstance(document, dict) else None
    return document


def put(document: Payload, pointer: str, value: Any) -> None:
    """Set the value there; objects on the way are made. A place within a list is none: see `settable`."""
    *way, last = names_of(pointer)
    for name in way:
        inner = document.get(name)
        document[name] = dict(inner) if isinstance(inner, dict) else {}
        document = document[name]
    document[last] = value


def settable(document: Any, pointer: str) -> str:
    """The pointer, cut where it enters a list: a list counts as one field."""
    taken: list[str] = []
    for name in names_of(pointer):
        if isinstance(document, list):
            break
        taken.append(name)
        document = document.get(name) if isinstance(document, dict) else None
    return _pointer(taken)


def names_of(pointer: str) -> list[str]:
    """RFC 6901: `/a~1b/c` → ["a/b", "c"]."""
    return [name.replace("~1", "/").replace("~0", "~") for name in pointer.split("/")[1:]]


def _pointer(names: list[str]) -> str:
    return "".join(f"/{name.replace('~', '~0').replace('/', '~1')}" for name in names)


def _digest(patch: list[Payload], replaced: list[Any]) -> str:
    told = json.dumps([patch, replaced], sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(told.encode()).hexdigest()


def _dated(one: Difference, noted: Payload, row: Any, now: datetime) -> Difference:
    known = noted.get(one.pointer) or {}
    since, agreed = instant(known.get("since")) or now, instant(known.get("agreed_at")) if known else row.synced_at
    return Difference(one.pointer, one.here, one.upstream, one.asked, since, agreed, one.kept_back)


_NONE = object()  # not there, as opposed to null
_MASKED = "masked"


@dataclass(frozen=True)
class _Walk:
    """bookkeeping: upstream's own top-level fields, left out. noted: pointers that were noticed to differ before."""

    bookkeeping: frozenset[str]
    noted: Payload

    def walk(self, asked: Payload, seen: Payload, now: Payload) -> list[Difference]:
        kept: Callable[[Payload], Payload] = lambda doc: {k: v for k, v in doc.items() if k not in self.bookkeeping}  # noqa: E731
        return list(self._inner([], kept(asked), kept(seen), kept(now)))

    def _inner(self, way: list[str], asked: Any, seen: Any, now: Any) -> Iterator[Difference]:
        here = seen if asked is _NONE else asked
        if isinstance(here, dict) and isinstance(now, dict):
            documents = [doc if isinstance(doc, dict) else {} for doc in (asked, seen, now)]
            for name in sorted(set().union(*documents)):
                yield from self._inner([*way, name], *(doc.get(name, _NONE) for doc in documents))
        elif not self._untold(way, asked, seen, now):
            here, now = (None if value is _NONE else value for value in (here, now))
            hidden = [value for value in (here, now) if holds_mask(value) is not None]
            if hidden or not _same(here, now):
                yield _leaf(_pointer(way), here, now, asked is not _NONE, hidden)

    def _untold(self, way: list[str], asked: Any, seen: Any, now: Any) -> bool:
        """Whether upstream has never told, or the mirror never held, this field: nothing is known to differ."""
        if asked is _NONE:
            return seen is _NONE and len(way) == 1
        return now is _NONE and seen is _NONE and _pointer(way) not in self.noted


def _same(here: Any, now: Any) -> bool:
    return bool(here == now) and isinstance(here, bool) == isinstance(now, bool)


def _leaf(pointer: str, here: Any, now: Any, asked: bool, hidden: list[Any]) -> Difference:
    unknown = any(isinstance(value, str) for value in hidden) or _same(here, now)
    why = _MASKED if unknown else HOLDS_A_SECRET if hidden else ""
    return Difference(pointer, here, now, asked, kept_back=why)
