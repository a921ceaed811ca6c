"""The client and the everyday commands, against a running console and its twin."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from echoadmin.client import ApiError, AsyncClient, Client
from tests.console_process import ROOT, ConsoleProcess, running_console
from tests.twin_process import running_twin

pytestmark = [pytest.mark.own_database, pytest.mark.timeout(180), pytest.mark.xdist_group("client")]

REPLICA = "re8e740a42"


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleProcess]:
    folder = tmp_path_factory.mktemp("client")
    with running_twin(folder / "twin") as twin, running_console(folder / "console", twin=twin) as started:
        yield started


@pytest.fixture(scope="module")
def key(console: ConsoleProcess) -> str:
    return console.api_key("client")


@pytest.fixture
def client(console: ConsoleProcess, key: str) -> Iterator[Client]:
    with Client(console.url, key) as made:
        yield made


@pytest.fixture
def at(client: Client) -> Iterator[str]:
    """A conversation that can be spoken in."""
    persona = client.create_persona("Echo")
    made = client.create_conversation(persona_id=str(persona["persona_id"]), replica_id=REPLICA, join=True)
    client.until_joined(made["id"])
    yield made["id"]
    client.end(made["id"])


def test_a_file_is_said_and_its_samples_are_in_the_log(client: Client, at: str, tmp_path: Path) -> None:
    sound = io.BytesIO()
    with wave.open(sound, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(24_000)
        wav.writeframes(bytes(range(256)) * 100)
    (tmp_path / "a.wav").write_bytes(sound.getvalue())
    echo = client.say_file(at, tmp_path / "a.wav", pacing="burst", wait="spoken")
    assert (echo["modality"], echo["state"], echo["pacing"]) == ("audio", "spoken", "burst")
    assert any((entry["message"] or {}).get("properties", {}).get("audio") for entry in client.messages(at))


def test_lists_go_over_many_pages_in_order(client: Client, at: str) -> None:
    said = [echo["inference_id"] for echo in client.say_all(at, [f"Line {number}." for number in range(12)])]
    client.until_ended(at, said[-1])
    assert [echo["inference_id"] for echo in client.echoes(at, limit=5)][::-1] == said
    numbers = [entry["n"] for entry in client.entries(at, limit=7)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 24


def test_what_comes_is_followed(client: Client, at: str) -> None:
    last = max(entry["n"] for entry in client.entries(at))
    coming = client.follow(at, after=last, every=0.05)
    echo = client.say(at, "Now.")
    assert next(entry for entry in coming if entry["event_type"] == "conversation.echo")["echo"] == echo["id"]


def test_the_one_for_asyncio_says_the_same(console: ConsoleProcess, key: str, at: str) -> None:
    async def together() -> list[str]:
        async with AsyncClient(console.url, key) as client:
            echoes = await asyncio.gather(*(client.say(at, f"Voice {number}.") for number in range(5)))
            ended = await asyncio.gather(*(client.until_ended(at, echo["inference_id"]) for echo in echoes))
            assert {echo["inference_id"] async for echo in client.echoes(at, limit=2)} == {
                echo["inference_id"] for echo in ended
            }
            return [echo["state"] for echo in ended]

    assert asyncio.run(together()) == ["spoken"] * 5


def test_a_refusal_names_its_code_its_field_and_its_request(client: Client, at: str) -> None:
    with pytest.raises(ApiError) as raised:
        client.say_all(at, ["Good.", ""])
    error = raised.value
    assert (error.status, error.code, list(error.fields)) == (400, "empty", ["items[1].text"])
    assert error.request_id


def manage(console: ConsoleProcess, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=console.environment, capture_output=True, text=True,
        timeout=90, check=False,
    )  # fmt: skip


def as_json(console: ConsoleProcess, *arguments: str) -> Any:
    done = manage(console, *arguments, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_a_conversation_from_its_persona_to_its_end_by_commands(console: ConsoleProcess) -> None:
    persona = as_json(console, "create_persona", "By command")
    made = as_json(
        console,
        "create_conversation",
        "--persona",
        persona["id"],
        "--replica",
        REPLICA,
        "--name",
        "Tour",
        "--wait",
        "40",
    )
    at = made["id"]
    assert (made["room"]["state"], made["conversation_name"]) == ("joined", "Tour")
    echoes = as_json(console, "say", at, "One.", "Two.", "--wait", "spoken")
    assert [(echo["text"], echo["state"]) for echo in echoes] == [("One.", "spoken"), ("Two.", "spoken")]
    assert {echo["actor"] for echo in echoes} == {"manage.py say"}
    assert set(as_json(console, "interrupt", at)) == {"cancelled", "interrupted", "confirmed"}
    lines = [json.loads(line) for line in manage(console, "tail", at, "--json").stdout.splitlines()]
    assert [line["n"] for line in lines] == list(range(1, len(lines) + 1))
    assert [line["message"]["properties"]["text"] for line in lines if line["event_type"] == "conversation.echo"] == [
        "One.",
        "Two.",
    ]
    assert as_json(console, "leave_conversation", at)["room"]["wanted"] == "idle"
    assert as_json(console, "join_conversation", at)["room"]["wanted"] == "joined"
    assert at in manage(console, "list_conversations", "--active").stdout
    assert as_json(console, "end_conversation", at)["status"] == "ended"
    assert at not in manage(console, "list_conversations", "--active").stdout


def test_a_command_that_is_refused_says_so_in_one_line_and_as_json(console: ConsoleProcess) -> None:
    plain = manage(console, "say", "cv_none", "Hello.")
    assert (plain.returncode, plain.stdout) == (1, "")
    assert "There is no conversation 'cv_none'" in plain.stderr
    assert "Traceback" not in plain.stderr
    told = manage(console, "say", "cv_none", "Hello.", "--json")
    assert (told.returncode, json.loads(told.stdout)["error"]["code"]) == (1, "not_found")


@pytest.mark.parametrize(
    "command",
    [
        ("sync", "replicas"),
        ("verify_log",),
        ("checkpoint_log",),
        ("checkpoint_log", "--keys"),
        ("prune_log", "--dry-run"),
        ("hold_log", "list"),
        ("reindex_log", "--only", "search"),
        ("create_api_key", "--user", "admin", "--label", "json"),
        ("prove_log", "{folder}/proof"),
        ("export_log", "--to", "{folder}/log.ndjson"),
        ("erase_log", "--sender", "nobody", "--dry-run"),
    ],
    ids=lambda command: command[0],
)
def test_every_command_that_ends_has_its_result_as_json(
    console: ConsoleProcess, tmp_path: Path, command: tuple[str, ...]
) -> None:
    told = as_json(console, *(part.replace("{folder}", str(tmp_path)) for part in command))
    assert isinstance(told, dict) and told
