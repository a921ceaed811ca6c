"""The demo through a whole console, and both witnesses of what its conversation's room carried."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests import witnesses
from tests.acceptance.calling import Call
from tests.console_process import ROOT, running_console

pytestmark = [pytest.mark.own_database, pytest.mark.timeout(300)]


def test_the_demo_speaks_and_the_log_says_what_the_room_carried(tmp_path: Path) -> None:
    with running_console(tmp_path, TWIN_SPEED="50") as console:
        assert any("daily" in mapped.path for mapped in psutil.Process(console.pid).memory_maps()), "the SDK is loaded"
        key = console.api_key()
        walked = subprocess.run(
            [sys.executable, "manage.py", "demo", "--url", console.url, "--api-key", key],
            cwd=ROOT, env=console.environment, capture_output=True, text=True, timeout=110, check=False,
        )  # fmt: skip
        assert walked.returncode == 0, walked.stdout + walked.stderr
        call = Call(console, key)
        [conversation] = call.ask("GET", "conversations/")["results"]
        call.id, call.upstream_id = conversation["id"], conversation["conversation_id"]
        call.agree()
        assert witnesses.compare(console.url, key, console.twin_url, call.upstream_id) == []
        kinds = [message["event_type"] for message in call.sent()]
        assert kinds.count("conversation.echo") > 40, "a text, a second of audio, and one more in pieces"
        assert kinds.count("conversation.interrupt") == 1
        assert any(entry["direction"] == "in" and entry["event_type"] == "system.shutdown" for entry in call.entries())
