"""The checks of `make chaos` find what they are there to find: witnesses made up here, one thing wrong in each."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.acceptance.chaos.checks import kept, paid, promised, recorded
from tests.acceptance.chaos.checks.all_checks import ALL
from tests.acceptance.chaos.evidence import Evidence, Story
from tests.acceptance.chaos.promises import Opening, Promise, Way
from tests.acceptance.chaos.scene import Blow

US, REPLICA = "echoadmin/worker-1", "Echo"
PCM = bytes(range(200))


def at(second: float) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()


def text(inference_id: str, words: str) -> dict[str, Any]:
    return {"event_type": "conversation.echo", "properties": {"inference_id": inference_id, "text": words}}


def piece(pcm: bytes) -> dict[str, Any]:
    audio = base64.b64encode(pcm).decode()
    return {"event_type": "conversation.echo", "properties": {"inference_id": "c", "audio": audio}}


def beat(number: int) -> dict[str, Any]:
    return {"event_type": "system.replica_present", "properties": {"attempt": number}}


class Made:
    """Evidence in which all is well: two texts and an audio echo, heartbeats, and a kill at 50 with its gap."""

    def __init__(self) -> None:
        self.promises = [
            Promise("first", Way.KEY, text="One.", inference_id="a"),
            Promise("second", Way.PLAIN, text="Two.", inference_id="b"),
            Promise("third", Way.PLAIN, pcm=PCM, inference_id="c"),
        ]
        self.echoes = {name: {"state": "spoken"} for name in "abc"}
        self.sent = [text("a", "One."), text("b", "Two."), piece(PCM[:100]), piece(PCM[100:])]
        self.record = [self.row(20 + number, US, message) for number, message in enumerate(self.sent)]
        self.record += [
            self.row(30, REPLICA, beat(1)),
            self.row(50.5, REPLICA, beat(2)),
            self.row(60, REPLICA, beat(3)),
        ]
        self.log: list[dict[str, Any]] = [self.room("joined", 10, {})]
        self.log += [self.message(20 + number, "out", message) for number, message in enumerate(self.sent)]
        self.log += [self.message(30, "in", beat(1))]
        self.log += [self.room("gap", 52, {"from": at(49), "to": at(52)}), self.room("joined", 52, {})]
        self.log += [self.message(60, "in", beat(3))]
        self.rows = [{"conversation_id": "c1", "state": "live", "status": "active"}]
        self.rooms = [{"conversation_id": "c1", "conversation_name": "talk", "status": "active"}]
        self.bill = [{"conversation_id": "c1", "active": True, "seconds": 9.0, "shutdown_reason": None}]
        self.chain: dict[str, Any] = {"verified": True, "entries": 9, "streams": 1, "findings": []}

    @staticmethod
    def row(second: float, name: str, message: Any) -> dict[str, Any]:
        return {"at": second, "from": f"id of {name}", "from_name": name, "message": message}

    @staticmethod
    def room(event_type: str, second: float, facts: dict[str, Any]) -> dict[str, Any]:
        return {"kind": "room", "event_type": event_type, "at": at(second), "message": facts}

    @staticmethod
    def message(second: float, direction: str, message: Any) -> dict[str, Any]:
        name = US if direction == "out" else REPLICA
        columns = {"kind": "app_message", "direction": direction, "event_type": message["event_type"]}
        return {**columns, "at": at(second), "sender": f"id of {name}", "sender_name": name, "message": message}

    @property
    def evidence(self) -> Evidence:
        opening = Opening("talk", tries=1, id="cv_1", upstream_id="c1", promises=self.promises)
        entries = [{"n": number, **entry} for number, entry in enumerate(self.log, 1)]
        record = [{"n": number, **row} for number, row in enumerate(sorted(self.record, key=lambda row: row["at"]), 1)]
        story = Story(opening, self.echoes, entries, record, asked_at=100.0)
        blows = [Blow("kill -9 worker-1", 50.0, 55.0)]
        return Evidence([story], [opening], self.rows, self.rooms, self.bill, blows, self.chain)


@pytest.fixture
def made() -> Made:
    return Made()


def test_where_all_is_well_every_check_says_so(made: Made) -> None:
    assert [check.problems for check in (look(made.evidence) for look in ALL)] == [[]] * len(ALL)


def test_an_accepted_echo_that_hangs_or_is_nowhere_is_found(made: Made) -> None:
    made.echoes["a"]["state"] = "sending"
    del made.echoes["b"]
    assert len(promised.every_promise_ends(made.evidence).problems) == 2


def test_words_that_were_sent_or_spoken_twice_are_found(made: Made) -> None:
    made.record.append(made.row(40, US, text("another id", "One.")))
    assert promised.nothing_is_said_twice(made.evidence).problems
    assert recorded.outbound_agrees(made.evidence).problems


def test_samples_that_were_sent_twice_are_found(made: Made) -> None:
    made.record.append(made.row(40, US, piece(PCM[100:])))
    assert promised.nothing_is_said_twice(made.evidence).problems


def test_two_echoes_that_changed_places_are_found(made: Made) -> None:
    made.record[0]["at"], made.record[1]["at"] = 21, 20
    assert promised.order_is_kept(made.evidence).problems
    assert recorded.outbound_agrees(made.evidence).problems


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_an_echo_that_is_told_not_to_have_been_said_and_was_is_found(made: Made, state: str) -> None:
    made.echoes["a"]["state"] = state
    assert promised.states_are_true(made.evidence).problems


def test_an_echo_that_is_spoken_by_the_console_alone_is_found(made: Made) -> None:
    del made.record[3]
    assert promised.states_are_true(made.evidence).problems
    assert recorded.outbound_agrees(made.evidence).problems


def test_a_message_out_that_the_log_lacks_or_has_too_much_is_found(made: Made) -> None:
    lacking = made.log.pop(2)
    assert recorded.outbound_agrees(made.evidence).problems
    made.log[2:2] = [lacking, lacking]
    assert recorded.outbound_agrees(made.evidence).problems


def test_what_is_uncertain_may_have_come_or_not_or_late(made: Made) -> None:
    made.log.append(made.room("uncertain", 70, {"ranges": [[2, 2]]}))
    assert not recorded.outbound_agrees(made.evidence).problems
    made.record[0]["at"] = 70
    assert not recorded.outbound_agrees(made.evidence).problems
    del made.record[0]
    assert not recorded.outbound_agrees(made.evidence).problems


def test_what_is_not_sent_and_came_is_found(made: Made) -> None:
    made.log.append(made.room("not_sent", 70, {"ranges": [[2, 2]]}))
    assert recorded.outbound_agrees(made.evidence).problems


@pytest.mark.parametrize(("second", "found"), [(48, True), (49.9, False), (51.9, False), (53, True), (57, True)])
def test_a_missing_message_in_is_excused_by_a_gap_and_an_act_together(made: Made, second: float, found: bool) -> None:
    made.record.append(made.row(second, REPLICA, beat(9)))
    assert bool(recorded.inbound_agrees(made.evidence).problems) is found


@pytest.mark.parametrize(("second", "load", "found"), [(49.9, 0.8, True), (49.9, 4.0, False), (49.96, 0.8, False)])
def test_a_message_that_was_not_durable_in_time_is_found_unless_the_machine_was_busy(
    made: Made, second: float, load: float, found: bool
) -> None:
    made.record.append(made.row(second, REPLICA, beat(9)))
    evidence = made.evidence
    evidence.blows[0].load = load
    assert bool(recorded.heard_is_durable(evidence).problems) is found


def test_a_message_in_that_is_there_twice_or_at_another_place_is_found(made: Made) -> None:
    made.log.append(made.message(61, "in", beat(3)))
    assert recorded.inbound_agrees(made.evidence).problems
    made.log.pop()
    made.record.append(made.row(31, REPLICA, beat(2)))
    made.log.insert(5, made.message(31, "in", beat(2)))
    assert recorded.inbound_agrees(made.evidence).problems


def test_a_predecessors_last_words_are_no_message_of_others_even_without_its_name(made: Made) -> None:
    heard = {**made.message(23, "in", made.sent[-1]), "sender": f"id of {US}", "sender_name": None}
    made.log.insert(5, heard)
    assert not recorded.inbound_agrees(made.evidence).problems


def test_what_lay_in_a_spool_may_have_a_later_number_but_not_two(made: Made) -> None:
    spooled = made.log.pop(5)
    made.log.append(spooled)
    assert not recorded.inbound_agrees(made.evidence).problems
    made.log.insert(5, spooled)
    assert recorded.inbound_agrees(made.evidence).problems


def test_a_conversation_that_runs_unknown_or_twice_or_was_ended_is_found(made: Made) -> None:
    made.rooms.append({"conversation_id": "c2", "conversation_name": "talk", "status": "active"})
    assert paid.no_orphans(made.evidence).problems
    assert paid.none_paid_twice(made.evidence).problems
    made.bill[0] |= {"active": False, "shutdown_reason": "participant_left_timeout"}
    assert paid.none_ended(made.evidence).problems


def test_a_broken_chain_and_a_hole_in_the_numbers_are_found(made: Made) -> None:
    made.chain |= {"verified": False, "findings": ["changed"]}
    assert kept.chain_verifies(made.evidence).problems
    evidence = made.evidence
    del evidence.stories[0].entries[3]
    assert recorded.streams_are_gapless(evidence).problems
