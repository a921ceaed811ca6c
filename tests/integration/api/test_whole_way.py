"""REST and WebSocket to a real console, a real SDK and a real twin: what is asked for is said, heard and told."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import time
import wave
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import websockets

from tests.console_process import ConsoleProcess, running_console

pytestmark = pytest.mark.own_database
PATIENCE = 30.0
EMOJI = 'He said: "🙂" and then, after a while, \\ went on. '


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleProcess]:
    with running_console(tmp_path_factory.mktemp("console"), TWIN_SPEED="100") as running:
        yield running


@pytest.fixture(scope="module")
def api(console: ConsoleProcess) -> Iterator[httpx.Client]:
    key = console.manage("create_api_key", "--user", "admin", "--label", "test").splitlines()[-1]
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=console.url, headers=headers, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def conversation(api: httpx.Client) -> dict[str, Any]:
    body = {"persona_id": "pipecat0", "replica_id": "re8e740a42", "join": True}
    made: dict[str, Any] = api.post("/api/v1/conversations/", json=body).json()
    deadline = time.monotonic() + PATIENCE
    while not api.get(f"/api/v1/conversations/{made['id']}/").json()["room"]["replica_present"]:
        assert time.monotonic() < deadline, "the replica did not come"
    return made


@pytest.fixture(scope="module")
def url(conversation: dict[str, Any]) -> str:
    return f"/api/v1/conversations/{conversation['id']}/"


def from_console(console: ConsoleProcess, conversation: dict[str, Any]) -> list[dict[str, Any]]:
    """What the room carried from the console, by the twin's own record."""
    with httpx.Client() as twin:
        record = twin.get(f"{console.twin_url}/twin/rooms/{conversation['conversation_id']}/messages").json()
    return [row for row in record if row["message"].get("event_type", "").startswith("conversation.") and _is_ours(row)]


def _is_ours(row: dict[str, Any]) -> bool:
    return row["message"]["event_type"] in ("conversation.echo", "conversation.interrupt", "conversation.sensitivity")


def test_a_text_is_spoken_before_the_answer_when_asked_so(api: httpx.Client, url: str) -> None:
    told = api.post(f"{url}echoes/?wait=spoken", json={"text": "Hello there."}).json()
    assert told["state"] == "spoken"
    times = told["times"]
    assert times["queued"] <= times["sending"] <= times["sent"]
    assert times["queued"] <= times["speaking"] <= times["spoken"]


def test_a_long_text_goes_out_in_parts_that_daily_carries(
    api: httpx.Client, console: ConsoleProcess, conversation: dict[str, Any], url: str
) -> None:
    text = EMOJI * 90
    told = api.post(f"{url}echoes/?wait=spoken", json={"text": text, "inference_id": "long"}).json()
    assert (told["state"], told["chunks"] > 1) == ("spoken", True)
    sent = [
        row
        for row in from_console(console, conversation)
        if row["message"].get("properties", {}).get("inference_id", "").startswith("long")
    ]
    assert [row["message"]["properties"]["inference_id"] for row in sent] == [
        f"long.{k}" for k in range(1, told["chunks"] + 1)
    ]
    assert "".join("".join(row["message"]["properties"]["text"] for row in sent).split()) == "".join(text.split())
    assert not any(row["flags"] for row in sent), "none is over 4,096 bytes as the room counts them"


def test_pieces_of_the_quickstart_are_heard_bit_for_bit(
    api: httpx.Client, console: ConsoleProcess, conversation: dict[str, Any], url: str
) -> None:
    pcm = bytes(range(256)) * 75  # 0.4 s at 24 kHz
    pieces = [pcm[start : start + 2500] for start in range(0, len(pcm), 2500)]
    for k, piece in enumerate(pieces):
        body = {
            "conversation_id": conversation["conversation_id"],
            "modality": "audio",
            "audio": base64.b64encode(piece).decode(),
            "sample_rate": 24000,
            "inference_id": "pieces",
            "done": k == len(pieces) - 1,
        }
        answer = api.post("/send_audio_message", json=body)
        assert (answer.status_code, answer.json()) == (200, {"status": "Message sent successfully"})
    told = wait_for_end(api, url, "pieces")
    assert told["state"] == "spoken"
    sent = [
        row["message"]["properties"]
        for row in from_console(console, conversation)
        if row["message"].get("properties", {}).get("inference_id") == "pieces"
    ]
    assert b"".join(base64.b64decode(row["audio"]) for row in sent) == pcm
    assert [row["done"] for row in sent] == [False] * (len(sent) - 1) + [True]
    with wave.open(io.BytesIO(api.get(f"{url}echoes/pieces/audio/").content)) as reader:
        assert reader.readframes(reader.getnframes()) == pcm
    part = api.get(f"{url}echoes/pieces/audio/", headers={"Range": "bytes=44-143"})
    assert (part.status_code, part.content) == (206, pcm[:100])


def wait_for_end(api: httpx.Client, url: str, inference_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE
    while True:
        told: dict[str, Any] = api.get(f"{url}echoes/{inference_id}/").json()
        if told["times"]["ended"] or time.monotonic() > deadline:
            return told


def test_an_interrupt_stops_what_is_said_and_empties_the_queue(api: httpx.Client, url: str) -> None:
    for name in ("now", "later"):
        api.post(f"{url}echoes/", json={"text": "A long sentence. " * 180, "inference_id": name})
    deadline = time.monotonic() + PATIENCE
    while api.get(f"{url}echoes/now/").json()["state"] != "speaking":
        assert time.monotonic() < deadline
    told = api.post(f"{url}interrupt/").json()
    assert told == {"cancelled": ["later"], "interrupted": "now", "confirmed": True}
    assert wait_for_end(api, url, "now")["state"] == "interrupted"
    assert wait_for_end(api, url, "later")["state"] == "cancelled"


async def test_over_the_websocket_audio_is_said_while_it_is_made_and_all_is_told(
    api: httpx.Client, console: ConsoleProcess, conversation: dict[str, Any]
) -> None:
    where = f"{console.url.replace('http', 'ws')}/ws/v1/conversations/{conversation['id']}/?after=0"
    headers = {"Authorization": api.headers["Authorization"]}
    numbers: list[int] = []
    states: list[str] = []
    async with websockets.connect(where, additional_headers=headers) as socket, asyncio.timeout(PATIENCE):
        await socket.send(json.dumps({"type": "audio", "sample_rate": 24000, "inference_id": "ws", "ref": 1}))
        for _ in range(10):
            await socket.send(bytes(2400))
        await socket.send(json.dumps({"type": "audio_end", "ref": 2}))
        while "spoken" not in states:
            message = json.loads(await socket.recv())
            assert message["type"] != "error", message
            if message["type"] == "entry":
                numbers.append(message["entry"]["n"])
            elif message["type"] == "echo" and message["echo"]["inference_id"] == "ws":
                states.append(message["echo"]["state"])
    assert numbers == list(range(1, len(numbers) + 1)), "no gap and no repeat"
    assert "speaking" in states or "sent" in states


def test_the_log_equals_what_the_room_carried(
    api: httpx.Client, console: ConsoleProcess, conversation: dict[str, Any], url: str
) -> None:
    logged: list[dict[str, Any]] = []
    link: str | None = f"{url}messages/?direction=out&limit=1000"
    while link:
        page = api.get(link).json()
        logged += [row["message"] for row in page["results"]]
        link = page["next"]
    assert logged == [row["message"] for row in from_console(console, conversation)]


def test_an_interrupt_ends_a_text_that_is_still_being_written_and_nothing_of_it_is_said_after(
    api: httpx.Client, console: ConsoleProcess, conversation: dict[str, Any], url: str
) -> None:
    sentence = "This is sentence {} of a text that a model goes on writing for a good while. "

    async def talk() -> list[str]:
        address = f"{console.url.replace('http', 'ws', 1)}/ws/v1/conversations/{conversation['id']}/?entries=exclude"
        headers = {"Authorization": api.headers["Authorization"]}
        async with websockets.connect(address, additional_headers=headers) as socket:
            await socket.send(json.dumps({"type": "text", "inference_id": "written", "ref": "open"}))
            for number in range(40):
                await socket.send(json.dumps({"type": "text_delta", "text": sentence.format(number)}))
            async with asyncio.timeout(PATIENCE):
                await seen(socket, lambda told: told["type"] == "echo" and told["echo"]["state"] == "speaking")
                await socket.send(json.dumps({"type": "interrupt", "ref": "stop"}))
                told = await seen(socket, lambda told: told["type"] == "error")
                assert (told["ref"], told["error"]["code"]) == ("open", "echo_closed")
                for number in range(40, 60):
                    await socket.send(json.dumps({"type": "text_delta", "text": sentence.format(number)}))
                await socket.send(json.dumps({"type": "text_end", "ref": "end"}))
                await seen(socket, lambda told: told.get("ref") == "end")
            return list(told["echoes"])

    queued = asyncio.run(talk())
    told = api.post(f"{url}echoes/?wait=spoken", json={"text": "Something else.", "inference_id": "else"}).json()
    assert told["state"] == "spoken"
    states = [api.get(f"{url}echoes/{one}/").json()["state"] for one in queued]
    assert "cancelled" in states
    assert set(states) <= {"spoken", "interrupted", "cancelled"}
    record = [row["message"] for row in from_console(console, conversation)]
    carried = [one["properties"]["inference_id"] for one in record if one["event_type"] == "conversation.echo"]
    said = [one for one in carried if one.startswith("written.")]
    assert said == queued[: len(said)]
    assert carried[-1] == "else"
    assert sum(state in ("spoken", "interrupted") for state in states) == len(said)


async def seen(socket: Any, wanted: Any) -> dict[str, Any]:
    """The next message that is the one waited for."""
    while not wanted(told := json.loads(await socket.recv())):
        pass
    return dict(told)
