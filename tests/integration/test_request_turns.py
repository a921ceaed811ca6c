"""Few requests compute at once, and who only waits holds nobody up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.http import HttpRequest, HttpResponse
from django.urls import path

from echoadmin import crowding, request_threads
from echoadmin.crowding import Crowding
from echoadmin.request_threads import RequestThreads, TurnHandler, Turns, pause
from tests.waiting import until

LIMIT = 10  # s


class Views:
    """A view that computes until it may end, and one that waits in a pause; how many were in the first at once."""

    def __init__(self) -> None:
        self.inside = self.most = self.waiting = 0
        self.lock, self.end, self.bell = threading.Lock(), threading.Event(), threading.Event()

    def computes(self, request: HttpRequest) -> HttpResponse:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.end.wait(LIMIT)
        with self.lock:
            self.inside -= 1
        return HttpResponse()

    def waits(self, request: HttpRequest) -> HttpResponse:
        with pause():
            with self.lock:
                self.waiting += 1
            assert self.bell.wait(LIMIT)
        return self.computes(request)

    def healthz(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    def fails(self, request: HttpRequest) -> HttpResponse:
        raise RuntimeError("it failed")


class Urls:
    urlpatterns: list[Any]


Ask = Callable[[str], "asyncio.Task[int]"]


@pytest.fixture
def views(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Views:
    monkeypatch.setattr(request_threads, "_turns", Turns(2))
    views = Views()
    Urls.urlpatterns = [path(name, getattr(views, name)) for name in ("computes", "waits", "fails", "healthz")]
    settings.ROOT_URLCONF = Urls
    settings.MIDDLEWARE = []
    return views


@pytest.fixture
def ask(views: Views) -> Ask:
    """Begins a request through the console's own handler; its status."""
    application = Crowding(RequestThreads(TurnHandler()))

    async def status(where: str) -> int:
        scope = {"type": "http", "path": where, "method": "GET", "headers": [], "query_string": b""}
        asking = ApplicationCommunicator(application, scope)
        await asking.send_input({"type": "http.request", "body": b""})
        started = await asking.receive_output(LIMIT)
        await asking.receive_output(LIMIT)
        await asking.wait()
        return int(started["status"])

    return lambda where: asyncio.create_task(status(where))


async def seen(condition: Callable[[], bool], what: str) -> None:
    await asyncio.to_thread(until, condition, what)


def lent() -> set[int | None]:
    return {thread.ident for thread in threading.enumerate() if thread.name.startswith("request_")}


async def test_two_at_once_and_the_others_after_them_without_a_thread(views: Views, ask: Ask) -> None:
    before = lent()
    asked = [ask("/computes") for _ in range(6)]
    await seen(lambda: views.inside == 2, "two compute")
    assert len(lent() - before) == 2, "who waits for its turn has no thread"
    views.end.set()
    assert await asyncio.gather(*asked) == [200] * 6
    assert views.most == 2


async def test_those_who_wait_for_a_bell_leave_their_turn_to_others(views: Views, ask: Ask) -> None:
    views.end.set()
    waiting = [ask("/waits") for _ in range(5)]
    await seen(lambda: views.waiting == 5, "five wait")
    assert await ask("/computes") == 200
    views.most = 0
    views.bell.set()
    assert await asyncio.gather(*waiting) == [200] * 5
    assert views.most <= 2, "after the bell they compute in their turn"


async def test_a_request_that_fails_gives_its_turn_back(views: Views, ask: Ask) -> None:
    assert [await ask("/fails") for _ in range(3)] == [500] * 3


async def test_who_goes_away_while_waiting_takes_no_turn(views: Views, ask: Ask) -> None:
    inside = [ask("/computes") for _ in range(2)]
    await seen(lambda: views.inside == 2, "two compute")
    turns = request_threads._turns
    gone = [asyncio.create_task(turns.taken()) for _ in range(3)]
    await seen(lambda: turns.waiting == 3, "three wait")
    for one in gone:
        one.cancel()
    await asyncio.wait(gone)
    views.end.set()
    assert await asyncio.gather(*inside) == [200] * 2
    assert await asyncio.gather(*[ask("/computes") for _ in range(3)]) == [200] * 3


async def test_a_turn_that_comes_to_somebody_who_goes_just_then_is_handed_on() -> None:
    turns = Turns(1)
    turns.take()
    late = asyncio.create_task(turns.taken())
    await seen(lambda: turns.waiting == 1, "one waits")
    turns.give_back()  # its future is done, and the loop has not told it yet
    late.cancel()
    await asyncio.wait([late])
    if not late.cancelled():
        turns.give_back()
    async with asyncio.timeout(LIMIT):
        await turns.taken()


async def test_whether_it_lives_is_answered_at_once(views: Views, ask: Ask) -> None:
    inside = [ask("/computes") for _ in range(2)]
    await seen(lambda: views.inside == 2, "all turns are taken")
    assert await ask("/healthz") == 200
    views.end.set()
    await asyncio.gather(*inside)


async def test_where_too_many_wait_a_program_is_told_to_come_back_and_a_person_is_let_in(
    views: Views, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowding, "MOST_WAITING", 3)
    Urls.urlpatterns = [path(name, views.computes) for name in ("api/v1/computes", "admin/computes")]
    inside = [ask("/api/v1/computes") for _ in range(5)]
    await seen(lambda: request_threads.waiting() == 3, "three wait")
    assert await ask("/api/v1/computes") == 429
    inside.append(ask("/admin/computes"))
    await seen(lambda: request_threads.waiting() == 4, "the page's waits too")
    views.end.set()
    assert await asyncio.gather(*inside) == [200] * 6
    assert await ask("/api/v1/computes") == 200


def test_elsewhere_a_pause_is_nothing() -> None:
    with pause(), pause():
        pass
