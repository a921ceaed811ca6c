"""`manage.py demo` against a running console: it exits 0 only if the replica spoke, and leaves no key, no bill."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
from django.core.management.base import CommandError

from echoadmin.client import Client
from echoadmin.management.commands.demo import Console, walk
from tests.console_process import ROOT, ConsoleProcess, running_console
from tests.twin_process import TwinProcess, running_twin

pytestmark = pytest.mark.own_database


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    with running_twin(tmp_path_factory.mktemp("demo") / "twin") as started:
        yield started


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory, twin: TwinProcess) -> Iterator[ConsoleProcess]:
    folder = tmp_path_factory.mktemp("demo") / "console"
    with running_console(folder, twin=twin) as started:
        yield started


def demo(console: ConsoleProcess, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", "demo", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=console.environment, capture_output=True, text=True, timeout=110, check=False
    )


def test_it_finds_the_console_that_runs_walks_the_whole_way_and_revokes_its_key(
    console: ConsoleProcess, twin: TwinProcess
) -> None:
    console.environment.pop("PORT")  # as in another shell than the one of `make run PORT=8123`
    walked = demo(console)
    assert walked.returncode == 0, walked.stdout + walked.stderr
    for step in ("persona", "conversation", "room", "text echo", "audio echo", "in pieces", "interrupt", "the log"):
        assert step in walked.stdout
    assert "all 3 echoes were spoken" in walked.stdout
    assert [room["status"] for room in twin.get("/twin/rooms")] == ["ended"]
    look = "from echoadmin.accounts.models import ApiKey; print(list(ApiKey.objects.values_list('name', 'revoked')))"
    assert console.manage("shell", "-v0", "-c", look).strip() == "[('demo', True)]"


def test_a_replica_that_is_not_there_is_no_success(console: ConsoleProcess, twin: TwinProcess) -> None:
    twin.fault("replica_absent")  # once
    walked = demo(console, "--patience", "3")
    assert walked.returncode == 1
    assert "in vain" in walked.stderr
    assert {room["status"] for room in twin.get("/twin/rooms")} == {"ended"}  # nothing goes on costing


@pytest.mark.parametrize("state", ["failed", "unconfirmed", "interrupted"])
def test_echoes_that_ended_otherwise_are_no_success_and_the_conversation_is_ended(state: str) -> None:
    ended = []

    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        ended.extend([path] if path.endswith("/end/") else [])
        echo = {"inference_id": "e1", "state": state, "reason": "a reason", "times": {}}
        room = {"state": "joined", "replica_present": True, "worker": "w"}
        conversation = {
            "id": "cv_1",
            "conversation_id": "c1",
            "conversation_url": "https://tavus.daily.co/c1",
            "room": room,
        }
        if "/echoes/" in path:
            return httpx.Response(200, json=echo)
        if "/entries/" in path:
            return httpx.Response(200, json={"results": [], "next": None})
        return httpx.Response(200, json={**conversation, "persona_id": "p1"})

    with Client("http://console", "a.key", transport=httpx.MockTransport(answer)) as client:
        said: list[str] = []
        with pytest.raises(CommandError, match="not spoken: e1"):
            walk(Console(client, said.append, 1.0), replica="r1")
    assert ended == ["/api/v1/conversations/cv_1/end/"]
    assert any("a reason" in line for line in said)


def test_a_console_in_live_mode_is_left_alone_without_a_yes(console: ConsoleProcess) -> None:
    class Live(BaseHTTPRequestHandler):
        asked: list[str] = []

        def do_GET(self) -> None:
            self.asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"status": "ok", "mode": "live"}).encode())

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Live) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        walked = demo(console, "--url", f"http://127.0.0.1:{server.server_port}", "--api-key", "a.key")
        server.shutdown()
    assert walked.returncode == 1
    assert "--yes" in walked.stderr
    assert Live.asked == ["/healthz"]


def test_nobody_there_is_one_line(console: ConsoleProcess, tmp_path: Path) -> None:
    walked = demo(console, "--url", "http://127.0.0.1:9", "--api-key", "a.key")
    assert walked.returncode == 1
    assert "manage.py serve" in walked.stderr
    assert "Traceback" not in walked.stderr
