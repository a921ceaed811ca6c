"""A page's entries as items: what belongs to an echo stands together, its chunks and the heartbeats folded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from echoadmin.log.chain import instant
from echoadmin.log.models import Entry, Kind

Item = dict[str, Any]


@dataclass(slots=True)
class Items:
    """Takes entries in their order, with whatever stands between them."""

    echoes: Mapping[int, Item]  # by their numbers, as the API shows them
    continued: set[int]  # echoes that began on an earlier page
    listed: list[Item] = field(default_factory=list)
    _of_echo: dict[int, Item] = field(default_factory=dict)

    def entry(self, entry: Entry, shown: Item, echo_id: int | None) -> None:
        """The next entry; `shown` as the API shows it."""
        if echo_id is not None:
            self._in_echo(self._group(echo_id, entry), entry, shown)
        elif is_heartbeat(entry):
            self._heartbeat(entry)
        else:
            self.listed.append({"type": "entry", "n": entry.n, "at": shown["at"], "entry": shown})

    def other(self, item: Item) -> None:
        """Something that is no entry."""
        self.listed.append(item)

    def _group(self, echo_id: int, entry: Entry) -> Item:
        if echo_id not in self._of_echo:
            item = {
                "type": "echo",
                "n": entry.n,
                "last_n": entry.n,
                "at": instant(entry.at),
                "echo": self.echoes.get(echo_id) or {"id": echo_id},
                "continued": echo_id in self.continued,
                "chunks": None,
                "entries": [],
            }
            self._of_echo[echo_id] = item
            self.listed.append(item)
        return self._of_echo[echo_id]

    @staticmethod
    def _in_echo(item: Item, entry: Entry, shown: Item) -> None:
        item["last_n"] = entry.n
        if not is_chunk(entry):
            item["entries"].append(shown)
            return
        chunks = item["chunks"] = item["chunks"] or {"count": 0, "first_n": entry.n, "last_n": entry.n, "bytes": 0}
        chunks["count"], chunks["last_n"] = chunks["count"] + 1, entry.n
        chunks["bytes"] += entry.clip_bytes or 0

    def _heartbeat(self, entry: Entry) -> None:
        last = self.listed[-1] if self.listed else None
        if last is not None and last["type"] == "heartbeats":
            last["count"], last["last_n"], last["until"] = last["count"] + 1, entry.n, instant(entry.at)
            return
        at = instant(entry.at)
        beats = {"type": "heartbeats", "n": entry.n, "last_n": entry.n, "at": at, "until": at, "count": 1}
        self.listed.append(beats)


def is_heartbeat(entry: Entry) -> bool:
    """Whether it only says that somebody is still there."""
    return entry.kind == Kind.APP_MESSAGE and entry.family == "presence" and entry.event_type.endswith("_present")


def is_chunk(entry: Entry) -> bool:
    """Whether it carries a piece of an audio echo, as one of many."""
    return entry.kind == Kind.APP_MESSAGE and entry.direction == "out" and entry.clip_bytes is not None


def ids_in(entries: Iterable[tuple[Entry, Item]]) -> tuple[set[int], set[str]]:
    """The echoes and the inference ids that entries name."""
    numbers: set[int] = set()
    names: set[str] = set()
    for entry, shown in entries:
        if entry.echo_id is not None:
            numbers.add(entry.echo_id)
        elif name := inference_id_of(entry, shown):
            names.add(name)
    return numbers, names


def inference_id_of(entry: Entry, shown: Item) -> str | None:
    """Of the entry itself, or of what an operator did to an echo."""
    message = shown["message"]
    named = message.get("inference_id") if entry.kind == Kind.OPERATOR and isinstance(message, dict) else None
    found = entry.inference_id or named
    return found if isinstance(found, str) and found else None
