"""FTS5 keeps its index in pieces: few of them, and merged a little at a time, so that the log's writer never waits."""

from __future__ import annotations

import pytest
from django.db import connection

from echoadmin.log.index.following import advance, catch_up, forget
from echoadmin.log.models import Entry
from echoadmin.log.reader import filtered, read
from echoadmin.log.search import SEARCH, following
from echoadmin.log.search import pieces as merging
from echoadmin.log.writer import append
from tests.integration.log.drafts import draft

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "sqlite", reason="FTS5 alone keeps its index in pieces"),
]
TABLES = ("log_words", "log_facets")


def pieces(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(DISTINCT segid) FROM {table}_idx")
        return int(cursor.fetchone()[0])


def newest() -> int:
    return Entry.objects.latest("id").pk


def found(text: str) -> int:
    return len(read(filtered({"text": text}), limit=1000))


def test_taking_many_out_makes_few_pieces() -> None:
    append([draft(f"cv_{i % 2}", said=f"word{i}") for i in range(40)])
    catch_up(SEARCH, newest())
    forget(SEARCH, [entry.pk for entry in Entry.objects.order_by("id")])
    assert pieces("log_words") <= 4  # one for each entry otherwise, which are many to merge
    assert found("word7") == 0


def test_pieces_are_merged_after_each_transaction_and_not_in_it() -> None:
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"SELECT v FROM {table}_config WHERE k = 'automerge'")
            assert cursor.fetchone() == (0,)
    append([draft(said=f"line {i}") for i in range(95)])
    for _ in range(95):
        assert advance(SEARCH, newest(), batch=1) == 1
    assert max(map(pieces, TABLES)) <= 12
    assert found("line") == 95


def test_after_pruning_large_pieces_are_merged_only_while_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "LARGE", 0)
    monkeypatch.setattr(following, "_tidy_pieces", merging.Tidy())
    SEARCH.tidy("pruning")
    append([draft(said=f"line {i}") for i in range(20)])
    for _ in range(20):
        advance(SEARCH, newest(), batch=1)
    assert [*map(pieces, TABLES)] == [20, 20]
    for _ in range(10):
        assert catch_up(SEARCH, newest()) == 0
    assert max(map(pieces, TABLES)) <= 8
    assert found("line") == 20


def test_a_slow_merge_lets_large_pieces_wait_until_they_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"LARGE": 0, "SLOW": 0, "MANY": 12}.items():
        monkeypatch.setattr(merging, name, value)
    monkeypatch.setattr(following, "_tidy_pieces", merging.Tidy())
    append([draft(said=f"line {i}") for i in range(30)])
    most = 0
    for _ in range(30):
        advance(SEARCH, newest(), batch=1)
        most = max(most, *map(pieces, TABLES))
    assert 10 <= most <= 13


def test_the_pieces_are_read_as_fts5_wrote_them() -> None:
    append([draft(said=f"line {i}") for i in range(3)])
    with connection.cursor() as cursor:
        assert merging.levels(cursor, "log_words") == []
        for _ in range(3):
            advance(SEARCH, newest(), batch=1)
        assert merging.levels(cursor, "log_words") == [merging.Level(0, [1, 1, 1])]


@pytest.mark.parametrize(
    ("levels", "chosen"),
    [
        ([(0, [1, 1, 1])], None),
        ([(0, [1, 1, 1, 1])], 0),
        ([(0, [1, 1]), (0, [9, 9, 9, 9, 9])], 1),
        ([(0, [1, 1]), (4, [9, 9, 9, 9])], 1),
        ([(0, [1, 1, 1, 1, 1]), (4, [9, 9, 9, 9])], 0),
        ([(0, [1]), (4, [9, 9, 9, 9]), (0, [99] * 9)], 1),
    ],
)
def test_the_level_that_fts5_goes_on_with_is_known(levels: list[tuple[int, list[int]]], chosen: int | None) -> None:
    known = [merging.Level(*level) for level in levels]
    assert merging.next_to_merge(known) is (None if chosen is None else known[chosen])
