"""Rooms and their replicas, with the real daily-python SDK."""

import base64
import hashlib
import itertools
import os
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.twin.conftest import Rooms
from tests.sdk_client import SdkClient
from tests.twin_process import TwinProcess

STARTED, STOPPED = "conversation.replica.started_speaking", "conversation.replica.stopped_speaking"


def until(what: str, look: Callable[[], Any], limit: float = 15.0) -> Any:
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited {limit} s in vain for: {what}")


def enter(sdk: SdkClient, rooms: Rooms, twin: TwinProcess, **body: Any) -> str:
    """Open a room, wait for its replica, join; return the conversation's id."""
    made = rooms.open(**body)
    key = str(made["conversation_id"])
    until("the replica", lambda: twin.room(key)["replica_present"])
    assert sdk.join(made["conversation_url"], "tester", made.get("meeting_token")) is None
    return key


def pcm(seconds: float, rate: int = 24_000) -> str:
    return base64.b64encode(os.urandom(int(rate * seconds) * 2)).decode()


def interrupt(sdk: SdkClient, key: str) -> None:
    sdk.send({"message_type": "conversation", "event_type": "conversation.interrupt", "conversation_id": key})


def test_the_replica_is_a_participant_with_the_personas_name(sdk: SdkClient, rooms: Rooms, twin: TwinProcess) -> None:
    key = enter(sdk, rooms, twin)
    seen = sdk.wait_for(lambda e: e["event"] == "participant_joined")
    assert (seen["info"]["userName"], seen["info"]["userId"]) == ("pipecat0", "tavus-replica-re8e740a42")
    there = {p["is_replica"]: p for p in twin.room(key)["participants"]}
    assert there[False]["name"] == "tester"
    assert there[True]["id"] == seen["id"]


def test_a_latecomer_sees_a_heartbeat_at_once(sdk: SdkClient, rooms: Rooms, twin: TwinProcess) -> None:
    enter(sdk, rooms, twin)
    event = sdk.wait_for(lambda e: e["event"] == "message", limit=2.0)
    assert event["message"]["event_type"] == "system.replica_present"
    assert event["message"]["properties"]["attempt"] >= 1
    sdk.wait_for_message("system.pal_present")


def test_who_is_there_first_hears_the_replica_join_by_both_names(
    sdk: SdkClient, rooms: Rooms, twin: TwinProcess
) -> None:
    twin.fault("replica_late", seconds=1.5)
    made = rooms.open()
    assert sdk.join(made["conversation_url"]) is None
    old, new = sdk.wait_for_message("system.replica_joined"), sdk.wait_for_message("system.pal_joined")
    assert (old["properties"], new["properties"]) == ({"replica_id": "re8e740a42"}, {"face_id": "re8e740a42"})


def test_a_text_echo_is_spoken_with_both_families_of_events_and_a_rewritten_id(
    sdk: SdkClient, rooms: Rooms, twin: TwinProcess
) -> None:
    key = enter(sdk, rooms, twin)
    text = "Hello from an external echo, which is long enough to come in several pieces."
    sdk.echo(key, modality="text", text=text, inference_id="utt-7", done=True)
    sdk.wait_for_message("conversation.stopped_speaking")
    said = [m for m in sdk.messages() if m["message_type"] == "conversation"]
    wanted = str(uuid.UUID(hashlib.md5(b"utt-7").hexdigest()))
    assert {m["inference_id"] for m in said} == {wanted}
    kinds = [m["event_type"] for m in said]
    assert kinds[:2] == [STARTED, "conversation.started_speaking"]
    assert kinds[-3:] == ["conversation.utterance", STOPPED, "conversation.stopped_speaking"]
    streamed = [m["properties"] for m in said if m["event_type"] == "conversation.utterance.streaming"]
    assert [p["final"] for p in streamed] == [False] * (len(streamed) - 1) + [True]
    assert all(b["speech"].startswith(a["speech"]) for a, b in itertools.pairwise(streamed))
    assert streamed[-1]["speech"] == said[-3]["properties"]["speech"] == text
    assert said[-2]["properties"] == {"duration": pytest.approx(len(text) / 15, abs=0.01), "interrupted": False}
    assert said[1]["properties"] == {"role": "replica"} and "conversation_id" not in said[1]
    assert [m["seq"] for m in said] == list(range(said[0]["seq"], said[0]["seq"] + len(said)))


def test_echoes_in_a_row_are_said_one_after_another(sdk: SdkClient, rooms: Rooms, twin: TwinProcess) -> None:
    key = enter(sdk, rooms, twin)
    for number in range(20):
        sdk.echo(key, text=f"Line number {number}.")
    sdk.wait_for_message(STOPPED, count=20)
    kinds = [m["event_type"] for m in sdk.messages() if m["event_type"] in (STARTED, STOPPED)]
    assert kinds == [STARTED, STOPPED] * 20
    spoken = [m["properties"]["speech"] for m in sdk.messages("conversation.utterance")]
    assert spoken == [f"Line number {n}." for n in range(20)]


def test_an_audio_echo_starts_before_its_last_chunk_and_lasts_as_long_as_its_samples(
    sdk: SdkClient, rooms: Rooms, twin: TwinProcess
) -> None:
    key = enter(sdk, rooms, twin)
    sdk.echo(key, modality="audio", audio=pcm(0.2), sample_rate=24000, inference_id="a", done=False)
    sdk.wait_for_message(STARTED)
    sdk.echo(key, modality="audio", audio=pcm(1.0), sample_rate=24000, inference_id="a", done=False)
    sdk.echo(key, modality="audio", audio=pcm(0.3), sample_rate=24000, inference_id="a", done=True)
    stopped = sdk.wait_for_message(STOPPED)
    assert stopped["properties"] == {"duration": 1.5, "interrupted": False}
    assert sdk.messages("conversation.utterance") == []


def test_less_than_a_tenth_of_a_second_waits_for_more(sdk: SdkClient, rooms: Rooms, twin: TwinProcess) -> None:
    key = enter(sdk, rooms, twin)
    sdk.echo(key, modality="audio", audio=pcm(0.09), sample_rate=24000, inference_id="a", done=False)
    sdk.wait_for_message("system.replica_present", count=2)
    assert sdk.messages(STARTED) == []
    sdk.echo(key, modality="audio", audio="", sample_rate=24000, inference_id="a", done="true")
    assert sdk.wait_for_message(STOPPED)["properties"]["duration"] == 0.09


def test_what_follows_an_unfinished_audio_echo_is_swallowed_until_an_interrupt(
    sdk: SdkClient, rooms: Rooms, twin: TwinProcess
) -> None:
    key = enter(sdk, rooms, twin)
    sdk.echo(key, modality="audio", audio=pcm(0.5), sample_rate=24000, inference_id="open", done=False)
    sdk.wait_for_message(STARTED)
    lost = sdk.echo(key, text="Nobody hears this.")
    until("the record", lambda: any(m["flags"] == ["swallowed"] and m["message"] == lost for m in twin.messages(key)))
    interrupt(sdk, key)
    assert sdk.wait_for_message(STOPPED)["properties"]["interrupted"] is True
    sdk.echo(key, modality="audio", audio=pcm(0.5), sample_rate=24000, inference_id="open", done=False)
    sdk.echo(key, text="This is heard.")
    assert sdk.wait_for_message("conversation.utterance")["properties"]["speech"] == "This is heard."
    assert len(sdk.messages(STARTED)) == 2


def test_an_interrupt_stops_the_speaker_and_drops_the_queue(sdk: SdkClient, rooms: Rooms, twin: TwinProcess) -> None:
    key = enter(sdk, rooms, twin)
    sdk.echo(key, text="A long line. " * 250)
    sdk.echo(key, text="Never said.")
    sdk.wait_for_message(STARTED)
    interrupt(sdk, key)
    stopped = sdk.wait_for_message(STOPPED)
    assert stopped["properties"]["interrupted"] is True
    assert stopped["properties"]["duration"] < 250 * 13 / 15
    sdk.echo(key, text="Afterwards.")
    sdk.wait_for_message(STOPPED, count=2)
    heard = [m["properties"]["speech"] for m in sdk.messages("conversation.utterance")]
    assert len(heard[0]) < 250 * 13
    assert heard[1:] == ["Afterwards."]


def test_an_idle_replica_answers_an_interrupt_with_silence(sdk: SdkClient, rooms: Rooms, twin: TwinProcess) -> None:
    key = enter(sdk, rooms, twin)
    interrupt(sdk, key)
    sdk.echo(key, text="Still here.")
    sdk.wait_for_message(STOPPED)
    assert len(sdk.messages(STOPPED)) == 1


def test_the_record_holds_everything_in_order_samples_whole_and_each_message_once(
    sdk: SdkClient, rooms: Rooms, twin: TwinProcess
) -> None:
    key = enter(sdk, rooms, twin)
    sent: list[Any] = [{"any": ["thing", 1, None, {"ü": "€"}]}, "a plain string", {"message_type": "other"}]
    for message in sent:
        sdk.send(message)
    chunks = [(pcm(0.05), n == 199) for n in range(200)]
    sent += [
        sdk.echo(key, modality="audio", audio=audio, sample_rate=24000, inference_id="a", done=done)
        for audio, done in chunks
    ]
    sdk.wait_for_message("conversation.stopped_speaking")
    heard = sdk.messages()
    record = twin.messages(key)
    assert [m["n"] for m in record] == list(range(1, len(record) + 1))
    assert [m["message"] for m in record if m["from_name"] == "tester"] == sent
    from_replica = [m["message"] for m in record if m["from_name"] == "pipecat0"]
    first = from_replica.index(heard[0])
    assert from_replica[first : first + len(heard)] == heard
    assert [m["n"] for m in twin.messages(key, after=record[-3]["n"])][:2] == [record[-2]["n"], record[-1]["n"]]
    spare = twin.get(f"/twin/rooms/{key}/messages?audio=omit&limit=20&after=3")
    assert len(spare) == 20
    assert not any(len(str(m)) > 2000 for m in spare)


def test_a_message_reaches_the_others_or_the_one_it_is_for_and_never_its_sender(
    sdk: SdkClient, another_sdk: SdkClient, rooms: Rooms, twin: TwinProcess
) -> None:
    made = rooms.open()
    assert sdk.join(made["conversation_url"], "one") is None
    assert another_sdk.join(made["conversation_url"], "two") is None
    people = {p["name"]: p["id"] for p in twin.room(made["conversation_id"])["participants"]}
    sdk.send({"to": "all"})
    sdk.send({"to": "two"}, to=people["two"])
    sdk.send({"to": "nobody"}, to=str(uuid.uuid4()))
    sdk.send({"to": "all again"})
    another_sdk.wait_for(lambda e: e.get("message") == {"to": "all again"})
    mine = [e for e in another_sdk.events if e["event"] == "message" and e["sender"] == people["one"]]
    assert [e["message"]["to"] for e in mine] == ["all", "two", "all again"]
    assert not any("to" in m for m in sdk.messages())
    record = twin.messages(made["conversation_id"])
    assert [m["to"] for m in record if m["from"] == people["one"]][1] == people["two"]


def test_messages_over_four_kilobytes_are_flagged_and_dropped_only_when_strict(
    sdk: SdkClient, rooms: Rooms, twin: TwinProcess
) -> None:
    key = enter(sdk, rooms, twin)
    try:
        sdk.echo(key, text="é" * 2100)
        sdk.wait_for_message(STARTED)
        interrupt(sdk, key)
        sdk.wait_for_message(STOPPED)
        twin.request("PUT", "/twin/limits", {"strict_message_size": True})
        sdk.echo(key, text="é" * 2100)
        sdk.echo(key, text="Short.")
        heard = sdk.wait_for_message("conversation.utterance", count=2)
        assert heard["properties"]["speech"] == "Short."
        flags = [m["flags"] for m in twin.messages(key) if m["from_name"] == "tester"]
        assert flags == [["over_4096"], [], ["over_4096", "dropped"], []]
    finally:
        twin.request("PUT", "/twin/limits", {"strict_message_size": False})


def test_a_burst_of_1200_audio_messages_is_taken_and_played_to_the_end(
    sdk: SdkClient, rooms: Rooms, twin: TwinProcess
) -> None:
    key = enter(sdk, rooms, twin)
    audio = pcm(0.05)
    for number in range(1200):
        sdk.echo(key, modality="audio", audio=audio, sample_rate=24000, inference_id="b", done=number == 1199)
    stopped = sdk.wait_for_message(STOPPED)
    assert stopped["properties"] == {"duration": 60.0, "interrupted": False}
    mine = [m for m in twin.messages(key) if m["from_name"] == "tester"]
    assert len(mine) == 1200


def test_a_full_pipeline_greets_and_answers(sdk: SdkClient, rooms: Rooms, twin: TwinProcess) -> None:
    key = enter(sdk, rooms, twin, persona_id="p5317866", custom_greeting="Welcome.")
    assert sdk.wait_for_message("conversation.utterance")["properties"]["speech"] == "Welcome."
    respond = {"message_type": "conversation", "event_type": "conversation.respond", "conversation_id": key}
    sdk.send({**respond, "properties": {"text": "Hi"}})
    assert "Hi" in sdk.wait_for_message("conversation.utterance", count=2)["properties"]["speech"]


def test_the_replica_can_be_made_to_send_anything(sdk: SdkClient, rooms: Rooms, twin: TwinProcess) -> None:
    key = enter(sdk, rooms, twin)
    message = {"message_type": "conversation", "event_type": "conversation.tool_call", "properties": {"name": "x"}}
    twin.post(f"/twin/rooms/{key}/messages", message)
    assert sdk.wait_for_message("conversation.tool_call") == message


@pytest.mark.parametrize(
    "properties",
    [
        {"inference_id": {"an": "object"}, "text": "x", "modality": "audio"},
        {"inference_id": 7, "audio": "no base64!", "modality": "audio"},
        {"audio": "AAAA", "modality": "audio", "sample_rate": 0},
        {"audio": "AAAA", "modality": "audio", "sample_rate": 1e300},
        {"text": 5},
        {"text": ""},
        {},
        None,
        "text",
    ],
)
def test_a_senseless_echo_is_noted_and_does_no_harm(
    sdk: SdkClient, rooms: Rooms, twin: TwinProcess, properties: Any
) -> None:
    key = enter(sdk, rooms, twin)
    sdk.send({"message_type": "conversation", "event_type": "conversation.echo", "properties": properties})
    sdk.echo(key, text="All is well.")
    assert sdk.wait_for_message("conversation.utterance")["properties"]["speech"] == "All is well."
    assert [m["flags"] for m in twin.messages(key) if m["from_name"] == "tester"] == [["unreadable"], []]


def test_an_end_shuts_the_room_for_everybody(sdk: SdkClient, rooms: Rooms, twin: TwinProcess) -> None:
    key = enter(sdk, rooms, twin)
    rooms.api.post(f"/conversations/{key}/end")
    said = sdk.wait_for_message("system.shutdown")
    assert said["properties"] == {"shutdown_reason": "end_conversation_endpoint_hit"}
    sdk.wait_for(lambda e: e["event"] == "state" and e["state"] == "left")
    assert "NoLongerAvailable" in str(sdk.join(f"https://tavus.daily.co/{key}"))


def test_rooms_that_do_not_exist_or_belong_to_others_cannot_be_joined(sdk: SdkClient, rooms: Rooms) -> None:
    assert "not-found" in str(sdk.join("https://tavus.daily.co/c-none"))
    key = rooms.open()["conversation_id"]
    assert "not-found" in str(sdk.join(f"https://others.daily.co/{key}"))


def test_a_private_room_wants_its_token(sdk: SdkClient, rooms: Rooms) -> None:
    made = rooms.open(require_auth=True)
    assert "not-allowed" in str(sdk.join(made["conversation_url"]))
    assert "not-allowed" in str(sdk.join(made["conversation_url"], token=made["meeting_token"][:-2]))
    assert sdk.join(made["conversation_url"], token=made["meeting_token"]) is None


def test_the_replica_counts_as_one_of_the_most_participants(
    sdk: SdkClient, another_sdk: SdkClient, rooms: Rooms
) -> None:
    made = rooms.open(max_participants=2)
    assert sdk.join(made["conversation_url"]) is None
    assert "meeting-full" in str(another_sdk.join(made["conversation_url"]))
