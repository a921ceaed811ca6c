"""The log under faults: a database that is away in each of its ways, a disk that is full, and whatever a replica sends.

The database is a PostgreSQL of its own, so that it can be stopped, made to stand still, and spared; the console is a
real process with its rooms inside. (That SQLite's lock is another's for seconds: tests/integration/rooms.)
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client

from conversations.rooms.gauges import shown
from conversations.rooms.worker import RunningWorker
from echoadmin.log import reader
from echoadmin.log.models import Entry
from echoadmin.log.writer import thread
from tests.acceptance.chaos.postgresql import PostgreSQL
from tests.faults.own_console import NUMBERED, OwnConsole
from tests.integration.rooms.driving import InRoom
from tests.integration.rooms.test_rooms_any_message import nested
from tests.loop_thread import LoopThread
from tests.outage import database_away
from tests.twin_process import TwinProcess
from tests.waiting import until

# --- the database away ---


@dataclass(frozen=True)
class Away:
    """One row: how the database goes, how it comes back, and what else happens in between."""

    goes: Callable[[PostgreSQL], None]
    comes: Callable[[PostgreSQL], None]
    says: bool = True  # whether the console's probe can tell meanwhile: it asks the database, too
    killed: bool = False  # the console's process, while the database is away


AWAY = {
    "refused": Away(lambda server: server.stop("fast"), PostgreSQL.start),
    "crashed": Away(lambda server: server.stop("immediate"), PostgreSQL.start),
    "hanging": Away(PostgreSQL.freeze, PostgreSQL.thaw, says=False),
    "read-only": Away(lambda server: server.read_only(True), lambda server: server.read_only(False)),
    "refused-and-killed-in-between": Away(lambda server: server.stop("fast"), PostgreSQL.start, killed=True),
    "hanging-and-killed-in-between": Away(PostgreSQL.freeze, PostgreSQL.thaw, says=False, killed=True),
}
TAKES = ("hanging", "hanging-and-killed-in-between", "refused-and-killed-in-between")


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    try:  # not in pytest's folder: the server's user can't enter that
        made = PostgreSQL(Path(tempfile.gettempdir()) / f"faults-{os.getpid()}")
    except FileNotFoundError as missing:
        pytest.skip(str(missing))
    made.create()
    yield made
    if made.runs:
        made.thaw()
        made.stop("immediate")
    shutil.rmtree(made.folder)


@pytest.fixture(scope="module")
def own(
    server: PostgreSQL, session_twin: TwinProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OwnConsole]:
    made = OwnConsole(tmp_path_factory.mktemp("console"), session_twin, DATABASE_URL=server.url)
    yield made
    made.end()


@pytest.mark.own_database
@pytest.mark.xdist_group("own PostgreSQL")
@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    "row", [pytest.param(row, id=name, marks=[pytest.mark.slow_fault] * (name in TAKES)) for name, row in AWAY.items()]
)
def test_a_database_that_is_away(own: OwnConsole, server: PostgreSQL, row: Away) -> None:
    """What is heard meanwhile lies in the spool, and is in the log afterwards: in order, once, and told as spooled."""
    own.hears(5)
    until(own.all_heard, "the log is written")
    before = len(own.facts("spooled"))
    row.goes(server)
    own.hears(40)
    until(own.is_spooled, "all of it is on the disk")
    if row.says:
        told = own.call.http.get(f"{own.console.url}/readyz")
        assert told.status_code == 503
        assert "the log can't be written" in told.json()["parts"]["worker"]
    own.hears(60)  # for over a second: a moment's wait is told nowhere
    until(own.is_spooled, "all of it is on the disk")
    if row.killed:
        own.console.kill()
    row.comes(server)
    if row.killed:
        own.start_again()
    own.hears(5)
    until(own.all_heard, "all of it is in the log, once and in order", 40)
    until(lambda: len(own.facts("spooled")) > before, "it is told as what it is")
    assert own.facts("spooled")[-1]["count"] >= 90
    assert not list((own.data / "spool").glob("*.spool")), "nothing is left of the spool"
    assert own.call.until_final(own.call.say("After."))["state"] == "spoken"
    own.call.agree()
    assert own.call.ask("GET", f"conversations/{own.call.id}/")["status"] == "active"


# --- a full disk, and a spool at its limit ---


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder `spool` on a disk of 256 KB."""
    folder = tmp_path / "spool"
    folder.mkdir()
    mounting = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounting.returncode:
        pytest.skip(f"nobody may mount a small disk here: {mounting.stderr.strip()}")
    yield tmp_path
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(params=["full-disk", "spool-at-its-limit"])
def no_room(
    request: pytest.FixtureRequest, twin: TwinProcess, settings: LazySettings, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> str:  # fmt: skip
    """What the next worker's spool runs into; in memory wait fewer than in life. Returns the words for it."""
    settings.WORKER_LEASE = 30.0  # nothing leaves in a lease's last sixth
    monkeypatch.setattr(thread, "MAX_WAITING", 50)
    if request.param == "full-disk":
        settings.DATA = request.getfixturevalue("small_disk")
        return "No space left on device"
    settings.DATA, settings.LOG_SPOOL_MB = tmp_path, 0.25
    return "the spool is full (0.25 MB, LOG_SPOOL_MB)"


def test_what_finds_no_room_is_loud_and_counted_exactly(
    no_room: str, room: InRoom, worker: RunningWorker, client: Client, loop_thread: LoopThread
) -> None:
    def gauge(name: str) -> float:
        lines = client.get("/metrics").content.decode().splitlines()
        return next((float(line.split()[-1]) for line in lines if line.startswith(name + "{")), -1.0)

    def full() -> bool:
        flood(room)
        return no_room in str(worker.writer.trouble) and worker.writer.lost > 20

    room.agree()  # what came since it was joined is in the log
    before, session = not_logged(room), room.row.session_id
    with ExitStack() as ending:
        ending.enter_context(shown(worker))
        with database_away():
            until(full, "neither disk nor memory takes more")
            loop_thread.call(worker.keeper.rooms[room.conversation.pk].wake)  # what is to be claimed waits, too
            ready = client.get("/readyz")
            assert ready.status_code == 503
            assert no_room in ready.json()["parts"]["worker"]
            assert "entries are lost" in ready.json()["parts"]["worker"]
            assert gauge("echoadmin_log_lost") > 20
    [gap] = until(lambda: told("gap", conversation_ref=None), "it is told")
    [dropped] = room.facts("dropped")
    assert (gap["reason"], dropped["reason"]) == ("spool_full", "spool_full")
    assert gap["streams"] == {room.conversation.public_id: dropped["count"]}
    room.until_state(room.say("After."), "spoken")
    assert room.row.session_id == session, "the room is not lost for that"
    until(lambda: not_logged(room) - before == dropped["count"] == worker.writer.lost, "it is counted exactly")
    logged = [message["number"] for message in reader.messages(room.entries(event_type="fault.flood"))]
    assert logged == sorted(set(logged))


def not_logged(room: InRoom) -> int:
    """How many messages the replica sent that are not in the log: before the console joined, and lost ones."""
    sent = [row for row in room.record() if not row["from_name"].startswith("echoadmin/")]
    return len(sent) - len(room.entries(kind="app_message", direction="in"))


def flood(room: InRoom) -> bool:
    """Twenty more messages of 4 KB."""
    start = len(room.record())
    for number in range(start, start + 20):
        message = {"event_type": "fault.flood", "number": number, "more": "x" * 4096}
        room.twin.post(f"/twin/rooms/{room.upstream_id}/messages", message)
    return True


def told(event_type: str, **columns: Any) -> list[Any]:
    return reader.messages(list(Entry.objects.filter(kind="room", event_type=event_type, **columns).order_by("id")))


# --- whatever the replica sends ---

MESSAGES: dict[str, list[Any]] = {
    "strings-instead-of-objects": ["a word", "", 5, None, True, [], ["conversation.echo"], 1.5],
    "strings-inside": [{"properties": "none", "event_type": 7, "message_type": [], "seq": "8", "conversation_id": {}}],
    "nesting-to-120": [nested(120), {"event_type": "conversation.utterance", "properties": nested(118)}],
    "nul": ["\0", {"event_type": "\0", "properties": {"speech": "\0" * 1000, "role": "replica"}}],
    "huge-numbers": [10**40, -(10**40), 1e308, {"seq": 2**63, "turn_idx": -(2**80), "properties": {"duration": 1e308}}],
    "64-kb": [{"event_type": "conversation.utterance", "properties": {"speech": "x" * 65_536}}, "y" * 65_536],
}


@pytest.mark.parametrize("messages", MESSAGES.values(), ids=MESSAGES)
def test_whatever_the_replica_sends_is_in_the_log_and_disturbs_nothing(room: InRoom, messages: list[Any]) -> None:
    for message in messages:
        room.twin.post(f"/twin/rooms/{room.upstream_id}/messages", message)
    room.until_state(room.say("All the same."), "spoken")
    room.agree()
    assert not room.facts("dropped") and not room.facts("lost")


@pytest.mark.own_database
@pytest.mark.slow_fault
@pytest.mark.timeout(180)
def test_a_flood_of_long_messages_takes_bounded_memory_and_none_is_lost(
    session_twin: TwinProcess, tmp_path: Path
) -> None:
    """200 messages a second of 64 KB for 10 s, into a console process of its own, on SQLite."""
    own = OwnConsole(tmp_path / "console", session_twin)
    chatter = f"/twin/rooms/{own.call.upstream_id}/chatter"
    with ExitStack() as ending:
        ending.callback(own.end)
        before = resident(own, "VmRSS")
        session_twin.request("PUT", chatter, {"per_second": 200, "characters": 65_536})
        until(lambda: len(numbers(own, "conversation.chatter")) >= 2000, "so many are in the log", 90)
        session_twin.request("PUT", chatter, {"per_second": 0})
        own.hears(1)
        until(lambda: numbers(own, NUMBERED), "what came after them is in the log", 60)
        logged = numbers(own, "conversation.chatter")
        assert logged == [*range(1, len(logged) + 1)]
        assert resident(own, "VmHWM") - before < 300_000, "KB: less than a tenth of what the inbox may hold of these"
        assert own.call.until_final(own.call.say("After."))["state"] == "spoken"


def resident(own: OwnConsole, line: str) -> int:
    """KB of the console's memory: VmRSS now, VmHWM at most so far."""
    status = Path(f"/proc/{own.console.pid}/status").read_text()
    return int(next(one.split()[1] for one in status.splitlines() if one.startswith(line)))


def numbers(own: OwnConsole, event_type: str) -> list[int]:
    """Of the numbered messages of a type, those in the log, by its database itself: their words are long."""
    number = "coalesce(json_extract(body, '$.number'), json_extract(body, '$.properties.number'))"
    with closing(sqlite3.connect(f"file:{own.data}/sandbox.sqlite3?mode=ro", uri=True)) as database:
        rows = database.execute(f"SELECT {number} FROM log_entry WHERE event_type = ? ORDER BY id", [event_type])
        return [row[0] for row in rows]


# What the SDK itself drops, counted from its stderr: the process's own, which pytest has taken here.
@pytest.mark.own_database
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "message", [{"deep": nested(200)}, {"surrogate": "\ud800"}], ids=["nesting-to-200", "a-lone-surrogate"]
)
def test_what_the_sdk_can_not_read_is_counted(embedded: OwnConsole, message: Any) -> None:
    before = len(embedded.facts("dropped"))
    address = f"{embedded.twin.url}/twin/rooms/{embedded.call.upstream_id}/messages"
    embedded.call.http.post(address, content=json.dumps(message)).raise_for_status()
    embedded.hears(1)
    until(lambda: len(embedded.facts("dropped")) == before + 1, "it is counted")
    assert embedded.facts("dropped")[-1] == {"count": 1, "reason": "unreadable"}
    until(embedded.all_heard, "the next is in the log")


@pytest.fixture(scope="module")
def embedded(session_twin: TwinProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnConsole]:
    """A console on SQLite."""
    made = OwnConsole(tmp_path_factory.mktemp("embedded"), session_twin)
    yield made
    made.end()
