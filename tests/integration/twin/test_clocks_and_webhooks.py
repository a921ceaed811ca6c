"""The vendor's clocks, and what it calls back."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.integration.twin.conftest import Rooms
from tests.integration.twin.test_rooms import enter, until
from tests.sdk_client import SdkClient
from tests.twin_process import TwinProcess

LIFE = ["system.replica_joined", "system.pal_joined", "system.shutdown", "application.transcription_ready"]


class Receiver:
    """A small web server that keeps what is posted to it."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.hold = threading.Event()
        self.hold.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.hold.wait(20)
                receiver.bodies.append(body)
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?t=secret"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, event_type: str) -> list[dict[str, Any]]:
        return [body for body in self.bodies if body.get("event_type") == event_type]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.hold.set()
    receiver.server.shutdown()
    receiver.server.server_close()


def reason(twin: TwinProcess, key: str) -> Any:
    return twin.room(key)["shutdown_reason"]


def test_by_default_the_room_ends_when_the_last_human_leaves(sdk: SdkClient, rooms: Rooms, twin: TwinProcess) -> None:
    key = enter(sdk, rooms, twin, properties={})
    sdk.leave()
    until("the end", lambda: reason(twin, key) == "participant_left_timeout reached", limit=3)


def test_with_a_left_timeout_the_room_waits_for_somebody_to_come_back(
    sdk: SdkClient, rooms: Rooms, twin: TwinProcess
) -> None:
    key = enter(sdk, rooms, twin, properties={"participant_left_timeout": 1})
    sdk.leave()
    assert reason(twin, key) is None
    assert sdk.join(f"https://tavus.daily.co/{key}") is None
    sdk.leave()
    until("the end", lambda: reason(twin, key) == "participant_left_timeout reached")


def test_a_client_that_dies_is_missed_only_after_a_while(sdk: SdkClient, rooms: Rooms, twin: TwinProcess) -> None:
    key = enter(sdk, rooms, twin, properties={})
    sdk.kill()
    until("its socket is gone", lambda: not all(p["connected"] for p in twin.room(key)["participants"]))
    assert reason(twin, key) is None
    until("the end", lambda: reason(twin, key) == "participant_left_timeout reached")


def test_where_nobody_comes_the_room_ends_by_itself(rooms: Rooms, twin: TwinProcess) -> None:
    key = rooms.open(properties={"participant_absent_timeout": 1})["conversation_id"]
    until("the end", lambda: reason(twin, key) == "participant_absent_timeout reached")


def test_nothing_lasts_longer_than_the_longest_call(sdk: SdkClient, rooms: Rooms, twin: TwinProcess) -> None:
    key = enter(sdk, rooms, twin, properties={"max_call_duration": 2})
    assert sdk.wait_for_message("system.shutdown")["properties"]["shutdown_reason"] == "max_call_duration reached"
    row = next(b for b in twin.get("/twin/bill")["conversations"] if b["conversation_id"] == key)
    assert row["seconds"] == pytest.approx(2.0, abs=0.5)


def test_a_conversations_life_is_called_back_in_order_with_its_transcript(
    sdk: SdkClient, rooms: Rooms, twin: TwinProcess, receiver: Receiver
) -> None:
    key = enter(sdk, rooms, twin, callback_url=receiver.url)
    sdk.echo(key, text="For the transcript.", inference_id="t1")
    sdk.wait_for_message("conversation.stopped_speaking")
    rooms.api.post(f"/conversations/{key}/end")
    transcript = until("the transcript", lambda: receiver.of("application.transcription_ready"))[0]
    assert [body["event_type"] for body in receiver.bodies] == LIFE
    entry = transcript["properties"]["transcript"][0]
    assert (entry["role"], entry["content"]) == ("assistant", "For the transcript.")
    shutdown = receiver.of("system.shutdown")[0]
    assert shutdown["properties"]["shutdown_reason"] == "end_conversation_endpoint_hit"
    assert set(shutdown) == {
        "properties", "conversation_id", "webhook_url", "event_type", "message_type", "timestamp",
    }  # fmt: skip
    assert shutdown["webhook_url"] == receiver.url
    events = rooms.api.get(f"/conversations/{key}", params={"verbose": "true"}).json()["events"]
    assert events == receiver.bodies


def test_a_receiver_that_hangs_or_is_away_holds_nothing_up(rooms: Rooms, twin: TwinProcess, receiver: Receiver) -> None:
    receiver.hold.clear()
    slow = rooms.open(callback_url=receiver.url)["conversation_id"]
    away = rooms.open(callback_url="http://127.0.0.1:1/nobody")["conversation_id"]
    for key in (slow, away):
        until("the replica", lambda key=key: twin.room(key)["replica_present"])
        assert rooms.api.post(f"/conversations/{key}/end").elapsed.total_seconds() < 2
    failed = until("a failure is told", lambda: [w for w in twin.get("/twin/webhooks") if "nobody" in w["url"]])
    assert failed[0]["status"] is None
    assert failed[0]["error"]
    receiver.hold.set()
    until("the rest", lambda: len(receiver.bodies) == 4)
    assert [body["event_type"] for body in receiver.bodies] == LIFE


def test_a_training_calls_its_own_address_back(rooms: Rooms, receiver: Receiver) -> None:
    body = {"train_video_url": "https://videos.example/me.mp4", "callback_url": receiver.url}
    replica = rooms.api.post("/replicas", json=body).json()["replica_id"]
    until("the call", lambda: receiver.bodies == [{"replica_id": replica, "status": "ready"}])
