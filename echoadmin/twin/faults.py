"""Faults on demand: what goes wrong, where, and how often.

A fault is used up after ``count`` times, or stays until it is cleared when ``count`` is null. It may be meant for one
``conversation_id``, one ``participant`` (by name), or, of Tavus's answers, one ``method`` or ``path`` (the beginning).
One that ``LASTS`` is not counted: it holds for its ``seconds``, or until it is cleared.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from echoadmin import clock

from .conversation import new_id
from .store import Store

TAVUS = ("delay", "status", "html", "cut", "half", "maker_changes")
ROOM = (
    "drop_socket", "close_frame", "away", "stalled", "refuse_join", "join_hangs",
    "replica_absent", "replica_late", "replica_twice", "replica_silent", "replica_leaving", "overrun",
    "webhook_lost", "webhook_twice", "webhook_late",
)  # fmt: skip
LASTS = ("away",)
DEFAULT_STATUS = {"status": 500, "html": 502}


class BadFault(ValueError):
    """A fault that makes no sense; the message names the field and what it may hold."""


@dataclass
class Fault:
    """One fault. ``seconds`` is a delay's length; ``when``: a status or cut comes before or after the work."""

    kind: str
    count: int | None = 1
    conversation_id: str | None = None
    participant: str | None = None
    method: str | None = None
    path: str | None = None
    seconds: float = 1.0
    status: int | None = None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    when: str = "before"
    code: int = 1011
    error: str | None = None
    used: int = 0
    since: float = field(default_factory=clock.time)
    id: str = field(default_factory=lambda: new_id("f"))

    def fits_room(self, kind: str, conversation_id: str, participant: str | None) -> bool:
        return (
            self.kind == kind
            and self.conversation_id in (None, conversation_id)
            and (self.participant is None or self.participant == participant)
        )

    @property
    def over(self) -> bool:
        """Whether its time has passed, of one that lasts."""
        return self.kind in LASTS and clock.time() > self.since + self.seconds

    def fits_request(self, method: str, path: str) -> bool:
        return (
            self.kind in TAVUS
            and self.method in (None, method)
            and path.startswith(self.path or "/")
            and (self.conversation_id is None or self.conversation_id in path)
        )


def read_fault(given: Any) -> Fault:
    """Build a fault from a request's JSON. Raises :class:`BadFault`."""
    if not isinstance(given, dict):
        raise BadFault("A fault is a JSON object with at least a kind.")
    known = set(Fault.__dataclass_fields__) - {"id", "used", "since"}
    if strangers := sorted(set(given) - known):
        raise BadFault(f"Unknown field {strangers[0]!r}; a fault has: {', '.join(sorted(known))}.")
    if given.get("kind") not in (*TAVUS, *ROOM):
        raise BadFault(f"kind must be one of: {', '.join((*TAVUS, *ROOM))}.")
    fault = Fault(**given)
    _check(fault)
    if fault.status is None:
        fault.status = DEFAULT_STATUS.get(fault.kind)
    if fault.method:
        fault.method = fault.method.upper()
    return fault


def _check(fault: Fault) -> None:
    number = (int, float)
    checks = {
        "count": fault.count is None or (_whole(fault.count) and fault.count >= 1),
        "seconds": isinstance(fault.seconds, number)
        and not isinstance(fault.seconds, bool)
        and 0 <= fault.seconds <= 86_400,
        "status": fault.status is None or (_whole(fault.status) and 200 <= fault.status <= 599),
        "code": _whole(fault.code) and 1000 <= fault.code <= 4999,
        "when": fault.when in ("before", "after"),
        "headers": isinstance(fault.headers, dict) and all(isinstance(v, str) for v in fault.headers.values()),
    }
    for name in ("conversation_id", "participant", "method", "path", "error"):
        checks[name] = getattr(fault, name) is None or isinstance(getattr(fault, name), str)
    promise = {
        "count": "a whole number from 1, or null for until cleared", "seconds": "0 to 86400", "status": "200 to 599",
        "code": "1000 to 4999", "when": "before or after", "headers": "an object of strings",
    }  # fmt: skip
    for name, right in checks.items():
        if not right:
            raise BadFault(f"{name} must be {promise.get(name, 'a string or null')}.")


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


class Faults:
    """The faults that are armed, kept in the store. Taking one counts it, and removes it when it is used up."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._armed: dict[str, Fault] = {row["id"]: Fault(**row) for row in store.load("fault")}
        self.on_added: Callable[[Fault], None] = lambda _: None

    def describe(self) -> list[dict[str, Any]]:
        self._forget_those_over()
        return [asdict(fault) for fault in self._armed.values()]

    def add(self, fault: Fault) -> None:
        self._armed[fault.id] = fault
        self._keep(fault)
        self.on_added(fault)

    def clear(self, fault_id: str | None = None) -> int:
        """Remove one fault, or all; return how many there were."""
        gone = [fault_id] if fault_id is not None else list(self._armed)
        removed = [key for key in gone if self._armed.pop(key, None)]
        for key in removed:
            self._store.remove("fault", key)
        return len(removed)

    def take(self, kind: str, conversation_id: str, participant: str | None = None) -> Fault | None:
        """Return the first fault for a room that fits, and count it."""
        return self._use(
            next((f for f in self._armed.values() if f.fits_room(kind, conversation_id, participant)), None)
        )

    def holds(self, kind: str, conversation_id: str, participant: str | None = None) -> bool:
        """Whether a fault that lasts holds now for a room; it is not counted."""
        self._forget_those_over()
        return any(fault.fits_room(kind, conversation_id, participant) for fault in self._armed.values())

    def _forget_those_over(self) -> None:
        for key in [fault.id for fault in self._armed.values() if fault.over]:
            self.clear(key)

    def take_for_request(self, method: str, path: str, kinds: tuple[str, ...] = TAVUS) -> Fault | None:
        """Return the first fault for a Tavus request that fits, and count it."""
        fits = (f for f in self._armed.values() if f.kind in kinds and f.fits_request(method, path))
        return self._use(next(fits, None))

    def _use(self, fault: Fault | None) -> Fault | None:
        if fault is None:
            return None
        fault.used += 1
        if fault.count is not None and fault.used >= fault.count:
            del self._armed[fault.id]
            self._store.remove("fault", fault.id)
        else:
            self._keep(fault)
        return fault

    def _keep(self, fault: Fault) -> None:
        self._store.put("fault", fault.id, lambda: asdict(fault))
