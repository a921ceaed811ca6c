"""Entries that web requests and commands store at once."""

from __future__ import annotations

import pytest
from django.db import connection, transaction

from echoadmin.log.models import EntriesAreFinal, Entry, EntryBody, Stream
from echoadmin.log.rebuild import message
from echoadmin.log.verify import verify_stream
from echoadmin.log.writer import append, on_append, open_stream
from tests.integration.log.drafts import draft


@pytest.mark.django_db
def test_appended_entries_are_there_and_numbered_in_their_streams() -> None:
    written = append([draft("cv_1"), draft("account"), draft("cv_1")])
    assert [(one.stream, one.n) for one in written] == [("cv_1", 1), ("account", 1), ("cv_1", 2)]
    assert append([]) == []
    assert Entry.objects.count() == 3


@pytest.mark.django_db
def test_what_an_open_transaction_takes_back_leaves_no_gap() -> None:
    append([draft("cv_1")])
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        append([draft("cv_1"), draft("cv_new")])
        raise ZeroDivisionError
    assert append([draft("cv_1")])[0].n == 2
    assert not Stream.objects.filter(public_id="cv_new").exists()
    assert verify_stream("cv_1") is None


@pytest.mark.django_db(transaction=True)
def test_the_bell_rings_after_the_commit_and_not_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[set[str]] = []
    monkeypatch.setattr("echoadmin.log.writer.at_once._bells", [])
    on_append(rung.append)
    with transaction.atomic():
        append([draft("cv_1"), draft("account")])
        assert rung == []
    assert rung == [{"cv_1", "account"}]
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        append([draft("cv_2")])
        raise ZeroDivisionError
    assert len(rung) == 1


@pytest.mark.django_db
def test_a_body_of_over_256_kb_lies_beside_its_entry_and_reads_back() -> None:
    large = {"text": "é" * 300_000}
    append([draft("cv_1", message=large), draft("cv_1", message={"small": 1})])
    first, second = Entry.objects.order_by("n")
    assert (first.body, second.body) == (None, '{"small":1}')
    assert EntryBody.objects.get().n == 1
    assert message(first) == large
    assert verify_stream("cv_1") is None


@pytest.mark.django_db
def test_nothing_but_the_writer_can_write_entries() -> None:
    append([draft("cv_1")])
    entry = Entry.objects.get()
    for attempt in (
        entry.save,
        entry.delete,
        lambda: Entry.objects.create(n=2),
        lambda: Entry.objects.filter(n=1).update(said="x"),
        lambda: Entry.objects.all().delete(),
        lambda: Entry.objects.bulk_create([Entry()]),
        lambda: Entry.objects.bulk_update([entry], ["said"]),
    ):
        with pytest.raises(EntriesAreFinal, match=r"echoadmin\.log\.writer"):
            attempt()
    entry.refresh_from_db()
    assert entry.said is None


@pytest.mark.django_db
def test_a_stream_is_opened_once_and_starts_empty() -> None:
    open_stream("cv_1")
    open_stream("cv_1")
    stream = Stream.objects.get()
    assert (stream.last_n, bytes(stream.last_digest)) == (0, bytes(32))
    assert verify_stream("cv_1") is None


@pytest.mark.django_db
def test_no_foreign_key_binds_the_log() -> None:
    with connection.cursor() as cursor:
        for table in ("log_entry", "log_entrybody", "log_clip", "log_clippart", "log_stream"):
            found = connection.introspection.get_constraints(cursor, table)
            assert [name for name, one in found.items() if one["foreign_key"]] == []
