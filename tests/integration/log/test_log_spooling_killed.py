"""A writer's process killed at any moment: what was durable is in the log once, in its order."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection

from echoadmin.log import reader
from echoadmin.log.models import Entry, Spool
from echoadmin.log.verify import verify_stream
from echoadmin.log.writer import Folder, Unit, Writer
from tests.outage import database_away
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[3]
STREAMS = ("cv_0", "cv_1", "cv_2")


class Child:
    """The process, and what it said was durable."""

    def __init__(self, folder: Path, first: int) -> None:
        self.durable: list[int] = []
        command = [sys.executable, "-m", "tests.integration.log.spooling_writer"]
        self._process = subprocess.Popen(
            [*command, str(connection.settings_dict["NAME"]), str(folder), str(first)],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.endswith("\n"):
                self.durable.append(int(line))

    def kill(self) -> None:
        """Without a word."""
        self._process.kill()
        self._process.wait()
        self._reader.join(10)


@contextmanager
def running(folder: Path, first: int) -> Iterator[Child]:
    child = Child(folder, first)
    try:
        yield child
    finally:
        child.kill()


def take_in(folder: Path) -> None:
    """What the next process does at its start."""
    writer = Writer(spool=Folder(folder, "next", "ours", 2**26))
    writer.start()
    writer.put(Unit([], guard=lambda _: True)).result(60)
    writer.stop()


def logged(stream: str) -> list[int]:
    rows = list(Entry.objects.filter(stream__public_id=stream, kind="app_message").order_by("n"))
    return [message["number"] for message in reader.messages(rows)]


def all_is_there_once(durable: list[int]) -> None:
    found = {stream: logged(stream) for stream in STREAMS}
    for index, stream in enumerate(STREAMS):
        assert found[stream] == sorted(set(found[stream])), f"{stream} has something twice, or out of order"
        missing = {number for number in durable if number % 3 == index} - set(found[stream])
        assert not missing, f"{stream} lacks {len(missing)} that were durable"
        assert verify_stream(stream) is None


def test_killed_without_its_database_nothing_that_was_durable_is_lost_or_doubled(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    with running(folder, 0) as child:
        until(lambda: len(child.durable) > 100, "it writes")
        with database_away():
            before = len(child.durable)
            until(lambda: len(child.durable) > before + 300, "it goes on without its database")
            child.kill()
    assert len(list(folder.iterdir())) == 1
    take_in(folder)
    all_is_there_once(child.durable)
    assert list(folder.iterdir()) == []
    assert not Spool.objects.exists()


@pytest.mark.timeout(240)
def test_killed_while_its_spool_is_taken_in_again_and_again_each_entry_is_there_once(tmp_path: Path) -> None:
    folder, chance = tmp_path / "spool", random.Random(7)
    durable: list[int] = []
    for _ in range(6):
        with running(folder, (durable[-1] + 1_000_000) // 3 * 3 if durable else 0) as child:
            until(lambda: len(child.durable) > 20, "it writes")
            with database_away():
                before = len(child.durable)
                until(lambda: len(child.durable) > before + 200, "it goes on without its database")  # noqa: B023
            goal = len(child.durable) + chance.randrange(80)
            until(lambda: len(child.durable) > goal, "it goes on")  # noqa: B023 - a moment of its own each time
            child.kill()
        durable += child.durable
    take_in(folder)
    all_is_there_once(durable)
    assert list(folder.iterdir()) == []
