"""docs/examples/speak.py, as it is printed, against a real console: what it gave is what the twin's room carried."""

from __future__ import annotations

import ast
import base64
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.console_process import ROOT, ConsoleProcess, running_console
from tests.integration.rooms.driving import tone
from tests.waiting import until

pytestmark = pytest.mark.own_database

EXAMPLE = ROOT / "docs" / "examples" / "speak.py"


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleProcess]:
    with running_console(tmp_path_factory.mktemp("console"), TWIN_SPEED="20", ECHO_BUFFER="1") as running:
        yield running


@pytest.fixture(scope="module")
def key(console: ConsoleProcess) -> str:
    return console.api_key()


@pytest.fixture(scope="module")
def conversation(console: ConsoleProcess, key: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=f"{console.url}/api/v1", headers=headers, timeout=60) as api:
        body = {"persona_id": "pipecat0", "replica_id": "re8e740a42", "join": True}
        made: dict[str, Any] = api.post("/conversations/", json=body).raise_for_status().json()
        path = f"/conversations/{made['id']}/"
        until(lambda: api.get(path).json()["room"]["replica_present"], "the replica is there")
    return made


def run(console: ConsoleProcess, key: str, conversation_id: str, pcm: bytes) -> subprocess.CompletedProcess[bytes]:
    arguments = [sys.executable, str(EXAMPLE), console.url.replace("http", "ws", 1), conversation_id]
    return subprocess.run(
        arguments, input=pcm, env={"ECHOADMIN_KEY": key}, capture_output=True, timeout=120, check=False
    )


def words_of_the_example() -> str:
    tree = ast.parse(EXAMPLE.read_text())
    return next(
        str(node.value.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and node.targets[0].id == "WORDS"  # type: ignore[attr-defined]
    )


def test_it_fits_on_a_page() -> None:
    assert len(EXAMPLE.read_text().splitlines()) <= 60


def test_what_it_says_is_what_the_room_carried_in_order_and_it_prints_each_state(
    console: ConsoleProcess, key: str, conversation: dict[str, Any]
) -> None:
    pcm = tone(4.0)  # four times what ECHO_BUFFER lets wait: it comes at once, so that its sender is told to pause
    done = run(console, key, conversation["id"], pcm)
    printed = done.stdout.decode()
    assert done.returncode == 0, (printed, done.stderr.decode())
    record = httpx.get(f"{console.twin_url}/twin/rooms/{conversation['conversation_id']}/messages").json()
    echoes = [row["message"]["properties"] for row in record if row["message"]["event_type"] == "conversation.echo"]
    audio = [echo for echo in echoes if echo["modality"] == "audio"]
    assert b"".join(base64.b64decode(chunk["audio"]) for chunk in audio) == pcm
    assert [chunk["done"] for chunk in audio] == [False] * (len(audio) - 1) + [True]
    texts = echoes[len(audio) :]
    assert " ".join(text["text"] for text in texts) == words_of_the_example()
    assert [text["inference_id"].rpartition(".")[2] for text in texts] == ["1", "2", "3"]
    for inference_id in {echo["inference_id"] for echo in echoes}:
        assert f"{inference_id} spoken" in printed
    assert "flow pause" in printed
    assert "flow resume" in printed


def test_without_a_conversation_it_says_why(console: ConsoleProcess, key: str) -> None:
    done = run(console, key, "cv_nope", b"")
    assert done.returncode == 1
    assert b"4404" in done.stderr
