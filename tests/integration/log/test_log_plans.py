"""How the databases get at a page: never by looking through the log, never by sorting more than a page.

The plans are those of the very statements that a page runs. PostgreSQL scans a table as small as this one, so it is
asked what it would do if it could not.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from echoadmin.log import reader
from echoadmin.log.chain import instant
from echoadmin.log.histogram import histogram
from echoadmin.log.index.following import catch_up
from echoadmin.log.index.rolls import ROLLS
from echoadmin.log.models import Entry
from echoadmin.log.reader import filtered, page, tail, tail_all
from echoadmin.log.search import SEARCH
from echoadmin.log.writer import append
from tests.integration.log.drafts import draft
from tests.integration.log.tampering import tamper

pytestmark = pytest.mark.django_db
START = datetime.now(UTC) - timedelta(hours=3)
FILTERS: dict[str, str] = {
    "conversation": "cv_1",
    "persona": "pe_1",
    "kind": "app_message",
    "family": "utterance",
    "event_type": "conversation.utterance",
    "direction": "in",
    "sender": "s",
    "actor": "ann",
    "api_key": "key_1",
    "inference_id": "i",
    "echo": "7",
    "is_error": "true",
    "text": "hello",
    "at_after": instant(START + timedelta(minutes=10)),
    "at_before": instant(START + timedelta(minutes=40)),
}


@pytest.fixture
def entries(db: None) -> None:
    columns: dict[str, Any] = {"persona_ref": "pe_1", "sender": "s", "actor": "ann", "api_key_ref": "key_1"}
    columns |= {"inference_id": "i", "echo_id": 7, "is_error": True, "said": "hello world"}
    append(
        [
            draft(f"cv_{i % 2}", at=START + timedelta(minutes=i), **(columns if i % 3 else {"said": "hello"}))
            for i in range(120)
        ]
    )
    tamper("UPDATE log_entry SET late = %s", False)
    newest = Entry.objects.order_by("-id").values_list("id", flat=True)[0]
    catch_up(SEARCH, newest)
    catch_up(ROLLS, newest)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("ANALYZE log_entry")
            cursor.execute("SET LOCAL enable_seqscan = off")
            # Of so few rows, sorting all that one index gives is quicker than going by their order. It may not be.
            cursor.execute("SET LOCAL enable_sort = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")


def plans_of(work: Any) -> list[tuple[str, str]]:
    """(statement, plan) of every SELECT that `work` runs on the log's tables."""
    with CaptureQueriesContext(connection) as queries:
        work()
    found = []
    for query in queries:
        sql = query["sql"]
        if sql.lstrip().startswith("SELECT") and "log_" in sql:
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN {'QUERY PLAN ' if connection.vendor == 'sqlite' else ''}{sql}")
                found.append((sql, "\n".join(str(row[-1]) for row in cursor.fetchall())))
    assert found
    return found


def check(work: Any) -> None:
    for sql, plan in plans_of(work):
        told = f"{sql}\n{plan}"
        few = re.search(r'"id" (IN|=) \(|"id" = ANY|log_facets|log_words', sql) is not None  # a page's ids, at most
        if connection.vendor == "sqlite":
            # Without a filter the log is read in the order of its ids: that is no looking through.
            walks = "WHERE" not in sql or re.search(r'WHERE "log_entry"."id" [<>]=? \d+ ORDER BY', sql)
            assert walks or not re.search(r"SCAN (TABLE )?log_(entry|roll|mark)\b(?! USING (COVERING )?INDEX)", plan), (
                told
            )
            assert few or "log_roll" in sql or "TEMP B-TREE" not in plan, told
        else:
            assert not re.search(r"Seq Scan on log_(entry|roll|mark|words|facets)", plan), told
            assert few or "log_roll" in sql or "Sort" not in plan, told


@pytest.mark.parametrize("name", [name for name in FILTERS if not name.startswith("at_")])
@pytest.mark.parametrize("newest_first", [True, False])
def test_a_page_of_one_filter_is_read_in_order_from_an_index(entries: None, name: str, newest_first: bool) -> None:
    wanted = {name: FILTERS[name]}
    first = page(filtered(wanted), limit=5, newest_first=newest_first)
    assert first.next
    check(lambda: page(filtered(wanted), limit=5, newest_first=newest_first))
    check(lambda: page(filtered(wanted), first.next, limit=5, newest_first=newest_first))


@pytest.mark.parametrize("names", list(combinations([name for name in FILTERS if not name.startswith("at_")], 2)))
def test_no_pair_of_filters_looks_through_the_log(entries: None, names: tuple[str, str]) -> None:
    wanted = {name: FILTERS[name] for name in names}
    assert page(filtered(wanted), limit=5).rows
    check(lambda: page(filtered(wanted), limit=5))


@pytest.mark.parametrize("name", [name for name in FILTERS if not name.startswith("at_")])
def test_no_filter_within_a_time_range_looks_through_the_log(entries: None, name: str) -> None:
    wanted = {key: FILTERS[key] for key in (name, "at_after", "at_before")}
    assert page(filtered(wanted), limit=5).rows
    check(lambda: page(filtered(wanted), limit=5))


def test_neither_the_whole_log_nor_an_opened_row_nor_a_tail_nor_the_bars_do(entries: None) -> None:
    opened = Entry.objects.order_by("id")[50]
    check(lambda: page(filtered({})))
    check(lambda: page(filtered({}), page(filtered({}), limit=5).next))
    check(lambda: reader.neighbours(opened))
    check(lambda: tail("cv_1", 20))
    check(lambda: tail_all(None, {"sender": "s"}))
    check(lambda: histogram({}))
    check(lambda: histogram({"sender": "s"}))
    check(lambda: histogram({"inference_id": "i"}))


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL combines its indexes")
def test_a_pair_of_filters_is_asked_of_the_index_that_has_all_of_them_and_the_newest_of_the_table(
    entries: None,
) -> None:
    wanted = {"sender": "s", "event_type": "conversation.utterance"}
    whole = [row.pk for row in Entry.objects.filter(sender="s").order_by("-id")]
    append([draft("cv_9", sender="s"), draft("cv_9", sender="t")])
    newest = Entry.objects.order_by("-id").values_list("id", flat=True)[1]
    assert [row.pk for row in page(filtered(wanted), limit=200).rows] == [newest, *whole]
    assert [row.pk for row in page(filtered(wanted), limit=200, newest_first=False).rows] == [*whole[::-1], newest]
    statements = [sql for sql, _ in plans_of(lambda: page(filtered(wanted), limit=200))]
    assert any("log_facets" in sql for sql in statements)
