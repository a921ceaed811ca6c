"""Two witnesses of one conversation, compared: the console's log and the twin's own record of what the room carried.

The log's outbound messages, without those that a `not_sent` entry names, are what the room carried from the console,
in order; those that an `uncertain` entry names may be missing there. What others sent while the console was in the room
is in the log once and in order; what falls into a `gap` is excused. Messages are compared as parsed JSON, samples
included.

A number that is no integer may differ in its last bits: daily-python reads them so (0.36.0, measured:
1795405916.6332061 arrives as 1795405916.633206), before anything of ours can see the text. So may an integer beyond 64
bits, which it reads as such a number.

An echo's messages are in order among themselves and with all other echoes; so are the other interactions among
themselves, which leave beside an echo whose next chunks are in the log already.
"""

from __future__ import annotations

import base64
import json
import math
import urllib.request
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from urllib.parse import urljoin

OURS = "echoadmin/"
LAST_BITS = 5e-16
NEAR = 1.0  # s: how far the console's clock and the room's record of one moment may lie apart

Shown = list[dict[str, Any]]  # entries as the API shows them
Record = list[dict[str, Any]]  # rows of GET /twin/rooms/{id}/messages


def differences(entries: Shown, record: Record) -> list[str]:
    """What the two witnesses don't agree on, in words; empty when they agree."""
    entries = sorted(entries, key=lambda entry: entry["n"])
    return [
        *gapless(entries),
        *_outbound(entries, record, echoes=True),
        *_outbound(entries, record, echoes=False),
        *_inbound(entries, record),
    ]


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal, but for the last bits of what is no integer."""
    if one == other:
        return True
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    numbers = isinstance(one, int | float) and isinstance(other, int | float)
    return numbers and float in (type(one), type(other)) and math.isclose(one, other, rel_tol=LAST_BITS)


def samples(messages: Iterable[Any], inference_id: str) -> bytes:
    """The PCM that messages of one audio echo carry together."""
    mine = (m["properties"] for m in messages if (m.get("properties") or {}).get("inference_id") == inference_id)
    return b"".join(base64.b64decode(properties["audio"]) for properties in mine if "audio" in properties)


def compare(console_url: str, key: str, twin_url: str, conversation_id: str) -> list[str]:
    """The same over the network: the console's REST API with an API key, and the twin's control path.

    `conversation_id` is either id of the conversation.
    """
    found = _get(f"{console_url}/api/v1/conversations/{conversation_id}/", key)
    record = _get(f"{twin_url}/twin/rooms/{found['conversation_id']}/messages")
    return differences(shown(console_url, key, conversation_id), record)


def shown(console_url: str, key: str, conversation_id: str) -> Shown:
    """All entries of a conversation, samples included, by way of the REST API."""
    url: str | None = f"{console_url}/api/v1/conversations/{conversation_id}/entries/?after=0&limit=1000&audio=include"
    entries: Shown = []
    while url:
        page = _get(url, key)
        entries += page["results"]
        url = urljoin(url, page["next"]) if page["next"] else None
    return entries


def _get(url: str, key: str = "") -> Any:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"} if key else {})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def gapless(entries: Shown) -> list[str]:
    numbers = [entry["n"] for entry in entries]
    if numbers == list(range(1, len(numbers) + 1)):
        return []
    return [f"the stream's numbers are not 1 to {len(numbers)}: {numbers[:5]} … {numbers[-5:]}"]


def _outbound(entries: Shown, record: Record, *, echoes: bool) -> list[str]:
    doubted = named(entries, "uncertain")
    never = named(entries, "not_sent")
    carried = [
        row["message"] for row in record if row["from_name"].startswith(OURS) and is_echo(row["message"]) is echoes
    ]
    at = 0
    problems: list[str] = []
    for entry in entries:
        if not is_app_message(entry, "out") or entry["n"] in never or is_echo(entry["message"]) is not echoes:
            continue
        if at < len(carried) and same(entry["message"], carried[at]):
            at += 1
        elif entry["n"] not in doubted:
            there = brief(carried[at]) if at < len(carried) else "nothing more"
            problems.append(f"the log's {entry['n']} is {brief(entry['message'])}, the room has {there}")
            break
    if not problems and at < len(carried):
        problems.append(f"the room has {len(carried) - at} messages that the log has not, first {brief(carried[at])}")
    return problems


def from_others(entries: Shown, record: Record) -> Shown:
    """What the log has heard, but for a predecessor's last messages: those are in it as outbound ones already.

    By the participant's id, since a successor may hear them before it is told, or after it was told no more, whose
    they are.
    """
    ours = {row["from"] for row in record if row["from_name"].startswith(OURS)}
    heard = [entry for entry in entries if is_app_message(entry, "in") and entry["sender"] not in ours]
    return [entry for entry in heard if not (entry["sender_name"] or "").startswith(OURS)]


def _inbound(entries: Shown, record: Record) -> list[str]:
    heard = from_others(entries, record)
    present = _present(entries)
    others = [row for row in record if not row["from_name"].startswith(OURS)]
    at = 0
    problems: list[str] = []
    for row in others:
        if at < len(heard) and same(heard[at]["message"], row["message"]):
            at += 1
        elif any(start <= row["at"] <= end for start, end in present):
            problems.append(f"the log lacks what {row['from_name'] or 'somebody'} sent: {brief(row['message'])}")
    if at < len(heard):
        problems.append(f"the log has what nobody sent, or out of order: {brief(heard[at]['message'])}")
    return problems


def _present(entries: Shown) -> list[tuple[float, float]]:
    """When the console was surely in the room: from each `joined` to the next `left` or `gap`."""
    spans: list[tuple[float, float]] = []
    since: float | None = None
    for entry in entries:
        if entry["kind"] != "room":
            continue
        end: float | None = None
        if entry["event_type"] == "left":
            end = seconds(entry["at"])
        elif entry["event_type"] == "gap":
            end = seconds(entry["message"]["from"])
        if end is not None and since is not None:
            spans.append((since, end - NEAR))
            since = seconds(entry["message"]["to"]) if entry["event_type"] == "gap" else None
        elif entry["event_type"] == "joined":
            since = seconds(entry["at"])
    if since is not None:
        spans.append((since, float("inf")))
    return spans


def named(entries: Shown, event_type: str) -> set[int]:
    """The numbers of entries that `not_sent` or `uncertain` entries name."""
    return {
        n
        for entry in entries
        if entry["kind"] == "room" and entry["event_type"] == event_type
        for first, last in entry["message"]["ranges"]
        for n in range(first, last + 1)
    }


def is_app_message(entry: dict[str, Any], direction: str) -> bool:
    return entry["kind"] == "app_message" and entry["direction"] == direction


def is_echo(message: Any) -> bool:
    return isinstance(message, dict) and message.get("event_type") == "conversation.echo"


def brief(message: Any) -> str:
    text = json.dumps(message, sort_keys=True)
    return text if len(text) <= 200 else f"{text[:160]} … {text[-40:]}"


def seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()
