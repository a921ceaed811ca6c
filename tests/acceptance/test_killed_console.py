"""kill -9 of a console in mid-echo, and its restart: the paid conversation goes on, nothing is said twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import witnesses
from tests.acceptance.calling import FINAL, Call
from tests.console_process import free_ports, start_console
from tests.waiting import until

pytestmark = [pytest.mark.own_database, pytest.mark.timeout(300)]

LINE = "This sentence has sixty characters, so it takes four seconds. "


class Killing:
    """A console in a conversation, to be killed and started again on the same data and the same twin."""

    def __init__(self, data: Path, **settings: str) -> None:
        self.data, self.ports, self.settings = data, free_ports(3), settings
        self.call = Call(start_console(data, self.ports, **settings), "")
        self.call.key = self.call.console.api_key()
        self.call.open()
        self.killed_at = self.back_at = 0.0

    def kill(self) -> None:
        """kill -9; the twin lives on."""
        self.killed_at = time.time()
        self.call.console.kill()

    def restart(self) -> None:
        """Start it again and wait until it is back in the room."""
        self.call.console = start_console(self.data, self.ports, **self.settings)
        self.call.until_joined()
        self.back_at = time.time()

    def check(self, ids: list[str]) -> None:
        """What must be true after every kill, of the conversation and of these echoes."""
        self.call.until_final(ids[-1], limit=60)
        echoes = self.call.echoes()
        assert {echoes[one]["state"] for one in ids} <= FINAL
        conversation = self.call.ask("GET", f"conversations/{self.call.id}/")
        assert (conversation["status"], conversation["conversation_id"]) == ("active", self.call.upstream_id)
        rooms = self.call.http.get(f"{self.call.console.twin_url}/twin/rooms").json()
        assert [room["status"] for room in rooms] == ["active"], "no second conversation is paid for"
        carried = self.call.texts_sent()
        assert set(carried.values()) <= {1}, "said at most once"
        texts = [one for one in ids if echoes[one]["modality"] == "text"]
        assert {one for one in texts if echoes[one]["state"] == "spoken"} <= set(carried), "spoken is not a guess"
        self.call.agree()
        self._check_gap()

    def _check_gap(self) -> None:
        [gap] = [one for one in self.call.entries() if one["kind"] == "room" and one["event_type"] == "gap"]
        start, end = (witnesses.seconds(gap["message"][name]) for name in ("from", "to"))
        assert start <= self.killed_at and end <= self.back_at + 1
        blind = [row for row in self.call.record() if self.killed_at < row["at"] < start]
        assert not blind, "nothing fell between the kill and the gap's beginning"

    def end(self) -> None:
        self.call.ask("POST", f"conversations/{self.call.id}/end/")
        self.call.console.stop()


@pytest.fixture
def killing(tmp_path: Path) -> Iterator[Callable[..., Killing]]:
    made: list[Killing] = []

    def make(**settings: str) -> Killing:
        made.append(Killing(tmp_path, **settings))
        return made[0]

    yield make
    for one in made:
        one.end()


def test_a_text_that_is_being_said_goes_on_and_the_queue_after_it(killing: Callable[..., Killing]) -> None:
    place = killing(TWIN_SPEED="5")
    ids = [place.call.say(LINE * 15), place.call.say("The second."), place.call.say("The third.")]
    place.call.until_state(ids[0], "speaking")
    place.kill()
    place.restart()
    place.check(ids)
    assert {echo["state"] for echo in place.call.echoes().values()} == {"spoken"}


def test_audio_that_is_being_sent_is_not_begun_again_and_the_replica_is_freed(killing: Callable[..., Killing]) -> None:
    place = killing(TWIN_SPEED="5", ECHO_STOP_FACTOR="0", ECHO_STOP_EXTRA="5")
    path = f"conversations/{place.call.id}/echoes/"
    audio = "AAAA" * 16_000 * 30  # 30 s of silence at 24 kHz
    made = place.call.ask("POST", path, {"audio": audio, "sample_rate": 24_000, "pacing": "realtime"})
    ids = [made["inference_id"], place.call.say("The second.")]
    until(lambda: len(place.call.sent()) > 15, "it is in the middle")
    place.kill()
    place.restart()
    place.check(ids)
    first, second = (place.call.echo(one) for one in ids)
    assert (first["state"], first["reason"]) == ("unconfirmed", "worker_lost")
    assert second["state"] == "spoken"
    assert len(place.call.sent()) < 200, "the rest of it was not sent"
    doubts = [one["message"] for one in place.call.entries() if one["event_type"] == "uncertain"]
    assert ids[0] in {doubt["inference_id"] for doubt in doubts}


@pytest.mark.parametrize("after", [1, 15])
def test_a_kill_in_a_row_of_short_texts_loses_and_repeats_none(killing: Callable[..., Killing], after: int) -> None:
    place = killing(TWIN_SPEED="15", ECHO_STOP_FACTOR="0", ECHO_STOP_EXTRA="1")
    ids = [place.call.say(f"This is line {number}.") for number in range(60)]
    until(lambda: len(place.call.sent()) >= after, f"{after} were sent")
    place.kill()
    assert len(place.call.sent()) < len(ids)
    place.restart()
    place.check(ids)
    echoes = place.call.echoes()
    assert [echoes[one]["inference_id"] for one in ids] == ids
    states = [echoes[one]["state"] for one in ids]
    assert set(states) <= {"spoken", "unconfirmed"}
    assert states.count("unconfirmed") <= 1, "only the one in hand may be in doubt"


def test_a_script_goes_on_after_a_kill_and_says_no_line_twice(killing: Callable[..., Killing]) -> None:
    place = killing(TWIN_SPEED="15", ECHO_STOP_FACTOR="0", ECHO_STOP_EXTRA="1")
    lines = [{"text": f"This is line {number} of a script."} for number in range(1, 16)]
    script = place.call.ask("POST", "scripts/", {"name": "Tour", "lines": lines})
    run = place.call.ask("POST", f"scripts/{script['id']}/run/", {"conversation": place.call.id})
    until(lambda: len(place.call.sent()) >= 5, "five lines were sent")
    place.kill()
    assert len(place.call.sent()) < len(lines)
    place.restart()
    until(lambda: place.call.ask("GET", f"runs/{run['id']}/")["state"] == "done", "the script is done", 60)
    ids = [f"{run['id']}-{number}" for number in range(1, 16)]
    assert sorted(place.call.echoes()) == sorted(ids)
    place.check(ids)
    states = [place.call.echo(one)["state"] for one in ids]
    assert set(states) <= {"spoken", "unconfirmed"} and states.count("unconfirmed") <= 1
