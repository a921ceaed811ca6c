"""Daily's connection misbehaves: one row a fault of the way to a room, of joining it, and of leaving it.

Whatever the fault, each line is said once or told as what it is, the room comes back by itself, and the page says what
happened and what is being tried.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from django.conf import LazySettings
from django.utils import timezone

from conversations.models import Conversation, Echo
from conversations.rooms import timing
from conversations.rooms.worker import RunningWorker
from conversations.services.mirroring import look_where_asked
from echoadmin.actors import SYSTEM
from tests.faults.asking import Console
from tests.integration.rooms.driving import InRoom, open_conversation
from tests.twin_process import start_twin
from tests.waiting import until

SPOKEN = {("spoken", "")}
NOT_HEARD = {("unconfirmed", "start_not_seen"), ("failed", "send_failed")}


def rows(table: dict[str, Any], slow: tuple[str, ...] = ()) -> list[Any]:
    """A table's rows as pytest's parameters."""
    marks = pytest.mark.slow_fault, pytest.mark.timeout(240)
    return [pytest.param(row, id=name, marks=marks if name in slow else ()) for name, row in table.items()]


@dataclass(frozen=True)
class Broken:
    """One row: the fault, what the line said meanwhile comes to, and what the log and the page tell.

    quick: the product's own times, shortened. lost: why the room counts as lost (a pattern), "" where it heals by
    itself.
    """

    fault: dict[str, Any]
    during: set[tuple[str, str]]
    gaps: set[str]
    lost: str = ""
    start_deadline: float = 10.0
    quick: dict[str, float] = field(default_factory=dict)


AWAY = "the connection was interrupted and did not come back"
DEAD = "nothing was heard since the last message was sent|a send failed"
CONNECTIONS = {
    "socket-cut": Broken({"kind": "drop_socket"}, SPOKEN, {"interrupted"}),
    "socket-drops-for-1s": Broken({"kind": "away", "seconds": 1}, SPOKEN, {"interrupted"}),
    "socket-drops-for-30s": Broken({"kind": "away", "seconds": 30}, SPOKEN, {"room_lost"}, AWAY),
    "socket-drops-for-longer-than-it-may": Broken(
        {"kind": "away", "seconds": 3}, SPOKEN, {"room_lost"}, AWAY, quick={"INTERRUPTED_FOR": 0.5}
    ),
    # The SDK takes the first message after a close frame, and it never leaves; the next one's send fails.
    "close-frame": Broken({"kind": "close_frame"}, NOT_HEARD, {"room_lost"}, DEAD, start_deadline=0.5),
    # For the SDK it is complete; it is carried when the time is over, or lost with the connection: never said again.
    "carries-nothing": Broken({"kind": "stalled", "seconds": 3}, NOT_HEARD, {"room_lost"}, DEAD, start_deadline=0.5),
}


@pytest.mark.parametrize("row", rows(CONNECTIONS, slow=("socket-drops-for-30s",)))
def test_a_connection(
    room: InRoom,
    worker: RunningWorker,
    console: Console,
    row: Broken,
    settings: LazySettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, seconds in row.quick.items():
        monkeypatch.setattr(timing, name, seconds)
    live = worker.keeper.rooms[room.conversation.pk]
    room.until_state(room.say("Before."), "spoken")
    settings.ECHO_START_DEADLINE = row.start_deadline
    room.twin.fault(**row.fault, conversation_id=room.upstream_id)
    if row.fault["kind"] in ("drop_socket", "away"):  # what the SDK takes before it notices may never leave
        until(lambda: not live.can_send or room.facts("gap"), "the SDK has noticed")
    elif row.fault["kind"] == "close_frame":
        until(lambda: not room.connected(), "the socket is gone")
    if row.lost == AWAY:
        words = f"The room is lost and is being joined again: {AWAY}. Lines wait in the queue."
        until(lambda: words in console.page(room.conversation), "the page says what happened, and what is tried")
    during = room.say("During.")
    until(lambda: Echo.objects.get(pk=during.pk).is_final, "it is settled", 90)
    settings.ECHO_START_DEADLINE = 10
    room.until_state(room.say("After."), "spoken")
    during.refresh_from_db()
    assert (during.state, during.reason) in row.during
    said = [words for words in room.words_sent() if words != "During." or during.state == "spoken"]
    assert said == ["Before.", *(["During."] if during.state == "spoken" else []), "After."]
    assert room.words_sent().count("During.") <= 1
    assert {fact["reason"] for fact in room.facts("gap")} >= row.gaps
    assert [bool(re.search(row.lost, fact["reason"])) for fact in room.facts("lost")] == [True] * bool(row.lost)
    still_paid_for(room, late=row.fault["kind"] == "stalled")


def still_paid_for(room: InRoom, *, late: bool = False) -> None:
    """It is joined, costs on, and both witnesses tell the same, unless something may have been carried late."""
    room.until_room(state="joined", error="", replica_present=True)
    if not late:
        room.agree()
    [bill] = [one for one in room.twin.get("/twin/bill")["conversations"] if one["conversation_id"] == room.upstream_id]
    assert bill["active"]


def test_a_connection_that_is_gone_for_good(room: InRoom, console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again and again, with growing pauses up to the longest; until somebody, or upstream, ends it."""
    monkeypatch.setattr(timing, "INTERRUPTED_FOR", 0.2)
    monkeypatch.setattr(timing, "JOIN_TIMEOUT", 0.5)
    monkeypatch.setattr(timing, "BACK_OFF", (0.05, 0.1, 0.2))
    room.twin.fault("away", seconds=86_400, conversation_id=room.upstream_id)
    until(lambda: room.row.state in ("lost", "failed"), "it is known to be away")
    waiting = room.say("Never.")
    until(lambda: room.row.tries >= 5, "it is tried again and again")
    page = console.page(room.conversation)
    assert "The room can't be joined: Join failed (" in page
    assert "It is tried again in 0.2 s. Lines wait in the queue." in page
    assert [fact["again_in"] for fact in room.facts("join_failed")][:5] == [0.05, 0.1, 0.2, 0.2, 0.2]
    assert [fact["try"] for fact in room.facts("join_failed")][:5] == [1, 2, 3, 4, 5]
    assert "It is ended; it costs nothing more." in console.press(room.conversation, "end")
    room.until_room(state="idle", wanted="idle", worker=None)
    room.until_state(waiting, "cancelled")
    tries = len(room.facts("join_failed"))
    assert room.twin.room(room.upstream_id)["status"] == "ended"
    assert len(room.facts("join_failed")) == tries, "nobody tries any more"


@pytest.mark.slow_fault
def test_a_connection_that_hears_and_can_not_send(
    workers: Any, console: Console, settings: LazySettings, tmp_path: Path
) -> None:
    """After an outage of the vendor the SDK hears again, and can't send any more, for good (daily-python 0.36.0,
    measured): a twin of its own that is killed, and is back before the SDK's second try."""
    shutil.copytree(console.twin.data_dir / "twin", tmp_path / "twin", ignore=shutil.ignore_patterns("lock"))
    mortal = start_twin(tmp_path)
    settings.DAILY_PROXY_URL = mortal.daily_url
    workers.start()
    room = open_conversation(mortal)
    room.join()
    room.until_state(room.say("Before."), "spoken")
    room.record()  # asked for its record, the twin first writes all of it to the disk
    mortal.kill()
    sleep(2)  # the SDK tries at once, and then after 5 s
    room.twin = start_twin(mortal.data_dir, port=mortal.port, daily_port=mortal.daily_port)
    back = timezone.now()
    during = room.say("During.")
    until(lambda: room.entries(kind="app_message", direction="in", at__gt=back), "it hears again")
    assert not room.words_sent()[1:], "nothing is handed to such a connection"
    until(lambda: room.facts("lost"), "it never says that it is back")
    room.until_state(during, "spoken")
    room.until_state(room.say("After."), "spoken")
    assert [fact["reason"] for fact in room.facts("lost")] == [AWAY]
    assert room.words_sent() == ["Before.", "During.", "After."]
    still_paid_for(room)
    room.twin.stop()


@dataclass(frozen=True)
class Refused:
    """One row: the fault, and what is told of the join, in which words; whether upstream is asked what became of it."""

    fault: dict[str, Any]
    kind: str
    words: str
    quick: dict[str, float] = field(default_factory=dict)
    asks: bool = False


HANGS = {"kind": "join_hangs"}
JOINS = {
    "refused-403": Refused({"kind": "refuse_join", "status": 403}, "refused", "403"),
    "refused-500": Refused({"kind": "refuse_join", "status": 500}, "unreachable", "500"),
    "room-expired": Refused({"kind": "refuse_join", "error": "exp-room"}, "gone", "NoLongerAvailable", asks=True),
    "room-deleted": Refused({"kind": "refuse_join", "error": "not-found"}, "gone", "not-found", asks=True),
    "room-full": Refused({"kind": "refuse_join", "error": "meeting-full"}, "refused", "meeting-full"),
    "join-hangs": Refused(HANGS, "timeout", "did not answer the join within 1 s", {"JOIN_TIMEOUT": 1.0}),
    "join-hangs-for-30s": Refused(HANGS, "timeout", "did not answer the join within 30 s"),
}


@pytest.mark.parametrize("row", rows(JOINS, slow=("join-hangs-for-30s",)))
def test_a_join(
    idle: InRoom, console: Console, worker: RunningWorker, row: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seconds in row.quick.items():
        monkeypatch.setattr(timing, name, seconds)
    monkeypatch.setattr(timing, "BACK_OFF", (2.0,))  # long enough for a page to be seen
    idle.twin.fault(**row.fault, conversation_id=idle.upstream_id)
    idle.want()
    waiting = idle.say("In at last.")
    until(lambda: idle.row.state == "failed", "it is told", 60)
    page = console.page(idle.conversation)
    assert f"The room can't be joined: Join failed ({row.kind}), try 1:" in page
    assert row.words in page
    assert "It is tried again in 2 s. Lines wait in the queue." in page
    assert bool(Conversation.objects.get().sync_wanted_at) is row.asks
    idle.until_state(waiting, "spoken")
    [entry] = idle.entries(kind="room", event_type="join_failed")
    assert entry.is_error
    assert idle.words_sent() == ["In at last."]
    still_paid_for(idle)


def test_a_room_that_expired_because_it_has_ended(idle: InRoom, console: Console, worker: RunningWorker) -> None:
    """Upstream is asked, says so, and nobody tries any more."""
    idle.twin.fault("refuse_join", error="exp-room", conversation_id=idle.upstream_id, count=None)
    idle.want()
    waiting = idle.say("Too late.")
    idle.until_room(state="failed")
    idle.end_upstream()
    until(lambda: look_where_asked(actor=SYSTEM), "upstream is asked")
    idle.until_room(state="idle", wanted="idle", worker=None)
    idle.until_state(waiting, "cancelled")
    assert "This conversation has ended." in console.page(idle.conversation)
