"""The twin as a process: how it starts, what it keeps, how it ends."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.integration.twin.test_rooms import until
from tests.sdk_client import sdk_client
from tests.twin_process import ROOT, TwinProcess, running_twin, start_twin

BODY = {"persona_id": "pipecat0", "properties": {"participant_left_timeout": 120}}


def run_alone(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "echoadmin.twin", *arguments],
        cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_it_says_who_it_is_and_writes_a_pid_file_that_goes_with_it(tmp_path: Path) -> None:
    with running_twin(tmp_path, speed=3.0) as twin:
        health = twin.get("/twin/health")
        assert health["name"] == "echoadmin twin"
        assert (health["pid"], health["port"], health["speed"]) == (twin.process.pid, twin.port, 3.0)
        assert Path(health["ca_file"]).read_text().startswith("-----BEGIN CERTIFICATE-----")
        written = json.loads((tmp_path / "twin.pid").read_text())
        assert (written["pid"], written["port"], written["daily_port"]) == (twin.pid, twin.port, twin.daily_port)
        assert twin.stop() == 0
        assert not (tmp_path / "twin.pid").exists()


def test_a_busy_port_is_one_clear_line_and_exit_code_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for options in (["--port", port, "--daily-port", "0"], ["--port", "0", "--daily-port", port]):
            ended = run_alone("--data", str(tmp_path), *options)
            assert ended.returncode == 1
            assert ended.stderr.count("\n") == 1
            assert port in ended.stderr and "taken" in ended.stderr


def test_a_data_folder_has_one_twin(tmp_path: Path) -> None:
    with running_twin(tmp_path):
        ended = run_alone("--data", str(tmp_path), "--port", "0", "--daily-port", "0")
        assert (ended.returncode, "Another twin" in ended.stderr) == (1, True)


@pytest.mark.parametrize("wrong", [{"TWIN_SPEED": "0"}, {"TWIN_SPEED": "fast"}, {"TWIN_PORT": "70000"}])
def test_settings_that_make_no_sense_are_one_clear_line(tmp_path: Path, wrong: dict[str, str]) -> None:
    ended = run_alone("--data", str(tmp_path), **wrong)
    assert ended.returncode == 1
    assert ended.stderr.startswith("TWIN_") and ended.stderr.count("\n") == 1


def test_print_ca_prints_the_path_alone_and_makes_it_once(tmp_path: Path) -> None:
    printed = {run_alone("--print-ca", ECHOADMIN_DATA=str(tmp_path)).stdout for _ in range(2)}
    path = Path(printed.pop().strip())
    assert not printed
    before = path.read_bytes()
    with running_twin(tmp_path) as twin:
        assert (Path(twin.ca_file), path.read_bytes()) == (path, before)


def test_control_paths_refuse_other_hosts_and_other_sites_pages(tmp_path: Path) -> None:
    with running_twin(tmp_path) as twin:
        refused = httpx.get(f"{twin.url}/twin/rooms", headers={"Host": "evil.example"}, trust_env=False)
        assert refused.status_code == 403
        refused = httpx.post(
            f"{twin.url}/twin/faults", headers={"Origin": "https://evil.example"}, json={}, trust_env=False
        )
        assert refused.status_code == 403
        allowed = httpx.get(f"{twin.url}/twin/rooms", headers={"Origin": "http://localhost:8000"}, trust_env=False)
        assert allowed.status_code == 200


def test_a_clean_end_keeps_everything_up_to_the_last_message(tmp_path: Path) -> None:
    with running_twin(tmp_path) as twin:
        persona = twin.post("/v2/personas", {"persona_name": "Kept", "pipeline_mode": "echo"})["persona_id"]
        made = twin.post("/v2/conversations", BODY)["conversation_id"]
        twin.fault("html", count=3, path="/v2/replicas")
        twin.request("PUT", "/twin/limits", {"concurrent_conversations": 7})
        until("the replica", lambda: twin.room(made)["replica_present"])
        before = twin.messages(made)
        assert twin.stop() == 0
    with running_twin(tmp_path) as twin:
        assert twin.get(f"/v2/personas/{persona}")["persona_name"] == "Kept"
        assert [f["count"] for f in twin.get("/twin/faults")] == [3]
        assert twin.get("/twin/limits")["concurrent_conversations"] == 7
        assert twin.messages(made)[: len(before)] == before


def wait_for_flush(twin: TwinProcess, conversation_id: str) -> None:
    """Reading the record writes down all that there is first."""
    assert twin.messages(conversation_id)


def test_after_a_kill_the_conversation_is_found_again_and_its_room_is_open_to_the_same_clients(tmp_path: Path) -> None:
    twin = start_twin(tmp_path)
    made = twin.post("/v2/conversations", BODY)
    key = made["conversation_id"]
    until("the replica", lambda: twin.room(key)["replica_present"])
    try:
        with sdk_client(twin.daily_url, twin.ca_file) as sdk:
            assert sdk.join(made["conversation_url"], "before") is None
            sdk.echo(key, text="Before the kill.")
            sdk.wait_for_message("conversation.stopped_speaking")
            wait_for_flush(twin, key)
            before = twin.messages(key)
            billed = twin.get("/twin/bill")["seconds"]
            twin.kill()
            twin = start_twin(tmp_path, port=twin.port, daily_port=twin.daily_port)
            assert twin.get("/twin/bill")["seconds"] >= billed
            assert twin.get(f"/v2/conversations/{key}")["status"] == "active"
        with sdk_client(twin.daily_url, twin.ca_file) as sdk:
            assert sdk.join(made["conversation_url"], "after") is None
            until("the replica", lambda: twin.room(key)["replica_present"])
            sdk.echo(key, text="After the kill.")
            assert sdk.wait_for_message("conversation.utterance")["properties"]["speech"] == "After the kill."
            record = twin.messages(key)
            assert record[: len(before)] == before
            assert [m["n"] for m in record] == list(range(1, len(record) + 1))
            seqs = [m["message"]["seq"] for m in record if "seq" in m["message"]]
            assert seqs == sorted(set(seqs))
    finally:
        twin.stop()


def test_a_clock_that_ran_out_while_the_twin_was_down_ended_the_conversation_then(tmp_path: Path) -> None:
    with running_twin(tmp_path) as twin:
        key = twin.post("/v2/conversations", {**BODY, "properties": {"max_call_duration": 1}})["conversation_id"]
        twin.stop()
    # Waiting for the second to be over is what this is about.
    created = None
    with running_twin(tmp_path) as twin:
        until("the end", lambda: twin.room(key)["shutdown_reason"] == "max_call_duration reached")
        created = twin.room(key)["created_at"]
        assert twin.room(key)["ended_at"] == pytest.approx(created + 1, abs=0.3)
