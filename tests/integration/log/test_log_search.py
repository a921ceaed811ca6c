"""Searching the log: the same answers on both databases, behind the writer, beside the filters, page by page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from echoadmin.log.chain import instant
from echoadmin.log.index.following import advance, catch_up, forget, lag, remember, start_again
from echoadmin.log.index.models import Progress
from echoadmin.log.models import Entry
from echoadmin.log.proof.triggers import lifted
from echoadmin.log.reader import CursorError, FilterError, filtered, page, read, tail, tail_all
from echoadmin.log.search import SEARCH, indexed_up_to, postgresql
from echoadmin.log.writer import append
from tests.integration.log.drafts import draft

pytestmark = pytest.mark.django_db


def said(words: str, stream: str = "cv_1", **columns: Any) -> Any:
    return draft(stream, **{"said": words, "message": {"properties": {"speech": words}}, **columns})


def newest() -> int:
    return Entry.objects.order_by("-id").values_list("id", flat=True).first() or 0


def index() -> None:
    catch_up(SEARCH, newest())


def found(text: str, **filters: Any) -> list[str | None]:
    """What was said in the entries that are found, oldest first; read both ways and by the plain SQL, to be sure."""
    entries = filtered({"text": text, **filters})
    rows = read(entries, limit=1000, newest_first=False)
    assert read(entries, limit=1000)[::-1] == rows
    assert list(entries.order_by("id")) == rows, "the queryset on its own finds the same"
    return [row.said for row in rows]


LINES = (
    "Around the world, around the world",
    "One more time, we're gonna celebrate",
    "Harder, better, faster, stronger",
    "Café del Mar: the world is a stage",
    "東京タワーに行きます",
)


@pytest.fixture
def lines(db: None) -> None:
    append([said(line, f"cv_{i % 2}", sender="ab"[i % 2]) for i, line in enumerate(LINES)])
    append([draft(message={"status": 404, "name": "Get Weather", "ok": True, "properties": {"audio": "AAAA"}})])
    index()


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("world", [0, 3]),
        ("WORLD around", [0]),
        ('"the world"', [0, 3]),
        ('"world around"', [0]),
        ('"around world"', []),
        ("cafe", [3]),
        ("CAFÉ", [3]),
        ("cel*", [1]),
        ("st*", [2, 3]),
        ('"harder bet*"', [2]),
        ("we're", [1]),
        ("re", [1]),
        ('"re we"', []),
        ("東京", [4]),
        ("京東", []),
        ("wor", []),
        ("speech:x", []),
        ("world sender:b", [3]),
        ("audio:AAAA", []),
    ],
)
def test_words_phrases_and_beginnings_are_found(lines: None, text: str, hits: list[int]) -> None:
    assert found(text) == [LINES[i] for i in hits]


@pytest.mark.parametrize(
    ("text", "is_hit"),
    [
        ("status:404", True),
        ('name:"get weather"', True),
        ("ok:true status:404", True),
        ("name:get", False),
        ("404", False),
        ("status:40", False),
    ],
)
def test_values_in_messages_are_found_by_their_fields(lines: None, text: str, is_hit: bool) -> None:
    assert found(text) == ([None] if is_hit else [])


@pytest.mark.parametrize(
    ("filters", "hits"),
    [
        ({"sender": "a"}, [0]),
        ({"sender": "A"}, []),
        ({"conversation": "cv_1"}, [3]),
        ({"conversation": "cv_1", "sender": "b", "kind": "app_message"}, [3]),
        ({"conversation": "cv_none"}, []),
        ({"is_error": "false"}, [0, 3]),
        ({"is_error": "true"}, []),
        ({"direction": "out"}, []),
    ],
)
def test_filters_stand_beside_the_words(lines: None, filters: dict[str, str], hits: list[int]) -> None:
    assert found("world", **filters) == [LINES[i] for i in hits]


@pytest.mark.parametrize(
    "text",
    [
        *("'); DROP TABLE log_entry; --", "q' | 'b", "q OR b", "NOT q", "said:q", "{said} : q", "^q", "q NEAR b"),
        *("q & !b", "q <-> b", "q:*", "\\", "'", "q\\'b", "%q%", "(q", 'q" "b', "*q", "-q", "q:b:c", "💥 q"),
    ],
)
def test_nothing_that_is_typed_reaches_the_databases_own_query_language(lines: None, text: str) -> None:
    try:
        assert found(text) == []
    except FilterError as refusal:
        assert "text" in refusal.fields
    assert len(found("world")) == 2


@pytest.mark.parametrize(
    ("text", "told"), [('"a', "not closed"), ("x" * 10_240, "10,240 characters"), ("!", "no word"), ("a*", "letters")]
)
def test_a_query_that_can_not_be_is_refused_by_name(db: None, text: str, told: str) -> None:
    with pytest.raises(FilterError, match=told) as refusal:
        filtered({"text": text})
    assert list(refusal.value.fields) == ["text"]


@pytest.mark.parametrize("params", [{}, {"sender": "a"}, {"conversation": "cv_1"}, {"at_after": "2020-01-01T00:00Z"}])
@pytest.mark.parametrize("newest_first", [True, False])
def test_pages_of_hits_hold_each_once_in_order_and_lead_back_again(params: dict[str, str], newest_first: bool) -> None:
    append(
        [said("yes" if i % 3 else "no", f"cv_{i % 2}", sender="aAb"[i % 5 % 3]) for i in range(90)]
    )  # A is no a, but the index takes them for the same
    index()
    wanted = [row.pk for row in Entry.objects.order_by("id") if row.said == "yes" and fits(row, params)]
    assert len(wanted) > 15
    if not newest_first:
        wanted.reverse()
    params = {"text": "yes", **params}
    pages = [page(filtered(params), limit=4, newest_first=newest_first)]
    while pages[-1].next:
        pages.append(page(filtered(params), pages[-1].next, limit=4, newest_first=newest_first))
    assert [row.pk for each in pages for row in each.rows] == wanted[::-1]
    back = [pages[-1]]
    while back[-1].previous:
        back.append(page(filtered(params), back[-1].previous, limit=4, newest_first=newest_first))
    assert [row.pk for each in reversed(back) for row in each.rows] == wanted[::-1]
    with pytest.raises(CursorError, match="another filter"):
        page(filtered({**params, "text": "no"}), pages[0].next)


def fits(row: Entry, params: dict[str, str]) -> bool:
    return params.get("sender", row.sender) == row.sender and params.get("conversation") in (None, row.conversation_ref)


def test_a_time_range_stands_beside_the_words() -> None:
    start = datetime.now(UTC) - timedelta(seconds=4)
    append([said(f"word {i}", at=start + timedelta(milliseconds=i)) for i in range(40)])
    index()
    span = {
        "at_after": instant(start + timedelta(milliseconds=10)),
        "at_before": instant(start + timedelta(milliseconds=20)),
    }
    assert found("word", **span) == [f"word {i}" for i in range(10, 20)]
    assert found("word 15", **span) == ["word 15"]


def test_what_is_not_indexed_yet_is_not_found_and_the_lag_tells(lines: None) -> None:
    assert (lag("search").entries, lag("search").seconds) == (0, 0.0)
    append([said("a new world", at=datetime.now(UTC) - timedelta(seconds=3))])
    assert len(found_ids("world")) == 2
    assert lag("search").entries == 1
    assert 3 <= lag("search").seconds < 60
    index()
    assert len(found("world")) == 3


def found_ids(text: str, **filters: Any) -> list[int]:
    return [row.pk for row in read(filtered({"text": text, **filters}), limit=1000)]


def test_the_tail_of_a_search_follows_the_index_and_misses_nothing() -> None:
    append([said("old world")])
    index()
    place = tail_all(None, {"text": "world"}, head=newest)
    append([said("new world"), said("new moon")])
    place = tail_all(place.cursor, {"text": "world"}, head=newest)
    assert (place.rows, place.caught_up) == ([], True)
    index()
    place = tail_all(place.cursor, {"text": "world"}, head=newest)
    assert [row.said for row in place.rows] == ["new world"]
    assert [row.said for row in tail("cv_1", 0, text="world")] == ["old world", "new world"]
    assert [row.said for row in tail("cv_1", 1, text="world")] == ["new world"]
    assert tail("cv_2", 0, text="world") == []


def test_each_entry_is_taken_in_once_whatever_the_batches() -> None:
    append([said(f"w{i}") for i in range(25)])
    ids = list(Entry.objects.order_by("id").values_list("id", flat=True))
    assert [advance(SEARCH, ids[19], batch=8) for _ in range(4)] == [8, 8, 4, 0]
    assert indexed_up_to() == ids[19]
    assert advance(SEARCH, ids[-1], batch=100) == 5
    assert all(len(found(f"w{i}")) == 1 for i in range(25))


def test_entries_that_are_erased_or_pruned_are_taken_out_and_put_in_as_they_are_then(lines: None) -> None:
    world, *_ = found_ids("world")
    ids = list(Entry.objects.filter(said__isnull=False).order_by("id").values_list("id", flat=True))
    erased, deleted = ids[0], ids[2]
    before = Progress.objects.get(name="search").changes
    forget(SEARCH, [erased, deleted])
    with lifted("erase"), connection.cursor() as cursor:
        cursor.execute("UPDATE log_entry SET said = NULL, body = NULL WHERE id = %s", [erased])
    with lifted("prune"), connection.cursor() as cursor:
        cursor.execute("DELETE FROM log_entry WHERE id = %s", [deleted])
    remember(SEARCH, [erased, deleted])
    assert Progress.objects.get(name="search").changes > before
    assert found("around") == found("harder") == []
    assert found_ids("world") == [world]
    assert erased in found_ids("sender:a event_type:conversation.utterance")
    assert raw("around") == raw("harder") == []


def raw(word: str) -> list[int]:
    """What the index itself has, whatever the entries say."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT id FROM log_words WHERE said @@ %s::tsquery", [f"'{word}'"])
        else:
            cursor.execute("SELECT -rowid FROM log_words WHERE log_words MATCH %s", [f'said : "{word}"'])
        return [row[0] for row in cursor.fetchall()]


def test_who_takes_entries_out_while_a_batch_is_being_read_is_not_undone_by_it(
    lines: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    append([said("secret words")])
    secret = newest()
    read_once = SEARCH.read
    times: list[int] = []

    def read_and_be_late(rows: Any) -> Any:
        made = read_once(rows)
        if not times:  # between reading and storing, the entry is erased
            times.append(1)
            forget(SEARCH, [secret])
            with lifted("erase"), connection.cursor() as cursor:
                cursor.execute("UPDATE log_entry SET said = NULL, body = NULL WHERE id = %s", [secret])
            remember(SEARCH, [secret])
        return made

    slow = type(SEARCH)(SEARCH.name, SEARCH.columns, read_and_be_late, SEARCH.store, SEARCH.forget, SEARCH.empty)
    assert advance(slow, secret) == 1
    assert raw("secret") == []
    assert raw("world") != []


def test_the_index_made_again_is_the_same(lines: None) -> None:
    before = [found_ids(text) for text in ("world", "st*", "status:404", '"the world"')]
    start_again(SEARCH)
    assert found_ids("world") == []
    index()
    assert [found_ids(text) for text in ("world", "st*", "status:404", '"the world"')] == before


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite needs but one way")
@pytest.mark.parametrize(("every", "ways"), [(2, 1), (30, 3), (199, 3)])
def test_the_newest_rows_are_looked_at_first_and_the_index_is_asked_for_what_is_rare(
    monkeypatch: pytest.MonkeyPatch, every: int, ways: int
) -> None:
    monkeypatch.setattr(postgresql, "PROBE", 50)
    monkeypatch.setattr(postgresql, "LONGEST_PROBE", 400)
    append([said("rare" if i % every == 0 else "common") for i in range(600)])
    index()
    wanted = [row.pk for row in Entry.objects.order_by("id") if row.said == "rare"]
    with CaptureQueriesContext(connection) as queries:
        rows = read(filtered({"text": "rare"}), limit=20)
    assert [row.pk for row in rows] == wanted[::-1][:20]
    looks = [query for query in queries if "FROM log_words" in query["sql"]]
    assert (len(looks) > 1) is (ways > 1), [look["sql"] for look in looks]
    rows = read(filtered({"text": "rare"}), limit=20, newest_first=False)
    assert [row.pk for row in rows] == wanted[:20]
    assert all(one.pk < two.pk for one, two in pairwise(rows))
