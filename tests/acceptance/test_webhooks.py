"""Webhooks out to a real receiver and in from the twin, across kill -9 of the console, faults and another secret."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from echoadmin.deliveries.duties import AT_ONE_ADDRESS
from tests.acceptance.calling import Call
from tests.console_process import free_ports, start_console
from tests.waiting import until
from tests.webhook_receiver import Receiver, receiving

pytestmark = [pytest.mark.own_database, pytest.mark.timeout(300)]
QUICK = {
    "TWIN_SPEED": "15", "DELIVER_TO_PRIVATE_ADDRESSES": "1", "ECHO_STOP_FACTOR": "0", "ECHO_STOP_EXTRA": "1",
    "ECHOADMIN_LEASE": "3",
}  # fmt: skip


class Place:
    """A console with a conversation, which can be killed and started again on the same data and the same twin."""

    def __init__(self, data: Path) -> None:
        self.data, self.ports = data, free_ports(3)
        self.call = Call(start_console(data, self.ports, **QUICK), "")
        self.call.key = self.call.console.api_key()
        self.call.open()

    def kill_and_restart(self) -> None:
        self.call.console.kill()
        self.call.console = start_console(self.data, self.ports, **QUICK)

    def fault(self, kind: str, **more: Any) -> None:
        body = {"kind": kind, "conversation_id": self.call.upstream_id, **more}
        self.call.http.post(f"{self.call.console.twin_url}/twin/faults", json=body).raise_for_status()

    def clear_faults(self) -> None:
        self.call.http.delete(f"{self.call.console.twin_url}/twin/faults")

    def webhooks(self, **filters: str) -> list[dict[str, Any]]:
        query = "&".join(f"{name}={value}" for name, value in {"limit": "200", **filters}.items())
        return list(self.call.ask("GET", f"webhooks/?{query}")["results"])

    def end(self) -> None:
        self.call.http.post(
            f"{self.call.console.twin_url}/v2/conversations/{self.call.upstream_id}/end", headers={"x-api-key": "a"}
        )
        self.call.console.stop()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.end()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def told(receiver: Receiver) -> list[tuple[str, dict[str, Any]]]:
    """Each webhook-id once, as it came first."""
    first: dict[str, dict[str, Any]] = {}
    for headers, body in list(receiver.got):
        event = json.loads(body)
        assert first.setdefault(headers["webhook-id"], event) == event, "the same id, the same body"
    return list(first.items())


def states_of(receiver: Receiver) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for _, event in told(receiver):
        if event["type"].startswith("echo."):
            found[event["data"]["inference_id"]].append(event["type"].removeprefix("echo."))
    return found


@pytest.mark.parametrize("after", [1, 12])
def test_no_state_of_an_echo_is_lost_in_a_kill_and_each_is_told_under_one_id(
    place: Place, receiver: Receiver, after: int
) -> None:
    place.call.ask("POST", "subscriptions/", {"url": receiver.url, "event_types": ["echo.*", "room.*"]})
    receiver.statuses = [200, 500, 200]
    ids = [place.call.say(f"This is line {number}.") for number in range(30)]
    until(lambda: len(receiver.got) >= after, f"{after} have come", 60)
    place.kill_and_restart()
    place.call.until_joined()
    place.call.until_final(ids[-1], limit=60)
    ends = {one: echo["state"] for one, echo in place.call.echoes().items()}

    def all_told() -> bool:
        found = states_of(receiver)
        return all(found[one] and ends[one] in found[one] for one in ids)

    until(all_told, "every end is told", 120)  # what was on its way at the kill is tried again after a minute
    overtaken = 0
    for one in ids:
        states = states_of(receiver)[one]
        assert len(states) == len(set(states)), f"{one} was told twice under two ids: {states}"
        assert {"queued", "sending", ends[one]} <= set(states), states
        overtaken += not states.index("queued") < states.index("sending") < states.index(ends[one])
    assert overtaken <= AT_ONE_ADDRESS, "no more than were on their way at the kill: those are tried a second time"
    rooms = [event["type"] for _, event in told(receiver) if event["type"].startswith("room.")]
    assert "room.joined" in rooms, rooms


def test_a_webhook_that_was_stored_is_processed_by_the_next_console(place: Place) -> None:
    until(lambda: place.webhooks(state="processed"), "the replica's coming is reported")
    place.fault("delay", seconds=60, count=None, method="GET", path="/v2/conversations/")
    place.call.http.post(
        f"{place.call.console.twin_url}/v2/conversations/{place.call.upstream_id}/end", headers={"x-api-key": "a"}
    )
    until(
        lambda: any(one["event_type"] == "system.shutdown" and one["attempts"] for one in place.webhooks()),
        "the end is stored, and Tavus is asked",
    )
    [stored] = [one for one in place.webhooks() if one["event_type"] == "system.shutdown"]
    assert stored["state"] == "received"
    place.clear_faults()
    place.kill_and_restart()
    until(lambda: not place.webhooks(state="received"), "all are processed", 60)
    assert {one["state"] for one in place.webhooks()} == {"processed"}
    conversation = place.call.ask("GET", f"conversations/{place.call.id}/")
    assert (conversation["status"], conversation["ended_reason"]) == ("ended", "end_conversation_endpoint_hit")


def test_doubled_lost_and_overtaken_webhooks_leave_the_mirror_right(place: Place) -> None:
    place.fault("webhook_late", seconds=1)
    place.fault("webhook_twice")
    place.call.http.post(
        f"{place.call.console.twin_url}/v2/conversations/{place.call.upstream_id}/end", headers={"x-api-key": "a"}
    )

    def come() -> list[dict[str, Any]]:
        after = [one for one in place.webhooks() if one["event_type"] in LAST]
        return after if len(after) == 3 and all(one["state"] != "received" for one in after) else []

    after = until(come, "two of one, and the other one")
    repeats = [one for one in after if one["duplicate_of"]]
    assert len(repeats) == 1 and repeats[0]["state"] == "ignored"
    assert sorted({one["event_type"] for one in after}) == sorted(LAST)
    conversation = place.call.ask("GET", f"conversations/{place.call.id}/")
    assert conversation["status"] == "ended"
    kinds = [one["event_type"] for one in place.call.entries() if one["kind"] == "webhook"]
    assert kinds.count(repeats[0]["event_type"]) == 2, "the log has each that came"


LAST = ("system.shutdown", "application.transcription_ready")


def test_a_secret_is_replaced_under_a_running_conversation_and_stands_in_no_output(place: Place) -> None:
    until(lambda: place.webhooks(state="processed"), "the replica's coming is reported")
    sent = place.call.http.get(f"{place.call.console.twin_url}/twin/webhooks").json()
    old = sent[0]["url"].split("/webhooks/tavus/")[1].split("/")[0]
    place.call.console.manage("rotate_webhook_secret")
    place.call.http.post(
        f"{place.call.console.twin_url}/v2/conversations/{place.call.upstream_id}/end", headers={"x-api-key": "a"}
    )
    until(lambda: [one for one in place.webhooks() if one["by_old_secret"]], "the old address is still heard")
    [kept] = place.call.ask("GET", "webhooks/secret/")["old"]
    assert kept["counts"] and kept["uses"] >= 1
    wrong = place.call.http.post(f"{place.call.console.url}/webhooks/tavus/{old[:-1]}x/", json={})
    assert wrong.status_code == 404
    made = place.call.ask("POST", "conversations/", {"persona_id": "pipecat0", "replica_id": "re8e740a42"})
    url = place.call.http.get(
        f"{place.call.console.twin_url}/v2/conversations/{made['conversation_id']}", headers={"x-api-key": "a"}
    ).json()["callback_url"]
    new = url.split("/webhooks/tavus/")[1].split("/")[0]
    assert new != old
    place.call.ask("POST", f"conversations/{made['id']}/end/")
    shown = json.dumps([place.call.entries(), place.webhooks(), place.call.ask("GET", "entries/?limit=200")])
    for secret in (old, old[:-1] + "x", new):
        assert secret not in place.call.console.said() and secret not in shown
