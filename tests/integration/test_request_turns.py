"""Few requests compute at once, and who only waits holds nobody up."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.http import HttpRequest, HttpResponse

from echoadmin import request_threads
from echoadmin.request_threads import in_turn, pause
from tests.waiting import until


@pytest.fixture(autouse=True)
def two_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_threads, "_turns", threading.BoundedSemaphore(2))


class Views:
    """A view that computes until it may end, and one that waits in a pause; how many were in the first at once."""

    def __init__(self) -> None:
        self.inside = self.most = 0
        self.lock, self.end, self.bell = threading.Lock(), threading.Event(), threading.Event()

    def computes(self, request: HttpRequest) -> HttpResponse:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.end.wait(10)
        with self.lock:
            self.inside -= 1
        return HttpResponse()

    def waits(self, request: HttpRequest) -> HttpResponse:
        with pause():
            assert self.bell.wait(10)
        return HttpResponse()


def test_two_at_once_and_the_others_after_them() -> None:
    views = Views()
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(in_turn(views.computes), HttpRequest()) for _ in range(6)]
        until(lambda: views.inside == 2, "two compute")
        views.end.set()
        assert [one.result(10).status_code for one in asked] == [200] * 6
    assert views.most == 2


def test_those_who_wait_for_a_bell_leave_their_turn_to_others() -> None:
    views = Views()
    views.end.set()
    with ThreadPoolExecutor(6) as pool:
        waiting = [pool.submit(in_turn(views.waits), HttpRequest()) for _ in range(5)]
        assert pool.submit(in_turn(views.computes), HttpRequest()).result(10).status_code == 200
        views.bell.set()
        assert [one.result(10).status_code for one in waiting] == [200] * 5


def test_a_request_that_fails_gives_its_turn_back() -> None:
    def fails(request: HttpRequest) -> HttpResponse:
        raise RuntimeError("it failed")

    for _ in range(3):
        with pytest.raises(RuntimeError, match="it failed"):
            in_turn(fails)(HttpRequest())


def test_elsewhere_a_pause_is_nothing() -> None:
    with pause(), pause():
        pass
