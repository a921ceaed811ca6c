"""People of a room misbehave: a replica that is late, never there, there twice, leaves, falls silent; a double name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from django.conf import LazySettings

from conversations.models import Echo
from conversations.rooms import timing
from tests.faults.asking import Console
from tests.faults.test_faults_daily import rows, still_paid_for
from tests.integration.rooms.driving import InRoom, open_conversation
from tests.integration.rooms.test_rooms_loss import LONG, LONGISH
from tests.sdk_client import sdk_client
from tests.waiting import until


@dataclass(frozen=True)
class Replica:
    """One row: the fault, what the line comes to, why the room counts as lost; the product's own times, shortened.

    quick: of the settings in capitals with an underscore (`ECHO_…`), else of `timing`.
    """

    fault: dict[str, Any]
    comes_to: tuple[str, str]
    lost: str = ""
    quick: dict[str, float] = field(default_factory=dict)

    def shorten(self, settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, seconds in self.quick.items():
            monkeypatch.setattr(settings if name.startswith("ECHO_") else timing, name, seconds)


NOT_THERE = {
    "late": Replica({"kind": "replica_late", "seconds": 2}, ("spoken", "")),
    "late-for-12s": Replica({"kind": "replica_late", "seconds": 12}, ("spoken", "")),
    "never": Replica({"kind": "replica_absent"}, ("failed", "replica_absent"), quick={"ECHO_REPLICA_DEADLINE": 1.0}),
    "never-for-60s": Replica({"kind": "replica_absent"}, ("failed", "replica_absent")),
}


@pytest.mark.parametrize("row", rows(NOT_THERE, slow=("late-for-12s", "never-for-60s")))
def test_a_replica_that_is_not_there(
    workers: Any, console: Console, row: Replica, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line waits for it, and is never said into an empty room."""
    row.shorten(settings, monkeypatch)
    console.twin.fault(**row.fault)
    workers.start()
    room = open_conversation(console.twin)
    room.want()
    room.until_room(state="joined")
    echo = room.say("There you are.")
    assert "The replica has not joined yet: lines wait in the queue." in console.page(room.conversation)
    until(lambda: Echo.objects.get().is_final, "it is settled", 90)
    echo.refresh_from_db()
    assert (echo.state, echo.reason) == row.comes_to
    assert row.comes_to[0] in console.page(room.conversation)
    if echo.state == "spoken":
        [replica] = [one for one in room.twin.room(room.upstream_id)["participants"] if one["is_replica"]]
        assert room.entries(direction="out")[0].at.timestamp() >= replica["joined_at"]
        still_paid_for(room)
    else:
        assert room.sent() == []
        assert console.running() == [room.upstream_id], "it costs on, and the console knows"
    room.end_upstream()


THERE = {
    "twice": Replica({"kind": "replica_twice"}, ("spoken", "")),
    "leaves-in-mid-word": Replica(
        {"kind": "replica_leaving", "seconds": 0}, ("unconfirmed", "replica_left"), quick={"ECHO_REPLICA_DEADLINE": 1.0}
    ),
    "stops-beating": Replica(
        {"kind": "replica_silent"}, ("spoken", ""), "the replica is there and has been silent for 1 s",
        quick={"SILENT_FOR": 1.0},
    ),
    "stops-beating-for-30s": Replica(
        {"kind": "replica_silent"}, ("spoken", ""), "the replica is there and has been silent for 30 s"
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", rows(THERE, slow=("stops-beating-for-30s",)))
def test_a_replica_that_was_there(
    room: InRoom, console: Console, row: Replica, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    until(lambda: room.entries(event_type="system.replica_present"), "it beats")
    echo = room.until_state(room.say(LONG if row.comes_to[0] == "unconfirmed" else LONGISH), "speaking")
    row.shorten(settings, monkeypatch)
    room.twin.fault(**row.fault, conversation_id=room.upstream_id)
    until(lambda: Echo.objects.get(pk=echo.pk).is_final, "it is settled", 60)
    echo.refresh_from_db()
    assert (echo.state, echo.reason) == row.comes_to
    if row.lost:
        until(lambda: room.facts("lost"), "the room counts as lost", 60)
    assert [fact["reason"] for fact in room.facts("lost")] == [row.lost] * bool(row.lost)
    after = room.say("After.")
    until(lambda: Echo.objects.get(pk=after.pk).is_final, "it is settled")
    after.refresh_from_db()
    if row.comes_to[1] == "replica_left":
        assert (after.state, after.reason) == ("failed", "replica_absent"), "nothing is said into an empty room"
        assert "The replica has not joined yet" in console.page(room.conversation)
        assert len(room.words_sent()) == 1
        room.agree()
    else:
        assert after.state == "spoken"
        assert len(room.words_sent()) == 2, "each once"
        still_paid_for(room)


@pytest.mark.parametrize("who", ["the-replica", "the-console"])
def test_two_participants_of_one_name(room: InRoom, console: Console, who: str) -> None:
    """A name decides nothing: who comes and goes under another's changes neither what is said nor what is shown."""
    name = "Echo" if who == "the-replica" else room.our_name()
    with sdk_client(room.twin.daily_url, room.twin.ca_file) as double:
        assert double.join(room.conversation.conversation_url, name=name) is None
        until(lambda: [one["name"] for one in room.row.participants].count(name) == 2, "both are listed")
        echo = room.until_state(room.say(LONGISH), "speaking")
        double.send({"event_type": "conversation.utterance", "properties": {"role": "user", "speech": "Me too."}})
        double.leave()
    room.until_state(echo, "spoken")
    until(lambda: [one["name"] for one in room.row.participants].count(name) == 1, "one of them has left")
    assert [one["is_us"] for one in room.row.participants if one["name"] == room.our_name()] == [True]
    assert "Enter says it." in console.page(room.conversation)
    assert room.words_sent() == [LONGISH]
    room.until_room(state="joined", error="", replica_present=True)
    assert not room.facts("lost")
