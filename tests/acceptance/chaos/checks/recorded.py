"""The log against the twin's record of what each room carried: nothing missing, nothing doubled, all in order."""

from __future__ import annotations

import json
import os
from collections import Counter, deque
from collections.abc import Iterator
from typing import Any

from tests import witnesses
from tests.acceptance.chaos.checks.finding import Check
from tests.acceptance.chaos.evidence import Evidence, Story
from tests.acceptance.chaos.scene import Blow

AT_ONCE = float(os.environ.get("CHAOS_AT_ONCE", "0.05"))  # s in which what was heard is durable
ALWAYS_JUDGED = "CHAOS_AT_ONCE" in os.environ  # else only where the processors were not wanted by more than they can do
TRANSIT = 0.05  # s that a message may be on its way from the twin's record to our ears
ON_ITS_WAY = 2.0  # s: what came so shortly before the log was read may not be in it yet
LONGEST = 10.0  # s: a message that came earlier before an act was not lost by it
SHOWN = 5  # of each conversation's problems of one sort


def outbound_agrees(evidence: Evidence) -> Check:
    """What the log has sent, without `not_sent`, is what the room carried; `uncertain` may be missing, or late."""
    problems = [problem for story in evidence.stories for problem in _outbound_of(story)]
    mine = [entry for story in evidence.stories for entry in story.entries if witnesses.is_app_message(entry, "out")]
    never = sum(len(witnesses.named(story.entries, "not_sent")) for story in evidence.stories)
    doubted = sum(len(witnesses.named(story.entries, "uncertain")) for story in evidence.stories)
    told = f"{len(mine)} messages out, of which {never} not sent and {doubted} uncertain"
    return Check("what was sent is in the log once and in order", told, problems)


def inbound_agrees(evidence: Evidence) -> Check:
    """What others sent is in the log once and in order, but for what a gap covers that an act made."""
    problems, excused, heard = [], 0, 0
    for story in evidence.stories:
        missing, wrong = _align(story)
        problems += [f"{story.name}: {one}" for one in wrong[:SHOWN]]
        unexcused = [_lacks(row, evidence.blows) for row in missing if _blow(story, row, evidence.blows) is None]
        problems += [f"{story.name}: {one}" for one in unexcused[:SHOWN]]
        excused += len(missing) - len(unexcused)
        heard += len(witnesses.from_others(story.entries, story.record))
    told = f"{heard} messages in; {excused} missed in gaps of acts"
    return Check("what was heard is in the log once and in order", told, problems)


def heard_is_durable(evidence: Evidence) -> Check:
    """An act costs the last 50 ms before it, at most: what came earlier was durable."""
    late = [
        (blow.began - row["at"], blow, f"{story.name}: {_lacks(row, evidence.blows)}")
        for story in evidence.stories
        for row in _align(story)[0]
        if (blow := _blow(story, row, evidence.blows)) is not None
    ]
    earliest = max((by for by, _, _ in late), default=0.0)
    judged = [words for by, blow, words in late if by > AT_ONCE and (ALWAYS_JUDGED or blow.load <= 1)]
    excused = sum(by > AT_ONCE for by, _, _ in late) - len(judged)
    busy = f"; {excused} not judged, the machine was too busy" if excused else ""
    told = f"the earliest that an act cost came {max(0.0, earliest) * 1000:.0f} ms before it{busy}"
    return Check(f"what was heard is durable within {AT_ONCE * 1000:g} ms", told, judged[:SHOWN])


def streams_are_gapless(evidence: Evidence) -> Check:
    """1, 2, 3 … in each conversation's stream."""
    problems = [f"{story.name}: {one}" for story in evidence.stories for one in witnesses.gapless(story.entries)]
    return Check("each stream's numbers are gapless", f"{len(evidence.stories)} streams", problems)


def _outbound_of(story: Story) -> Iterator[str]:
    for echoes in (True, False):
        carried = deque(
            _canonical(row["message"])
            for row in story.record
            if row["from_name"].startswith(witnesses.OURS) and witnesses.is_echo(row["message"]) is echoes
        )
        yield from (f"{story.name}: {one}" for one in _compared(_logged(story, echoes=echoes), carried))


def _logged(story: Story, *, echoes: bool) -> list[tuple[int, str, bool]]:
    """Number, message and whether it is uncertain, of each that the room is to have had from us."""
    never, doubted = witnesses.named(story.entries, "not_sent"), witnesses.named(story.entries, "uncertain")
    return [
        (entry["n"], _canonical(entry["message"]), entry["n"] in doubted)
        for entry in story.entries
        if witnesses.is_app_message(entry, "out")
        and entry["n"] not in never
        and witnesses.is_echo(entry["message"]) is echoes
    ]


def _compared(logged: list[tuple[int, str, bool]], carried: deque[str]) -> Iterator[str]:
    """An uncertain message may have come late: an SDK keeps what it has while its process is stopped."""
    loose: Counter[str] = Counter()  # uncertain, and not seen yet
    lent: Counter[str] = Counter()  # uncertain, and seen: of two equal messages it may be the other that came
    for n, message, doubted in logged:
        if not doubted:
            while carried and carried[0] != message and loose[carried[0]]:
                loose[carried.popleft()] -= 1
        if carried and carried[0] == message:
            carried.popleft()
            lent[message] += doubted
        elif doubted:
            loose[message] += 1
        elif lent[message]:
            lent[message] -= 1
        else:
            there = _short(carried[0]) if carried else "nothing more"
            yield f"the log's {n} is {_short(message)}, the room has {there}"
            return
    left = Counter(carried) - loose
    if left:
        yield f"the room has {left.total()} messages that the log has not, such as {_short(next(iter(left)))}"


def _canonical(message: Any) -> str:
    return json.dumps(message, sort_keys=True)


def _short(message: str) -> str:
    return witnesses.brief(json.loads(message))


def _align(story: Story) -> tuple[list[dict[str, Any]], list[str]]:
    """What the room carried while the log should have heard it, and it is not there; and what is there wrongly.

    What lay in a spool may have its number behind what another worker, who joined meanwhile, heard later: there the
    times are in order.
    """
    heard = witnesses.from_others(story.entries, story.record)
    if _came_late(story):
        heard.sort(key=lambda entry: witnesses.seconds(entry["at"]))
    missing, wrong = _aligned(story, heard)
    return missing, [f"the log's {one['n']} is there twice or not in order: {_short(_key(one))}" for one in wrong]


def _came_late(story: Story) -> bool:
    """Whether something stands behind a `joined` that it was heard before."""
    joined = 0.0
    for entry in story.entries:
        at = witnesses.seconds(entry["at"])
        if entry["kind"] == "room" and entry["event_type"] == "joined":
            joined = at
        elif witnesses.is_app_message(entry, "in") and at < joined - TRANSIT:
            return True
    return False


def _aligned(story: Story, heard: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    rows = [row for row in story.record if not row["from_name"].startswith(witnesses.OURS)]
    to_come = Counter(map(_key, rows))
    entries, missing, wrong = deque(heard), [], []
    for row in rows:
        while entries and not to_come[_key(entries[0])]:
            wrong.append(entries.popleft())
        to_come[_key(row)] -= 1
        if entries and _key(entries[0]) == _key(row):
            entries.popleft()
        elif _first_joined(story) < row["at"] < story.asked_at - ON_ITS_WAY:
            missing.append(row)
    return missing, [*wrong, *entries]


def _key(row: dict[str, Any]) -> str:
    """The message for comparing: the SDK errs in the last place of numbers that are no integers (see `witnesses`)."""
    return _canonical(json.loads(json.dumps(row["message"]), parse_float=lambda number: round(float(number), 6)))


def _blow(story: Story, row: dict[str, Any], blows: list[Blow]) -> Blow | None:
    """The act that excuses a missing message: a gap covers it, and it came while the act lasted, or not long before."""
    at = row["at"]
    if not any(start - TRANSIT <= at <= end + TRANSIT for start, end in _gaps(story)):
        return None
    lasting = (blow for blow in blows if blow.began <= at <= blow.ended)
    coming = (blow for blow in blows if at < blow.began <= at + LONGEST)
    return next(lasting, None) or next(coming, None)


def _gaps(story: Story) -> Iterator[tuple[float, float]]:
    """When nobody of ours listened, as the log itself tells: each `gap`, and from each `left` to the next `joined`."""
    left = None
    for entry in story.entries:
        if entry["kind"] != "room":
            continue
        if entry["event_type"] == "gap":
            yield witnesses.seconds(entry["message"]["from"]), witnesses.seconds(entry["message"]["to"])
        elif entry["event_type"] == "left":
            left = witnesses.seconds(entry["at"])
        elif entry["event_type"] == "joined" and left is not None:
            yield left, witnesses.seconds(entry["at"])
            left = None


def _first_joined(story: Story) -> float:
    joined = (entry for entry in story.entries if entry["kind"] == "room" and entry["event_type"] == "joined")
    return min((witnesses.seconds(entry["at"]) for entry in joined), default=float("inf"))


def _lacks(row: dict[str, Any], blows: list[Blow]) -> str:
    """A missing message, and how it lies to the nearest act."""
    near = min(blows, key=lambda blow: abs(row["at"] - blow.began), default=None)
    where = f"{row['at'] - near.began:+.3f} s from: {near.what}" if near else "nothing was done"
    return f"the log lacks the room's {row['n']} ({where}): {witnesses.brief(row['message'])}"
