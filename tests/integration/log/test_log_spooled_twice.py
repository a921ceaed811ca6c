"""A worker that stood still, or was cut off, goes on hearing a room that is another's: that one's entries count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from echoadmin.log import reader
from echoadmin.log.models import Entry
from echoadmin.log.writer import Folder, Unit, Writer, append
from echoadmin.log.writer.records import encode
from tests.integration.log.drafts import draft

pytestmark = pytest.mark.django_db(transaction=True)
JOINED = datetime(2026, 11, 26, 15, 28, 36, tzinfo=UTC)  # when the successor was in the room


def heard(number: int, epoch: int, after: float, **more: Any) -> Any:
    columns = {"message": {"number": number}, "epoch": epoch, "at": JOINED + timedelta(seconds=after), **more}
    return draft("cv_1", **columns)


def numbers() -> list[int]:
    rows = Entry.objects.filter(stream__public_id="cv_1", kind="app_message").order_by("n")
    return [message["number"] for message in reader.messages(list(rows))]


def test_what_the_successor_heard_too_is_not_taken_out_of_a_spool_a_second_time(tmp_path: Path) -> None:
    joined = draft("cv_1", kind="room", event_type="joined", direction=None, epoch=5, at=JOINED, message={})
    append([heard(1, 4, -9), heard(3, 5, -0.02), joined, heard(4, 5, 1)])
    folder = Folder(tmp_path / "spool", "w-1", "ours", 2**20)
    spool = folder.new()
    mine = [heard(2, 4, -5), heard(3, 4, -0.01), heard(4, 4, 1), heard(5, 4, 2, direction="out")]
    spool.add([encode([one]) for one in [*mine, heard(6, 6, 3)]])
    spool.close()
    writer = Writer(spool=folder)
    writer.start()
    try:
        writer.put(Unit([heard(7, 6, 9)])).result(30)
    finally:
        writer.stop()
    assert numbers() == [1, 3, 4, 2, 5, 6, 7]
