"""What Daily's SDK gives up before anybody can see it is in the log as lost, counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.calling import Call
from tests.console_process import running_console
from tests.waiting import until

pytestmark = [pytest.mark.own_database, pytest.mark.timeout(120)]


def nested(depth: int) -> Any:
    value: Any = "a word"
    for _ in range(depth):
        value = [value]
    return value


def test_messages_that_the_sdk_can_not_read_are_counted(tmp_path: Path) -> None:
    with running_console(tmp_path / "console", TWIN_SPEED="50") as console:
        call = Call(console, console.api_key())
        call.open()
        address = f"{console.twin_url}/twin/rooms/{call.upstream_id}/messages"
        for message in ({"deep": nested(200)}, {"surrogate": "\ud800"}, {"fine": True}):
            call.http.post(address, content=json.dumps(message)).raise_for_status()

        def dropped() -> list[Any]:
            return [one for one in call.entries() if one["event_type"] == "dropped"]

        found = until(lambda: dropped() if len(dropped()) == 2 else None, "both are told")
        assert [one["message"] for one in found] == [{"count": 1, "reason": "unreadable"}] * 2
        assert {one["kind"] for one in found} == {"room"}
        assert any(one["message"] == {"fine": True} for one in call.entries())
        assert "a word" not in console.said()
        call.ask("POST", f"conversations/{call.id}/end/")
