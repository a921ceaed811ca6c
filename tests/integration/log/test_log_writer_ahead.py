"""What the next transaction needs is prepared while PostgreSQL takes in the rows of this one."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from echoadmin.log.models import Entry
from echoadmin.log.verify import verify_stream
from echoadmin.log.writer import Unit, Writer, thread
from tests.integration.log.drafts import draft

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite does not work while Python does"),
]


def test_it_is_prepared_once_and_what_can_not_be_fails_at_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thread, "MAX_ENTRIES", 10)
    asked: list[int] = []
    ahead: list[int] = []
    prepare_next = Writer._prepare_next

    def noted(writer: Writer) -> None:
        prepare_next(writer)
        ahead.append(sum(waiting.ready is not None for waiting in writer._arrivals.next_ones(100)))

    def asked_for() -> Any:
        asked.append(Entry.objects.count())
        return {"number": 17}

    monkeypatch.setattr(Writer, "_prepare_next", noted)
    messages = [{"number": number} for number in range(30)]
    writer = Writer()
    futures = [writer.put(Unit([draft("cv_1", message=message)])) for message in messages]
    bad = writer.put(Unit([draft("cv_1", message={"number": object()})]))
    late = writer.put(Unit([draft("cv_1", message=asked_for)]))
    writer.start()
    try:
        assert [future.result(10)[0].n for future in futures] == [*range(1, 31)]
        assert late.result(10)[0].n == 31
        with pytest.raises(TypeError, match="has no form in JSON"):
            bad.result(10)
    finally:
        writer.stop()
    assert ahead[:3] == [10, 10, 0], "neither what can't be nor what names entries whose numbers are not known yet"
    assert asked == [30], "a message that names earlier entries is asked for when they are there"
    assert verify_stream("cv_1") is None
