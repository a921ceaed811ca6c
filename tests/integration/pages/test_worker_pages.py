"""The workers' pages: who lives, what each holds, and the button that drains one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from conversations.models import Worker
from echoadmin.log.models import Entry
from tests import make

Visitor = Callable[[str | None], Client]
LIST = "/admin/conversations/worker/"

pytestmark = pytest.mark.django_db(transaction=True)


def page_of(row: Worker) -> str:
    return f"{LIST}{row.pk}/change/"


def worker(**columns: Any) -> Worker:
    return Worker.objects.get(pk=make.worker(**columns).pk)


def ago(**time: float) -> Any:
    return timezone.now() - timedelta(**time)


@pytest.mark.parametrize(
    ("columns", "life"),
    [
        ({}, "alive"),
        ({"drain_wanted": True}, "draining"),
        ({"draining": True}, "draining"),
        ({"lease_until": ago(seconds=90)}, "stale"),
        ({"lease_until": ago(seconds=90), "draining": True}, "stale"),
        ({"stopped_at": ago(seconds=5), "draining": True}, "stopped"),
    ],
)
def test_the_list_and_the_page_tell_whether_it_lives(columns: dict[str, Any], life: str, visitor: Visitor) -> None:
    row = worker(**columns)
    client = visitor("auditor")
    for path in (LIST, page_of(row)):
        assert f'data-state="{life}">{life}<' in client.get(path).content.decode()


def test_the_list_tells_what_is_held_of_how_much_for_how_long_and_by_which_version(visitor: Visitor) -> None:
    row = worker(name="a1", capacity=7, version="0.1.0", lease_until=timezone.now() + timedelta(seconds=21))
    make.room.create_batch(3, worker=row)
    page = visitor("auditor").get(LIST).content.decode()
    assert "3 of 7" in page and "0.1.0" in page
    assert "21 s" in page or "20 s" in page
    assert "versions run side by side" not in page
    worker(name="gone", version="0.0.9", stopped_at=timezone.now())
    assert "versions run side by side" not in visitor("auditor").get(LIST).content.decode()
    worker(name="b1", version="0.2.0")
    page = visitor("auditor").get(LIST).content.decode()
    assert "2 versions run side by side" in page and "0.1.0, 0.2.0" in page


def test_a_workers_page_has_its_rooms_in_as_many_queries_for_many_as_for_few(visitor: Visitor) -> None:
    row, client = worker(), visitor("manager")
    rooms = make.room.create_batch(2, worker=row)
    make.room(worker=make.worker(), conversation__name="Anothers room")

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            page = client.get(page_of(row)).content.decode()
        assert all(str(room.conversation) in page for room in rooms)
        assert "Anothers room" not in page
        return len(seen)

    few = queries()
    rooms += make.room.create_batch(20, worker=row)
    assert queries() == few


def test_a_manager_drains_one_and_lets_it_take_rooms_again(visitor: Visitor) -> None:
    row, client = worker(name="a1"), visitor("manager")
    for _ in range(2):
        page = client.post(f"{page_of(row)}drain/", follow=True).content.decode()
        assert "It is being drained." in page and "Take rooms again" in page
    row.refresh_from_db()
    assert (row.drain_wanted, row.draining) == (True, False), "the process itself says when it drains"
    assert Entry.objects.filter(event_type="worker.drain_asked").count() == 1, "twice is once"
    page = client.post(f"{page_of(row)}resume/", follow=True).content.decode()
    assert "Drain…" in page
    row.refresh_from_db()
    assert not row.drain_wanted
    assert Entry.objects.filter(event_type="worker.take_asked").count() == 1


def test_the_question_says_when_nobody_is_there_to_take_the_rooms(visitor: Visitor) -> None:
    row, client = worker(), visitor("manager")
    worker(stopped_at=timezone.now())
    assert "No other worker is alive" in client.get(page_of(row)).content.decode()
    worker()
    assert "No other worker is alive" not in client.get(page_of(row)).content.decode()


@pytest.mark.parametrize("role", ["auditor", "operator"])
def test_draining_is_for_managers(role: str, visitor: Visitor) -> None:
    row, client = worker(), visitor(role)
    assert "Drain…" not in client.get(page_of(row)).content.decode()
    assert client.post(f"{page_of(row)}drain/").status_code == 403
    assert client.post(f"{page_of(row)}resume/").status_code == 403
    row.refresh_from_db()
    assert not row.drain_wanted


def test_one_that_no_longer_lives_is_not_drained_and_says_why(visitor: Visitor) -> None:
    row, client = worker(stopped_at=timezone.now()), visitor("manager")
    assert "Drain…" not in client.get(page_of(row)).content.decode()
    page = client.post(f"{page_of(row)}drain/", follow=True).content.decode()
    assert "no process is there to obey" in page
    row.refresh_from_db()
    assert not row.drain_wanted
    assert client.get(f"{page_of(row)}drain/").status_code == 405
