# ruff: noqa: F811 - fixtures of another file
"""docs/websocket.md: what it says can be sent is taken as it stands there, and what it says of errors is so."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from conversations import refusals
from conversations.live import flow
from conversations.models import Conversation
from tests.console_process import ROOT
from tests.integration.api.test_live import connected, conversation, key, path_of, quick  # noqa: F401 - fixtures

PAGE = (ROOT / "docs" / "websocket.md").read_text(encoding="utf-8")


def examples(heading: str) -> list[dict[str, Any]]:
    """The JSON objects, one a line, of the first block under a heading."""
    block = re.search(r"```json\n(.*?)```", PAGE[PAGE.index(f"## {heading}") :], re.DOTALL)
    assert block is not None
    return [json.loads(line) for line in block.group(1).splitlines()]


@pytest.mark.django_db(transaction=True)
async def test_each_message_on_the_page_is_taken_in_its_order(
    conversation: Conversation, key: str, settings: Any
) -> None:
    settings.INTERRUPT_DEADLINE = 0.1  # no room is there to tell
    async with connected(path_of(conversation), key) as socket:
        for message in examples("What you send"):
            await socket.send(**message)
            if message["type"] == "ping":
                assert await socket.until("pong") == {**message, "type": "pong"}
            elif "ref" in message:
                ack = await socket.until("ack", ref=message["ref"])
                assert _row_of(message["type"]).issuperset(set(ack) - {"type", "ref"}), message
        assert not [told for told in socket.seen if told["type"] == "error"]


def _row_of(kind: str) -> set[str]:
    """The names that the table of what is sent gives the answer of a type."""
    row = next(line for line in PAGE[PAGE.index("## What you send") :].splitlines() if line.startswith(f"| `{kind}`"))
    return set(re.findall(r"`(\w+)`", row.split("|")[3]))


def test_each_message_that_comes_out_is_in_the_table_with_its_fields() -> None:
    table = PAGE[PAGE.index("## What comes out") : PAGE.index("## What you send")]
    for told in examples("What comes out"):
        row = next(line for line in table.splitlines() if line.startswith(f"| `{told['type']}`"))
        assert set(told) - {"type"} <= set(re.findall(r"`(\w+)`", row))


def test_the_figures_of_the_flow_are_those_in_the_code(settings: Any) -> None:
    table = PAGE[PAGE.index("## Flow") :]
    assert f"{round(flow.PAUSE_AT * flow.STORING_LIMIT):,} bytes" in table
    assert f"{flow.STORING_LIMIT:,} the socket" in table
    assert f"{round(flow.PAUSE_AT * settings.ECHO_MAX_QUEUED)} echoes wait" in table
    assert f"{settings.ECHO_BUFFER:g} s (`ECHO_BUFFER`)" in table


def test_each_code_of_a_refusal_to_speak_is_on_the_page() -> None:
    told = set(re.findall(r"`(\w+)`", PAGE[PAGE.index("## Errors and closes") :]))
    kinds = [kind for kind in vars(refusals).values() if isinstance(kind, type) and issubclass(kind, refusals.Refusal)]
    elsewhere = {"broken_audio", "not_audio", "not_now", "changed_meanwhile", "not_a_second_person"}  # files, edits
    assert {kind.code for kind in kinds} - elsewhere - told == set()
