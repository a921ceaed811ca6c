"""Faults on demand, on both sides."""

import time
from typing import Any

import httpx
import pytest

from tests.integration.twin.conftest import Rooms
from tests.integration.twin.test_rooms import enter, until
from tests.sdk_client import SdkClient
from tests.twin_process import TwinProcess

BODY = {"persona_id": "pipecat0", "properties": {"participant_left_timeout": 120}}


def names(twin: TwinProcess, key: str) -> list[str]:
    return [p["name"] for p in twin.room(key)["participants"]]


def test_a_status_with_a_body_comes_once_and_before_the_work(api: httpx.Client, twin: TwinProcess) -> None:
    twin.fault("status", status=503, body={"message": "Busy"}, headers={"Retry-After": "3"})
    before = len(twin.get("/twin/rooms"))
    answer = api.post("/conversations", json=BODY)
    assert (answer.status_code, answer.json(), answer.headers["retry-after"]) == (503, {"message": "Busy"}, "3")
    assert len(twin.get("/twin/rooms")) == before
    assert api.get("/conversations").status_code == 200
    assert twin.get("/twin/faults") == []


def test_html_comes_instead_of_json_until_it_is_cleared(api: httpx.Client, twin: TwinProcess) -> None:
    fault = twin.fault("html", count=None, path="/v2/personas", method="get")
    for _ in range(3):
        answer = api.get("/personas")
        assert answer.status_code == 502
        assert answer.headers["content-type"].startswith("text/html")
    assert api.get("/replicas").status_code == 200
    assert twin.get("/twin/faults")[0]["used"] == 3
    twin.request("DELETE", f"/twin/faults/{fault}")
    assert api.get("/personas").status_code == 200


def test_a_cut_connection_before_the_work_leaves_nothing_behind(api: httpx.Client, twin: TwinProcess) -> None:
    twin.fault("cut", path="/v2/conversations", method="POST")
    before = len(twin.get("/twin/rooms"))
    with pytest.raises(httpx.TransportError):
        api.post("/conversations", json=BODY)
    assert len(twin.get("/twin/rooms")) == before


def test_a_cut_connection_after_the_work_loses_the_answer_of_a_paid_conversation(
    api: httpx.Client, twin: TwinProcess
) -> None:
    twin.fault("cut", when="after", method="POST")
    with pytest.raises(httpx.TransportError):
        api.post("/conversations", json={**BODY, "conversation_name": "Answer lost"})
    made = next(r for r in twin.get("/twin/rooms") if r["conversation_name"] == "Answer lost")
    assert made["status"] == "active"
    api.post(f"/conversations/{made['conversation_id']}/end")


def test_a_status_after_the_work_hides_what_was_done(api: httpx.Client, twin: TwinProcess) -> None:
    twin.fault("status", status=500, when="after", method="POST")
    assert api.post("/personas", json={"persona_name": "Hidden", "pipeline_mode": "echo"}).status_code == 500
    rows = api.get("/personas", params={"persona_type": "user"}).json()["data"]
    assert rows[0]["persona_name"] == "Hidden"


def test_a_delay_holds_one_request_and_not_the_others(api: httpx.Client, twin: TwinProcess) -> None:
    twin.fault("delay", seconds=0.5, path="/v2/personas/pipecat0")
    begun = time.monotonic()
    assert api.get("/personas").status_code == 200
    assert twin.get("/twin/faults")
    assert api.get("/personas/pipecat0").status_code == 200
    assert time.monotonic() - begun >= 0.5


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        ({"kind": "gremlins"}, "kind"),
        ({"kind": "delay", "seconds": -1}, "seconds"),
        ({"kind": "status", "status": 99}, "status"),
        ({"kind": "status", "count": 0}, "count"),
        ({"kind": "cut", "when": "during"}, "when"),
        ({"kind": "close_frame", "code": 5}, "code"),
        ({"kind": "delay", "weather": "bad"}, "weather"),
        ([], "kind"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_by_name(twin: TwinProcess, fault: Any, named: str) -> None:
    answer = httpx.post(f"{twin.url}/twin/faults", json=fault, trust_env=False)
    assert answer.status_code == 400
    assert named in answer.json()["error"]


def test_put_replaces_all_faults_and_delete_clears_them(twin: TwinProcess) -> None:
    twin.fault("delay")
    rows = twin.request("PUT", "/twin/faults", [{"kind": "html"}, {"kind": "refuse_join", "count": None}])
    assert [row["kind"] for row in rows] == ["html", "refuse_join"]
    assert twin.request("DELETE", "/twin/faults") == {"cleared": 2}


def test_a_refused_join_is_refused_once_though_the_sdk_asks_three_times(
    sdk: SdkClient, rooms: Rooms, twin: TwinProcess
) -> None:
    made = rooms.open()
    twin.fault("refuse_join", error="exp-room", conversation_id=made["conversation_id"])
    assert "NoLongerAvailable" in str(sdk.join(made["conversation_url"]))
    twin.fault("refuse_join", status=500, conversation_id=made["conversation_id"])
    assert "HTTP error: 500" in str(sdk.join(made["conversation_url"]))
    assert sdk.join(made["conversation_url"]) is None


def test_a_dropped_socket_comes_back_with_the_same_id(sdk: SdkClient, rooms: Rooms, twin: TwinProcess) -> None:
    key = enter(sdk, rooms, twin)
    identity = next(p["id"] for p in twin.room(key)["participants"] if not p["is_replica"])
    after = len(sdk.events)
    twin.fault("drop_socket", conversation_id=key)
    sdk.wait_for(lambda e: e["event"] == "network" and e["status"]["event"] == "interrupted", after)
    sdk.wait_for(lambda e: e["event"] == "network" and e["status"]["event"] == "connected", after)
    assert twin.get("/twin/faults") == []
    assert identity in [p["id"] for p in twin.room(key)["participants"]]
    sdk.echo(key, text="Still here.")
    sdk.wait_for_message("conversation.stopped_speaking")


def test_after_a_close_frame_the_sdk_is_dead_and_does_not_know_it(
    sdk: SdkClient, rooms: Rooms, twin: TwinProcess
) -> None:
    key = enter(sdk, rooms, twin)
    twin.fault("close_frame", code=1011, conversation_id=key, participant="tester")
    until("the twin lets it go", lambda: names(twin, key) == ["pipecat0"])
    after = len(sdk.events)
    sdk.echo(key, text="Into the void.")
    done = sdk.wait_for(lambda e: e["event"] == "send_done", after)
    assert "Disconnected" in str(done["error"])
    assert not any(e["event"] == "state" and e["state"] == "left" for e in sdk.events)


def test_an_armed_fault_meets_the_next_who_joins(sdk: SdkClient, rooms: Rooms, twin: TwinProcess) -> None:
    made = rooms.open()
    twin.fault("drop_socket", conversation_id=made["conversation_id"], participant="another name")
    twin.fault("drop_socket", conversation_id=made["conversation_id"], participant="tester")
    sdk.join(made["conversation_url"])
    until("it was used", lambda: [f["participant"] for f in twin.get("/twin/faults")] == ["another name"])


def test_an_absent_replica_never_comes_and_swallows_what_is_said(
    sdk: SdkClient, rooms: Rooms, twin: TwinProcess
) -> None:
    twin.fault("replica_absent")
    key = rooms.open()["conversation_id"]
    assert sdk.join(f"https://tavus.daily.co/{key}") is None
    sent = sdk.echo(key, text="Anybody?")
    record = until("the record", lambda: twin.messages(key))
    assert [m["message"] for m in record] == [sent]
    assert not twin.room(key)["replica_present"]


def test_a_late_replica_comes_later(sdk: SdkClient, rooms: Rooms, twin: TwinProcess) -> None:
    twin.fault("replica_late", seconds=1.0)
    made = rooms.open()
    assert sdk.join(made["conversation_url"]) is None
    assert not twin.room(made["conversation_id"])["replica_present"]
    sdk.wait_for_message("system.replica_joined")
    row = twin.room(made["conversation_id"])
    replica = next(p for p in row["participants"] if p["is_replica"])
    assert replica["joined_at"] - row["created_at"] >= 1.0


def test_a_leaving_replica_goes_in_the_middle_of_a_word(sdk: SdkClient, rooms: Rooms, twin: TwinProcess) -> None:
    key = enter(sdk, rooms, twin)
    sdk.echo(key, text="A long line. " * 250)
    sdk.wait_for_message("conversation.replica.started_speaking")
    twin.fault("replica_leaving", seconds=0, conversation_id=key)
    sdk.wait_for(lambda e: e["event"] == "participant_left")
    assert names(twin, key) == ["tester"]
    assert sdk.messages("conversation.replica.stopped_speaking") == []
    assert twin.room(key)["status"] == "active"
