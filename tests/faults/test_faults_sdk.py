"""Calls of Daily's SDK that never end: a completion that never comes, a leave, a release, a join."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings

from conversations.models import Echo
from conversations.rooms import daily, timing
from conversations.rooms.daily import Link
from tests.faults.asking import Console
from tests.faults.test_faults_daily import still_paid_for
from tests.integration.rooms.driving import InRoom
from tests.integration.rooms.test_rooms_loss import mute, replace_once
from tests.twin_process import ROOT
from tests.waiting import until

REAL = daily.CallClient


# The SDK calls a send complete once it is queued for the socket, so that no server can keep a completion back: here it
# gets lost between the SDK and `Link`.
def test_a_completion_that_never_comes(
    room: InRoom, console: Console, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ECHO_COMPLETION_DEADLINE = 0.3
    send, session = Link.send, room.row.session_id
    mute(room)
    replace_once(monkeypatch, lambda link, message, done: send(link, message, lambda error: None))
    lost = room.say("Did it go?")
    until(lambda: Echo.objects.get().is_final, "it is settled")
    lost.refresh_from_db()
    assert (lost.state, lost.reason) == ("unconfirmed", "completion_missing")
    assert "unconfirmed" in console.page(room.conversation)
    [doubt], [out] = room.until_facts("uncertain"), room.entries(direction="out")
    assert doubt["ranges"] == [[out.n, out.n]]
    until(lambda: room.row.state == "joined" and room.row.session_id != session, "such a room is joined anew")
    room.interrupt()  # the replica still waits for the rest of what the guest began
    room.until_state(room.say("After."), "spoken")
    still_paid_for(room)


class Hanging:
    """A call client of which one call never returns, until the test is over."""

    which = ""
    over = threading.Event()
    held: list[threading.Thread] = []

    def __init__(self, **given: Any) -> None:
        self._real = REAL(**given)

    def __getattr__(self, name: str) -> Any:
        call: Callable[..., Any] = getattr(self._real, name)
        return self._hangs if name == self.which else call

    def _hangs(self, **given: Any) -> None:
        self.held.append(threading.current_thread())
        self.over.wait()
        getattr(self._real, self.which)(**given)


@pytest.fixture(params=["leave", "release"])
def hanging(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No server can have these two hang: the SDK's own calls are held up."""
    Hanging.which, Hanging.over = request.param, threading.Event()
    monkeypatch.setattr(daily, "CallClient", Hanging)
    monkeypatch.setattr(timing, "LEAVE_TIMEOUT", 0.5)
    yield
    Hanging.over.set()
    for thread in Hanging.held:
        thread.join(5)


def test_an_end_of_a_call_that_hangs(hanging: None, room: InRoom, other: InRoom, console: Console) -> None:
    """It is abandoned: no other room waits for it, and this one can be joined again."""
    room.leave()
    assert room.facts("left") == [{"reason": "left"}]
    assert "Join the room first" in console.page(room.conversation)
    other.until_state(other.say("Nobody waits."), "spoken")
    room.join()
    room.until_state(room.say("Here again."), "spoken")
    room.agree()


ENDS = """
import asyncio, sys
from pathlib import Path
from conversations.rooms import daily
from conversations.rooms.events import JoinFailed

async def join():
    link = daily.Link(name="one", proxy_url=sys.argv[1], on_event=print)
    try:
        await link.join(sys.argv[3], "", 1.0)
    except JoinFailed as failure:
        print(failure.kind)

daily.initialise(ca_file=sys.argv[2], bundle_path=Path(sys.argv[4]))
asyncio.run(join())
vars(daily).clear()  # as an ending interpreter does
"""


def test_a_process_whose_join_never_ends_can_end(idle: InRoom, tmp_path: Path) -> None:
    idle.twin.fault("join_hangs", conversation_id=idle.upstream_id)
    twin, url = idle.twin, idle.conversation.conversation_url
    given = [twin.daily_url, twin.ca_file, url, str(tmp_path / "bundle.pem")]
    done = subprocess.run(
        [sys.executable, "-c", ENDS, *given], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    assert "timeout" in done.stdout
