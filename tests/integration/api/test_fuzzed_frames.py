"""Frames that no client should send, against a real console: no crash, no leak, and who sits beside goes on.

What is sent is made by hypothesis: messages with wrong, missing and monstrous fields, JSON cut short, nested deep or
huge, bytes at any time, in any order, and frames that are no WebSocket's.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.console_process import ConsoleProcess, running_console
from tests.waiting import until

pytestmark = pytest.mark.own_database

ROUNDS = 60  # connections of each of two passes; the first one warms up
MEMORY = 48 * 1024 * 1024  # bytes that a pass may leave: the allocator's own, not what it does not give back
KNOWN_CLOSES = {1007, 1009}  # no UTF-8, and over 4 MB: the protocol's own, all else is answered


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleProcess]:
    with running_console(tmp_path_factory.mktemp("console"), TWIN_SPEED="100", ECHO_STALL_DEADLINE="0.2") as running:
        yield running


@pytest.fixture(scope="module")
def api(console: ConsoleProcess) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {console.api_key()}"}
    with httpx.Client(base_url=f"{console.url}/api/v1", headers=headers, timeout=60) as client:
        yield client


def joined(api: httpx.Client) -> str:
    body = {"persona_id": "pipecat0", "replica_id": "re8e740a42", "join": True}
    public_id = str(api.post("/conversations/", json=body).raise_for_status().json()["id"])
    until(lambda: api.get(f"/conversations/{public_id}/").json()["room"]["replica_present"], "the replica is there")
    return public_id


@pytest.fixture(scope="module")
def fuzzed(api: httpx.Client) -> str:
    return joined(api)


@pytest.fixture(scope="module")
def beside(api: httpx.Client) -> str:
    return joined(api)


def opened(api: httpx.Client, public_id: str) -> ClientConnection:
    address = str(api.base_url).replace("http", "ws", 1).replace("/api/v1/", f"/ws/v1/conversations/{public_id}/")
    return connect(address, additional_headers={"Authorization": api.headers["Authorization"]}, max_size=None)


# --- what is sent ---------------------------------------------------------------------------------------------------

KINDS = ["echo", "text", "text_delta", "text_end", "audio", "audio_end", "interrupt", "ping", "flow", "sing", "", None]
texts = st.text(st.characters(), max_size=60) | st.sampled_from(
    [
        "Hello there, how are you today? Fine.",
        "\0",
        "a\0b",
        "\ud800",
        "<emotion value=",
        "。" * 50,
        " ",
        "\u202e\u200d🏴",
    ]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)
fields = {
    "type": st.sampled_from(KINDS),
    "text": texts | anything,
    "ref": st.integers(0, 9) | anything,
    "inference_id": st.sampled_from(["a", "b", "c.1", "x" * 128, "a b", ""]) | anything,
    "audio": st.sampled_from(["", "AAAA", "AA", "####", "A" * 20_000]) | anything,
    "sample_rate": st.sampled_from([0, 1, 7999, 8000, 16000, 24000, 48000, 10**30, -1]) | anything,
    "pacing": st.sampled_from(["lead", "burst", "realtime", "never"]) | anything,
}
messages = st.fixed_dictionaries({}, optional={**fields, "more": anything}).map(json.dumps)
proper = st.sampled_from(
    [
        {"type": "text"},
        {"type": "text_delta", "text": "This is a sentence. And this is "},
        {"type": "text_end"},
        {"type": "audio"},
        {"type": "audio_end"},
        {"type": "interrupt"},
        {"type": "echo", "text": "Hi."},
    ]
).map(json.dumps)


@st.composite
def cut(draw: Any) -> str:
    whole = draw(messages)
    return whole[: draw(st.integers(0, len(whole)))]


monstrous = st.sampled_from(
    [
        "[" * 5_000,
        '{"type":' * 2_000,
        '{"type": "echo", "text": ' + "[" * 100 + "]" * 100 + "}",
        json.dumps({"type": "echo", "text": "a" * 30_000}),
        json.dumps({"type": "text_delta", "text": "word " * 3_990}),
        json.dumps({"type": "echo", "text": "Hi.", "ref": "r" * 100_000}),
        '{"type": "echo", "ref": ' + "9" * 5_000 + "}",
        '{"type": "audio", "sample_rate": NaN, "ref": Infinity}',
        "x" * 1_000_000,
        "\ufeff{}",
    ]
)
binary = st.binary(max_size=600) | st.sampled_from([b"", b"\0", bytes(2_400), bytes(100_001), b"{}"])
frames = st.lists(st.one_of(messages, proper, cut(), monstrous, anything.map(json.dumps), binary), max_size=14)


# --- the good client beside -----------------------------------------------------------------------------------------


class Beside(threading.Thread):
    """Says one thing after the other in a conversation of its own, and sees each spoken."""

    def __init__(self, socket: ClientConnection) -> None:
        super().__init__(daemon=True)
        self.socket = socket
        self.over = threading.Event()
        self.spoken = 0
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            while not self.over.is_set():
                self.say(f"beside.{self.spoken}")
                self.spoken += 1
        except BaseException as error:  # noqa: BLE001 - told by the test
            self.failure = error

    def say(self, inference_id: str) -> None:
        self.socket.send(json.dumps({"type": "echo", "text": "All is well here.", "inference_id": inference_id}))
        while True:
            told = json.loads(self.socket.recv(timeout=30))
            assert told["type"] != "error", told
            if told["type"] == "echo" and told["echo"]["inference_id"] == inference_id:
                assert told["echo"]["state"] not in ("failed", "unconfirmed", "cancelled"), told
                if told["echo"]["state"] == "spoken":
                    return


# --- the tests ------------------------------------------------------------------------------------------------------


def send_all(socket: ClientConnection, sent: list[str | bytes]) -> list[dict[str, Any]]:
    """Send, and read until all was dealt with, which a ping at the end tells; what was answered."""
    answers: list[dict[str, Any]] = []
    try:
        for frame in sent:
            socket.send(frame)
        socket.send('{"type": "ping", "at": "the end"}')
        while True:
            told = json.loads(socket.recv(timeout=30))
            answers.append(told)
            if told["type"] == "pong" and told.get("at") == "the end":
                return answers
    except ConnectionClosed as closed:
        assert closed.rcvd is not None and closed.rcvd.code in KNOWN_CLOSES, (closed, sent)
        return answers


def one_pass(api: httpx.Client, public_id: str, seed: int) -> None:
    @settings(
        max_examples=ROUNDS, database=None, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(sent=frames, orderly=st.booleans())
    def fuzz(sent: list[str | bytes], orderly: bool) -> None:
        socket = opened(api, public_id)
        try:
            for told in send_all(socket, [frame for frame in sent if not _cannot_leave(frame)]):
                if told["type"] == "error":
                    assert told["error"]["code"] != "internal", (told, sent)
                    assert told["error"]["message"]
        finally:
            if orderly:
                socket.close()
            else:
                socket.socket.close()

    fuzz.hypothesis.inner_test.__name__ = f"fuzz_{seed}"  # type: ignore[attr-defined]
    fuzz()


def _cannot_leave(frame: str | bytes) -> bool:
    """A lone surrogate can't be put on the wire as UTF-8: `json.dumps` sends it escaped, the rest is left out."""
    try:
        return isinstance(frame, str) and not frame.encode()
    except UnicodeEncodeError:
        return True


def used(process: psutil.Process) -> dict[str, int]:
    return {"threads": process.num_threads(), "handles": process.num_fds(), "memory": process.memory_info().rss}


def drained(api: httpx.Client, public_id: str) -> None:
    """What was accepted has come to an end."""
    api.post(f"/conversations/{public_id}/interrupt/").raise_for_status()
    for state in ("queued", "sending", "sent", "speaking"):
        until(
            lambda state=state: not api.get(f"/conversations/{public_id}/echoes/?state={state}").json()["results"],
            f"nothing is {state}",
            90,
        )


def test_fuzzed_frames_crash_nothing_leak_nothing_and_disturb_nobody(
    console: ConsoleProcess, api: httpx.Client, fuzzed: str, beside: str
) -> None:
    process = psutil.Process(console.pid)
    with opened(api, beside) as socket:
        good = Beside(socket)
        good.start()
        one_pass(api, fuzzed, 1)
        drained(api, fuzzed)
        before = used(process)
        one_pass(api, fuzzed, 2)
        drained(api, fuzzed)
        good.over.set()
        good.join(60)
    assert good.failure is None, good.failure
    assert good.spoken > 10
    until(lambda: used(process)["handles"] <= before["handles"] + 3, f"handles are given back: {before}")
    until(lambda: used(process)["threads"] <= before["threads"] + 3, f"threads end: {before}")
    assert used(process)["memory"] < before["memory"] + MEMORY, (before, used(process))
    assert "Traceback" not in console.said()
    assert console.process.poll() is None


def test_a_connection_that_only_reads_takes_no_notice_of_what_comes(console: ConsoleProcess, api: httpx.Client) -> None:
    address = str(api.base_url).replace("http", "ws", 1).replace("/api/v1/", "/ws/v1/log/")
    sent = ["[" * 5_000, '{"type": "echo", "text": "Hi."}', b"\0", bytes(100_000), "x" * 1_000_000, "\0"]
    with connect(address, additional_headers={"Authorization": api.headers["Authorization"]}) as socket:
        assert {told["type"] for told in send_all(socket, sent)} <= {"pong", "caught_up", "entry"}
    assert "Traceback" not in console.said()


RAW = [
    b"\x81\xfe\x01\x00" + bytes(10),  # begins a message that never comes
    b"\x81\x05hello",  # not masked
    b"\xff\x80" + bytes(4),  # an opcode that there is not
    b"\x80\x80" + bytes(4),  # goes on with nothing
    b"\x82\xff" + b"\x7f" + b"\xff" * 7 + bytes(4),  # 9 exabytes
    b"\x81\x82" + bytes(4) + b"\xc3\x28",  # no UTF-8
    b"\x89\xfe\x00\xff" + bytes(4) + bytes(255),  # a ping that is too long
    b"GET / HTTP/1.1\r\n\r\n",
]


@pytest.mark.parametrize("raw", RAW, ids=range(len(RAW)))
def test_bytes_that_are_no_frames_end_their_connection_and_nothing_else(
    console: ConsoleProcess, api: httpx.Client, beside: str, raw: bytes
) -> None:
    socket = opened(api, beside)
    socket.socket.sendall(raw)
    with contextlib.suppress(ConnectionClosed, TimeoutError):
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            socket.recv(timeout=0.3)
    socket.socket.close()
    with opened(api, beside) as another:
        assert send_all(another, [])[-1]["type"] == "pong"
    assert "Traceback" not in console.said()


def test_a_frame_over_four_megabytes_is_refused_before_it_is_read_and_one_below_is_taken(
    api: httpx.Client, beside: str
) -> None:
    with opened(api, beside) as socket, pytest.raises(ConnectionClosed) as closed:
        socket.send("x" * (4 * 1024 * 1024 + 1))
        while True:
            socket.recv(timeout=30)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009
    with opened(api, beside) as socket:
        assert any(told["type"] == "error" for told in send_all(socket, ["x" * (4 * 1024 * 1024 - 1)]))
