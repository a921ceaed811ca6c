"""Conversations over HTTP: made, listed, read, ended, deleted, billed, limited."""

from typing import Any

import httpx
import pytest

from tests.integration.twin.conftest import Rooms
from tests.integration.twin.test_rooms import until
from tests.twin_process import TwinProcess


def test_the_quickstarts_conversation_body_works_as_printed(rooms: Rooms) -> None:
    persona = rooms.api.post("/personas", json={"persona_name": "E", "pipeline_mode": "echo"}).json()["persona_id"]
    made = rooms.open(
        replica_id="re8e740a42",
        persona_id=persona,
        conversation_name="Music Chat with DJ Kot",
        conversational_context="Talk about the greatest hits from my favorite band, Daft Punk.",
    )
    assert made["conversation_url"] == f"https://tavus.daily.co/{made['conversation_id']}"
    assert (made["status"], made["conversation_name"]) == ("active", "Music Chat with DJ Kot")
    assert made["callback_url"] == ""
    assert "meeting_token" not in made


def test_rows_speak_the_words_they_were_made_with(rooms: Rooms) -> None:
    old = rooms.open()
    new = rooms.api.post("/conversations", json={"face_id": "re8e740a42", "pal_id": "pipecat0"}).json()
    rooms.made.append(new["conversation_id"])
    rows = {row["conversation_id"]: row for row in rooms.api.get("/conversations").json()["data"]}
    assert rows[old["conversation_id"]]["persona_id"] == "pipecat0"
    assert rows[new["conversation_id"]]["pal_id"] == "pipecat0"
    assert "persona_id" not in rows[new["conversation_id"]]


def test_a_persona_alone_brings_its_own_replica_and_a_replica_alone_a_stock_persona(rooms: Rooms) -> None:
    made = rooms.api.post("/conversations", json={"persona_id": "pipecat0"}).json()["conversation_id"]
    assert rooms.api.get(f"/conversations/{made}").json()["replica_id"] == "r90bbd427f71"
    rooms.made.append(made)
    made = rooms.api.post("/conversations", json={"replica_id": "re8e740a42"}).json()["conversation_id"]
    assert rooms.api.get(f"/conversations/{made}").json()["persona_id"]
    rooms.made.append(made)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"replica_id": "r-none"}, "Invalid replica_id"),
        ({"face_id": "r-none"}, "Invalid face_id"),
        ({"persona_id": "p-none", "replica_id": "re8e740a42"}, "Invalid persona_id"),
        ({"pal_id": "p-none"}, "Invalid pal_id"),
        ({}, "Bad Request. {'replica_id': "),
        ({"persona_id": "pipecat0", "max_participants": 1}, "Bad Request. {'max_participants': "),
        ({"persona_id": "pipecat0", "callback_url": "nonsense"}, "Bad Request. {'callback_url': "),
        (
            {"persona_id": "pipecat0", "properties": {"max_call_duration": "1h"}},
            "Bad Request. {'properties': {'max_call",
        ),
        ({"persona_id": "pipecat0", "audio_only": "yes"}, "Bad Request. {'audio_only': ['Not a valid boolean.']}"),
    ],
)
def test_a_body_that_is_wrong_is_refused_in_tavuss_words(api: httpx.Client, body: dict[str, Any], error: str) -> None:
    answer = api.post("/conversations", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(error)


def test_validation_comes_before_the_key(api: httpx.Client) -> None:
    no_key = {"x-api-key": "invalid"}
    assert api.post("/conversations", json={}, headers=no_key).status_code == 400
    good = {"persona_id": "pipecat0"}
    answer = api.post("/conversations", json=good, headers=no_key)
    assert (answer.status_code, answer.json()) == (401, {"message": "Invalid access token"})


@pytest.mark.parametrize("key", [None, "", "invalid", "invalid-key-of-mine"])
@pytest.mark.parametrize(
    "path", ["/personas", "/pals/x", "/replicas", "/faces/x", "/conversations", "/conversations/x"]
)
def test_no_key_or_a_bad_one_is_401_everywhere(twin: TwinProcess, path: str, key: str | None) -> None:
    headers = {} if key is None else {"x-api-key": key}
    answer = httpx.get(f"{twin.url}/v2{path}", headers=headers, trust_env=False)
    assert (answer.status_code, answer.json()) == (401, {"message": "Invalid access token"})


def test_ending_stops_the_bill_and_says_why(rooms: Rooms, twin: TwinProcess) -> None:
    made = rooms.open()["conversation_id"]
    answer = rooms.api.post(f"/conversations/{made}/end")
    assert (answer.status_code, answer.content) == (200, b"")
    assert rooms.api.post(f"/conversations/{made}/end").status_code == 200
    row = rooms.api.get(f"/conversations/{made}", params={"verbose": "true"}).json()
    assert (row["status"], row["shutdown_reason"]) == ("ended", "end_conversation_endpoint_hit")
    assert row["events"][-2]["properties"]["shutdown_reason"] == "end_conversation_endpoint_hit"
    assert "events" not in rooms.api.get(f"/conversations/{made}").json()

    def billed() -> float:
        return next(b["seconds"] for b in twin.get("/twin/bill")["conversations"] if b["conversation_id"] == made)

    assert billed() == billed() > 0


def test_the_status_filter_tells_active_from_ended(rooms: Rooms) -> None:
    ended, active = rooms.open()["conversation_id"], rooms.open()["conversation_id"]
    rooms.api.post(f"/conversations/{ended}/end")

    def ids(status: str) -> set[str]:
        rows = rooms.api.get("/conversations", params={"status": status, "limit": 100}).json()["data"]
        return {row["conversation_id"] for row in rows}

    assert active in ids("active") and ended not in ids("active")
    assert ended in ids("ended") and active not in ids("ended")


def test_a_deleted_conversation_is_gone_from_the_api_but_runs_on_and_costs(rooms: Rooms, twin: TwinProcess) -> None:
    made = rooms.open()["conversation_id"]
    assert rooms.api.delete(f"/conversations/{made}").status_code == 204
    assert rooms.api.get(f"/conversations/{made}").json() == {"error": "Invalid conversation_id"}
    assert twin.room(made)["status"] == "active"


def test_a_test_conversation_is_ended_at_once_and_free(rooms: Rooms, twin: TwinProcess) -> None:
    made = rooms.open(test_mode=True)
    assert made["status"] == "ended"
    row = next(b for b in twin.get("/twin/bill")["conversations"] if b["conversation_id"] == made["conversation_id"])
    assert (row["seconds"], row["test_mode"]) == (0, True)


def test_without_credits_or_slots_a_conversation_is_refused_but_a_test_is_not(rooms: Rooms, twin: TwinProcess) -> None:
    rooms.open()
    good = {"persona_id": "pipecat0"}
    try:
        twin.request("PUT", "/twin/limits", {"concurrent_conversations": 1})
        answer = rooms.api.post("/conversations", json=good)
        assert (answer.status_code, answer.json()["message"]) == (
            400,
            "User has reached maximum concurrent conversations",
        )
        twin.request("PUT", "/twin/limits", {"credit_seconds": 0})
        answer = rooms.api.post("/conversations", json=good)
        assert (answer.status_code, answer.json()["message"]) == (402, "The user is out of conversational credits.")
        assert rooms.api.post("/conversations", json={**good, "test_mode": True}).status_code == 200
    finally:
        twin.request("PUT", "/twin/limits", {"concurrent_conversations": None, "credit_seconds": None})


def test_a_call_longer_than_allowed_is_silently_cut(rooms: Rooms, twin: TwinProcess) -> None:
    twin.request("PUT", "/twin/limits", {"longest_call_seconds": 1})
    try:
        key = rooms.open(properties={"max_call_duration": 3000})["conversation_id"]
        until("the end", lambda: twin.room(key)["shutdown_reason"] == "max_call_duration reached")
    finally:
        twin.request("PUT", "/twin/limits", {"longest_call_seconds": 3600})


@pytest.mark.parametrize(
    "limits",
    [{"weather": 1}, [], {"credit_seconds": -1}, {"strict_message_size": 1}, {"longest_call_seconds": None}],
)
def test_limits_that_make_no_sense_are_refused(twin: TwinProcess, limits: Any) -> None:
    before = twin.get("/twin/limits")
    assert httpx.put(f"{twin.url}/twin/limits", json=limits, trust_env=False).status_code == 400
    assert twin.get("/twin/limits") == before


def test_a_wrong_path_and_a_wrong_method_answer_json(api: httpx.Client) -> None:
    assert (api.get("/nothing").status_code, api.get("/nothing").json()) == (404, {"message": "Not Found"})
    answer = api.put("/personas", json={})
    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"]
