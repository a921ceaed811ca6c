"""Faults that last, half an answer, replicas that are there twice or silent; and the list of those to rehearse."""

from pathlib import Path

import httpx
import pytest

from echoadmin.twin.faults import ROOM, TAVUS
from tests.integration.twin.conftest import Rooms
from tests.integration.twin.test_rooms import enter, until
from tests.sdk_client import SdkClient
from tests.twin_process import TwinProcess

BODY = {"persona_id": "pipecat0", "properties": {"participant_left_timeout": 120}}
DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "twin.md"


def test_half_a_body_comes_after_the_work(api: httpx.Client, twin: TwinProcess) -> None:
    twin.fault("half", method="POST")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
        api.post("/conversations", json={**BODY, "conversation_name": "Halved"})
    made = next(room for room in twin.get("/twin/rooms") if room["conversation_name"] == "Halved")
    assert made["status"] == "active"
    assert api.post(f"/conversations/{made['conversation_id']}/end").status_code == 200


def test_what_is_slow_is_done_whether_or_not_somebody_still_waits(api: httpx.Client, twin: TwinProcess) -> None:
    twin.fault("delay", seconds=0.5, method="POST", path="/v2/conversations")
    with pytest.raises(httpx.ReadTimeout):
        api.post("/conversations", json={**BODY, "conversation_name": "Late", "test_mode": True}, timeout=0.1)
    until("it is made", lambda: "Late" in [room["conversation_name"] for room in twin.get("/twin/rooms")])


def test_while_daily_is_away_nobody_is_in_and_nobody_gets_in(sdk: SdkClient, rooms: Rooms, twin: TwinProcess) -> None:
    key = enter(sdk, rooms, twin)
    after = len(sdk.events)
    fault = twin.fault("away", seconds=86_400, conversation_id=key)
    sdk.wait_for(lambda e: e["event"] == "network" and e["status"]["event"] == "interrupted", after)
    until("nobody is connected", lambda: not any(p["connected"] for p in people(twin, key)))
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{twin.daily_url}/rooms/check/tavus/{key}", verify=False)
    assert httpx.get(f"{twin.daily_url}/rooms/check/tavus/other", verify=False).status_code == 200
    twin.request("DELETE", f"/twin/faults/{fault}")
    assert httpx.get(f"{twin.daily_url}/rooms/check/tavus/{key}", verify=False).json()["roomName"] == key


def people(twin: TwinProcess, key: str) -> list[dict[str, object]]:
    return [p for p in twin.room(key)["participants"] if not p["is_replica"]]


def test_what_lasts_is_over_by_itself(sdk: SdkClient, rooms: Rooms, twin: TwinProcess) -> None:
    key = enter(sdk, rooms, twin)
    after = len(sdk.events)
    twin.fault("away", seconds=0.3, conversation_id=key)
    sdk.wait_for(lambda e: e["event"] == "network" and e["status"]["event"] == "interrupted", after)
    until("it is over", lambda: twin.get("/twin/faults") == [])
    until("it is back", lambda: any(p["connected"] for p in people(twin, key)))


def test_a_stalled_connection_carries_nothing_and_then_everything(
    sdk: SdkClient, rooms: Rooms, twin: TwinProcess
) -> None:
    key = enter(sdk, rooms, twin)
    twin.fault("stalled", seconds=1.5, conversation_id=key)
    after = len(sdk.events)
    sent = sdk.echo(key, text="Late.")
    done = sdk.wait_for(lambda e: e["event"] == "send_done", after)
    assert done["error"] is None
    assert sent not in [row["message"] for row in twin.messages(key)], "the SDK took it, and it is nowhere"
    [row] = until("it arrives", lambda: [row for row in twin.messages(key) if row["message"] == sent])
    assert row["at"] - done["at"] > 1
    sdk.wait_for_message("conversation.stopped_speaking")


def test_a_join_that_hangs_hangs_for_good_and_for_nobody_else(
    sdk: SdkClient, another_sdk: SdkClient, rooms: Rooms, twin: TwinProcess
) -> None:
    made = rooms.open()
    twin.fault("join_hangs", conversation_id=made["conversation_id"])
    sdk._tell({"do": "join", "url": made["conversation_url"], "name": "hanging", "token": None})
    until("it was used", lambda: twin.get("/twin/faults") == [])
    assert another_sdk.join(made["conversation_url"], name="other") is None
    assert [p["name"] for p in people(twin, made["conversation_id"])] == ["other"]
    assert not any(e["event"] == "join_done" for e in sdk.events)


def test_a_replica_that_is_there_twice_says_each_line_once(sdk: SdkClient, rooms: Rooms, twin: TwinProcess) -> None:
    key = enter(sdk, rooms, twin)
    twin.fault("replica_twice", conversation_id=key)
    until("both are there", lambda: sum(p["is_replica"] for p in twin.room(key)["participants"]) == 2)
    sdk.wait_for_message("system.replica_joined")
    for text in ("Once.", "And no more."):
        sdk.echo(key, text=text)
    until("both are said", lambda: "And no more." in said(sdk))
    assert said(sdk) == ["Once.", "And no more."]
    twin.fault("replica_leaving", seconds=0, conversation_id=key)
    until("both have left", lambda: not any(p["is_replica"] for p in twin.room(key)["participants"]))


def said(sdk: SdkClient) -> list[str]:
    return [message["properties"]["speech"] for message in sdk.messages("conversation.utterance")]


def test_a_silent_replica_listens_and_does_not_beat(
    sdk: SdkClient, another_sdk: SdkClient, rooms: Rooms, twin: TwinProcess
) -> None:
    key = enter(sdk, rooms, twin)
    until("it beats", lambda: beats(twin, key))
    twin.fault("replica_silent", conversation_id=key)
    before = beats(twin, key)
    assert another_sdk.join(f"https://tavus.daily.co/{key}", name="newcomer") is None
    another_sdk.echo(key, text="Are you there? " * 20)
    another_sdk.wait_for_message("conversation.stopped_speaking")
    assert beats(twin, key) == before, "a newcomer is greeted by a beat after 0.2 s"


def beats(twin: TwinProcess, key: str) -> int:
    return sum(row["message"].get("event_type") == "system.replica_present" for row in twin.messages(key))


def test_every_rehearsal_can_be_armed_and_says_what_to_expect(api: httpx.Client, twin: TwinProcess) -> None:
    rehearsals = twin.get("/twin/faults/rehearsals")
    for one in rehearsals:
        seconds = {} if one["seconds"] is None else {"seconds": one["seconds"]}
        assert twin.fault(**one["fault"], **seconds)
        twin.request("DELETE", "/twin/faults")
        assert one["title"] and one["happens"].endswith(".") and one["expect"].endswith(".")
    assert len({one["name"] for one in rehearsals}) == len(rehearsals)
    assert {one["fault"]["kind"] for one in rehearsals} == {*TAVUS, *ROOM}


def test_every_kind_of_fault_is_documented() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert [kind for kind in (*TAVUS, *ROOM) if f"| `{kind}` |" not in text] == []
