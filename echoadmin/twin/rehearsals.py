"""Faults that are worth rehearsing, ready to be armed: what happens, and what a good client makes of it.

``GET /twin/faults/rehearsals`` tells them, so that whoever draws a page of them says what this twin can do.
"""

from dataclasses import dataclass
from typing import Any

from . import refusals

TAVUS, DAILY, REPLICA, WEBHOOKS = "Tavus’s API", "The room", "The replica", "Webhooks"
CREATE = {"method": "POST", "path": "/v2/conversations"}
READ = {"method": "GET"}


@dataclass(frozen=True)
class Rehearsal:
    """One fault with its fields filled in. ``seconds``: what to suggest, None where it takes no time."""

    name: str
    group: str
    title: str
    happens: str
    expect: str
    fault: dict[str, Any]
    seconds: float | None = None

    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name, "group": self.group, "title": self.title, "happens": self.happens,
            "expect": self.expect, "fault": self.fault, "seconds": self.seconds,
        }  # fmt: skip


def _status(status: int, body: Any, **more: Any) -> dict[str, Any]:
    return {"kind": "status", "status": status, "body": body, **more}


def _refused(refusal: refusals.Refusal, **more: Any) -> dict[str, Any]:
    return _status(refusal.status, refusal.body, **more)


REHEARSALS = (
    Rehearsal(
        "401",
        TAVUS,
        "The key is refused (401)",
        "Tavus answers that the access token is invalid.",
        "Nothing is made or changed; the error names the key as what to mend, and nothing is tried again.",
        _refused(refusals.unauthorised()),
    ),
    Rehearsal(
        "402",
        TAVUS,
        "No credits are left (402)",
        "The next conversation is refused for want of credits.",
        "The row is rejected with Tavus’s words; nothing is joined, nothing is tried again.",
        _refused(refusals.out_of_credits(), **CREATE),
    ),
    Rehearsal(
        "concurrency",
        TAVUS,
        "Too many conversations at once (400)",
        "The next conversation is refused: all slots are taken.",
        "It is told apart from a wrong body, and the way out is to end one that runs.",
        _refused(refusals.too_many_conversations(), **CREATE),
    ),
    Rehearsal(
        "404",
        TAVUS,
        "It is not there (404)",
        "The next read of a conversation says that there is none.",
        "The mirrored row is marked gone; its log and its echoes stay.",
        _status(404, {"message": "Not Found"}, method="GET", path="/v2/conversations/"),
    ),
    Rehearsal(
        "409",
        TAVUS,
        "A conflict (409)",
        "Changing a persona is refused: the maker holds unsaved changes.",
        "It is told, with the way to force it; the persona stays as it was.",
        {"kind": "maker_changes"},
    ),
    Rehearsal(
        "422",
        TAVUS,
        "A body that can’t be processed (422)",
        "Changing a persona is refused as no valid JSON Patch.",
        "It is told as a mistake in the body, and not tried again.",
        _refused(refusals.bad_patch(), method="PATCH", path="/v2/personas"),
    ),
    Rehearsal(
        "429",
        TAVUS,
        "Slow down (429, with Retry-After)",
        "A request is refused, and told to come back in 2 s.",
        "A read waits as long as it was told and tries again; a write is told to whoever asked, and never repeated.",
        _status(429, {"message": "Too Many Requests"}, headers={"Retry-After": "2"}),
    ),
    Rehearsal(
        "429-bare",
        TAVUS,
        "Slow down (429, without Retry-After)",
        "A request is refused, without a word on when to come back.",
        "A read tries again after a pause of its own; a write is told, and never repeated.",
        _status(429, {"message": "Too Many Requests"}),
    ),
    Rehearsal(
        "500",
        TAVUS,
        "Tavus breaks (500)",
        "A request ends in an internal error, before anything is done.",
        "A create is unknown, not failed: it may have been made. It is looked for, never made twice.",
        _status(500, {"message": "Internal Server Error"}),
    ),
    Rehearsal(
        "500-after",
        TAVUS,
        "Tavus breaks after the work (500)",
        "The next conversation is made, costs, and the answer is an error.",
        "The row is unknown, and the next sync finds it at Tavus by its reference.",
        _status(500, {"message": "Internal Server Error"}, when="after", **CREATE),
    ),
    Rehearsal(
        "502",
        TAVUS,
        "A proxy’s page (502, HTML)",
        "HTML comes where JSON was expected.",
        "A read tries again; the page is quoted in the log, cut short, never shown as a page.",
        {"kind": "html", "status": 502},
    ),
    Rehearsal(
        "redirect",
        TAVUS,
        "A redirect (302)",
        "A request is sent elsewhere.",
        "It is not followed: the key must not go to another host. It is told as an answer that makes no sense.",
        _status(302, "", headers={"Location": "https://elsewhere.example/"}),
    ),
    Rehearsal(
        "empty",
        TAVUS,
        "An empty body (200)",
        "The next read is answered with nothing.",
        "It is told as an answer that makes no sense; the mirrored rows stay as they were.",
        _status(200, "", **READ),
    ),
    Rehearsal(
        "half",
        TAVUS,
        "Half a body",
        "The next conversation is made; its answer breaks off in the middle.",
        "The row is unknown, and the next sync finds it.",
        {"kind": "half", **CREATE},
    ),
    Rehearsal(
        "shape",
        TAVUS,
        "JSON of another shape (200)",
        "The next read is answered with JSON that holds nothing expected.",
        "It is told as an answer that makes no sense; no row is emptied by it.",
        _status(200, {"data": "none"}, **READ),
    ),
    Rehearsal(
        "slow",
        TAVUS,
        "A slow answer",
        "A request is answered late.",
        "Nobody else waits for it: rooms go on speaking, other pages answer.",
        {"kind": "delay"},
        seconds=10,
    ),
    Rehearsal(
        "cut",
        TAVUS,
        "Cut before the work",
        "The connection breaks before anything is done.",
        "A read tries again; of a create it can’t be known, so the row is unknown and a sync settles it.",
        {"kind": "cut"},
    ),
    Rehearsal(
        "cut-after",
        TAVUS,
        "Cut after the request was sent",
        "The next conversation is made, and the answer is lost.",
        "The row is unknown, and the next sync finds it. It is never made a second time.",
        {"kind": "cut", "when": "after", **CREATE},
    ),
    Rehearsal(
        "drop",
        DAILY,
        "The connection drops",
        "The connection to the room is cut once; it can be made anew at once.",
        "The SDK comes back by itself; the log has the gap, and the echo goes on or is told as unconfirmed.",
        {"kind": "drop_socket"},
    ),
    Rehearsal(
        "away",
        DAILY,
        "Daily can’t be reached for a while",
        "Connections are cut, and new ones too, for so long; 86,400 s is for good.",
        "The room is lost and told so; it is joined again with growing pauses, and lines wait in the queue.",
        {"kind": "away"},
        seconds=20,
    ),
    Rehearsal(
        "close",
        DAILY,
        "A close frame",
        "The server closes the connection properly, and the SDK does not notice.",
        "The room is judged by what it does: a send fails, heartbeats stay away, and it is joined anew.",
        {"kind": "close_frame"},
    ),
    Rehearsal(
        "stalled",
        DAILY,
        "Nothing goes through",
        "The connection stays open and carries nothing for so long; then all of it comes, to who is still there.",
        "What was sent has no sign of being said: past its deadline it is unconfirmed, never said again by itself.",
        {"kind": "stalled"},
        seconds=20,
    ),
    Rehearsal(
        "refused",
        DAILY,
        "The join is refused",
        "Daily does not let the next one in (HTTP 500).",
        "The room is failed, with Daily’s words, and tried again with growing pauses.",
        {"kind": "refuse_join", "status": 500},
    ),
    Rehearsal(
        "expired",
        DAILY,
        "The room has expired",
        "Daily says that the room is no longer available.",
        "The room is failed, and Tavus is asked what became of the conversation.",
        {"kind": "refuse_join", "error": "exp-room"},
    ),
    Rehearsal(
        "deleted",
        DAILY,
        "The room was deleted",
        "Daily says that there is no such room.",
        "The room is failed, with Daily’s words, and tried again.",
        {"kind": "refuse_join", "error": "not-found"},
    ),
    Rehearsal(
        "full",
        DAILY,
        "The room is full",
        "Daily says that nobody else fits in.",
        "The room is failed, with Daily’s words, and tried again.",
        {"kind": "refuse_join", "error": "meeting-full"},
    ),
    Rehearsal(
        "join-hangs",
        DAILY,
        "A join that never ends",
        "The next one who joins gets no answer.",
        "The join is given up after 30 s, and tried again on a new client; no other room waits.",
        {"kind": "join_hangs"},
    ),
    Rehearsal(
        "late",
        REPLICA,
        "The replica comes late",
        "The replica of the next conversation comes so many seconds late.",
        "The page says that it has not come; lines wait, 60 s at most.",
        {"kind": "replica_late"},
        seconds=20,
    ),
    Rehearsal(
        "never",
        REPLICA,
        "The replica never comes",
        "The replica of the next conversation stays away.",
        "The first line fails as replica_absent after 60 s; nothing is said into an empty room.",
        {"kind": "replica_absent"},
    ),
    Rehearsal(
        "overrun",
        REPLICA,
        "It does not end at its longest time",
        "The next conversation runs past its max_call_duration, and costs.",
        "The orphan guard names it as overdue, and ends it as ORPHAN_OVERDUE says.",
        {"kind": "overrun"},
    ),
    Rehearsal(
        "twice",
        REPLICA,
        "The replica is there twice",
        "A second participant joins as the replica, and hears nothing.",
        "Each line is said once, and counted once.",
        {"kind": "replica_twice"},
    ),
    Rehearsal(
        "leaves",
        REPLICA,
        "The replica leaves",
        "It leaves the room after so many seconds, in the middle of a word if need be.",
        "The line in hand is unconfirmed (replica_left); the next ones wait for a replica, 60 s at most.",
        {"kind": "replica_leaving"},
        seconds=0,
    ),
    Rehearsal(
        "silent",
        REPLICA,
        "The replica stops beating",
        "It is there and listens, but its heartbeats stop.",
        "After 30 s of silence the room is lost, and joined anew.",
        {"kind": "replica_silent"},
    ),
    Rehearsal(
        "webhook-lost",
        WEBHOOKS,
        "A webhook is lost",
        "The next webhook is not sent.",
        "What it would have told is seen at the next look upstream, five minutes later at most.",
        {"kind": "webhook_lost"},
    ),
    Rehearsal(
        "webhook-twice",
        WEBHOOKS,
        "A webhook comes twice",
        "The next webhook is sent two times.",
        "The second is listed as a repeat of the first, and nothing is done twice.",
        {"kind": "webhook_twice"},
    ),
    Rehearsal(
        "webhook-late",
        WEBHOOKS,
        "A webhook is overtaken",
        "The next webhook is sent so many seconds later, after those that follow it.",
        "Each is answered by a look upstream, so their order decides nothing.",
        {"kind": "webhook_late"},
        seconds=5,
    ),
)
