"""What is paid for: every conversation that runs is known, none runs twice, none ended that nobody ended."""

from __future__ import annotations

from collections import Counter

from tests.acceptance.chaos.checks.finding import Check
from tests.acceptance.chaos.evidence import Evidence


def no_orphans(evidence: Evidence) -> Check:
    """Each conversation that is live at the twin has a live row here."""
    known = {row["conversation_id"]: row for row in evidence.rows}
    live = [room["conversation_id"] for room in evidence.rooms if room["status"] == "active"]
    problems = []
    for conversation_id in live:
        row = known.get(conversation_id)
        if row is None:
            problems.append(f"{conversation_id} runs, and the console does not know it")
        elif (row["state"], row["status"]) != ("live", "active"):
            problems.append(f"{conversation_id} runs, and to the console it is {row['state']}, {row['status']}")
    return Check("every conversation that runs is known", f"{len(live)} run", problems)


def none_paid_twice(evidence: Evidence) -> Check:
    """A create that was asked for again made one conversation."""
    made = Counter(room["conversation_name"] for room in evidence.rooms)
    problems = [f"{name} was made {count} times" for name, count in made.items() if count > 1]
    there = {room["conversation_id"] for room in evidence.rooms}
    promised = [(opening.name, opening.upstream_id) for opening in evidence.openings if opening.upstream_id]
    problems += [f"{name} was promised as {given}, and never was" for name, given in promised if given not in there]
    again = sum(opening.tries > 1 for opening in evidence.openings)
    told = f"{len(evidence.openings)} asked for, {again} of them more than once, {len(evidence.rooms)} made"
    return Check("no conversation is made twice", told, problems)


def none_ended(evidence: Evidence) -> Check:
    """Nobody asked for an end yet."""
    ended = [row for row in evidence.bill if not row["active"]]
    problems = [f"{row['conversation_id']} ended by {row['shutdown_reason']}" for row in ended]
    seconds = sum(row["seconds"] for row in evidence.bill)
    return Check("no conversation was ended by a restart", f"{seconds:.0f} s on the bill", problems)
