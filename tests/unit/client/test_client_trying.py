"""When the client sends a request again, and when it must not; the same for `Client` and `AsyncClient`."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from echoadmin.client import ApiError, AsyncClient, Client, NoAnswer, TookTooLong, trying
from echoadmin.client import operations as every
from echoadmin.client.calls import Call, Pages, Until

Answer = Callable[[httpx.Request], httpx.Response]
URL, KEY = "http://console.example", "prefix.secret"
ECHO = {"inference_id": "e1", "state": "queued"}
UNDER_WAY = {"error": {"code": "idempotency_in_progress", "message": "Wait.", "request_id": "r1"}}


class Asked:
    """What either client does with a call, over answers given in turn; and what it asked."""

    def __init__(self, kind: str, waits: list[float]) -> None:
        self.kind, self.waits = kind, waits
        self.requests: list[httpx.Request] = []
        self.answers: list[Any] = []

    def does(self, wish: Any, *answers: Any, patience: float = 60.0) -> Any:
        """The outcome, with these answers (or exceptions) in turn; the last one again and again."""
        self.answers = list(answers)
        transport = httpx.MockTransport(self._answer)
        if self.kind == "sync":
            with Client(URL, KEY, transport=transport, patience=patience) as client:
                return _blocking(client, wish)
        return asyncio.run(_in_a_loop(AsyncClient(URL, KEY, transport=transport, patience=patience), wish))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)  # it is used once

    @property
    def keys(self) -> set[str | None]:
        return {request.headers.get("Idempotency-Key") for request in self.requests}


def _blocking(client: Client, wish: Any) -> Any:
    if isinstance(wish, Pages):
        return list(client.each(wish))
    return client.until(wish) if isinstance(wish, Until) else client.do(wish)


async def _in_a_loop(client: AsyncClient, wish: Any) -> Any:
    async with client:
        if isinstance(wish, Pages):
            return [item async for item in client.each(wish)]
        return await client.until(wish) if isinstance(wish, Until) else await client.do(wish)


@pytest.fixture(params=["sync", "async"])
def asked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Asked:
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("echoadmin.client.synchronous.time.sleep", waits.append)
    monkeypatch.setattr("echoadmin.client.asynchronous.asyncio.sleep", wait)
    return Asked(request.param, waits)


def reply(status: int, body: Any = None, **headers: str) -> httpx.Response:
    return httpx.Response(status, json=body, headers={name.replace("_", "-"): text for name, text in headers.items()})


def problem(code: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": "No.", "fields": {"text": ["Is empty."]}, "request_id": "r1"}}


def test_each_post_has_a_key_of_its_own_and_the_bearer(asked: Asked) -> None:
    for _ in range(2):
        asked.does(every.say("cv_1", "Hello.", wait="sent"), reply(202, ECHO))
    one, two = asked.requests
    assert len(asked.keys) == 2
    assert one.headers["Authorization"] == f"Bearer {KEY}"
    assert (one.url.path, one.url.query) == ("/api/v1/conversations/cv_1/echoes/", b"wait=sent")
    assert json.loads(two.content) == {"text": "Hello."}


@pytest.mark.parametrize(
    "first",
    [
        httpx.ReadTimeout("slow"),
        httpx.ConnectError("gone"),
        httpx.RemoteProtocolError("cut"),
        reply(409, UNDER_WAY, Retry_After="2"),
        reply(429, problem("too_many_requests"), Retry_After="2"),
        reply(503, problem("database_unavailable"), Retry_After="2"),
    ],
    ids=["timeout", "not reached", "cut", "409 in flight", "429", "503"],
)
def test_a_post_is_sent_again_with_the_same_key(asked: Asked, first: Any) -> None:
    assert asked.does(every.say("cv_1", "Hello."), first, first, reply(202, ECHO)) == ECHO
    assert len(asked.requests) == 3
    assert len(asked.keys) == 1
    assert len({request.content for request in asked.requests}) == 1
    assert asked.waits == ([2.0, 2.0] if isinstance(first, httpx.Response) else [0.2, 0.4])


@pytest.mark.parametrize(
    "answer",
    [
        reply(400, problem("invalid")),
        reply(409, problem("not_joined")),
        reply(409, problem("idempotency_key_reused")),
        reply(429, problem("queue_full")),
        reply(500, problem("internal")),
        reply(503, problem("unavailable")),
        reply(504, problem("answer_lost"), Retry_After="1"),
        reply(503, problem("unavailable"), Retry_After="1", Idempotent_Replayed="true"),
    ],
    ids=["400", "409", "key reused", "429 without a time", "500", "503 without a time", "504", "said before"],
)
def test_a_final_answer_is_raised_at_once(asked: Asked, answer: httpx.Response) -> None:
    with pytest.raises(ApiError) as raised:
        asked.does(every.say("cv_1", ""), answer)
    assert len(asked.requests) == 1
    error = raised.value
    assert (error.status, error.message, error.request_id) == (answer.status_code, "No.", "r1")
    assert error.fields == {"text": ["Is empty."]}
    assert error.code in str(error) and "r1" in str(error)


def test_what_has_no_key_is_sent_again_only_where_it_was_not_done(asked: Asked) -> None:
    cancel = every.cancel("cv_1", "e1")
    with pytest.raises(NoAnswer) as raised:
        asked.does(cancel, httpx.ReadTimeout("slow"), reply(200, ECHO))
    assert raised.value.key is None
    assert len(asked.requests) == 1
    assert asked.does(cancel, httpx.ConnectError("gone"), reply(200, ECHO)) == ECHO


def test_a_get_is_asked_again(asked: Asked) -> None:
    answers = [httpx.ReadTimeout("slow"), reply(503, problem("unavailable")), reply(200, ECHO)]
    assert asked.does(every.echo("cv_1", "e1"), *answers) == ECHO
    assert asked.keys == {None}


def test_patience_ends_and_the_error_has_the_key(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoAnswer) as raised:
        asked.does(every.end("cv_1", idempotency_key="mine"), httpx.ReadTimeout("slow"), patience=0.0)
    assert raised.value.key == "mine"
    assert "mine" in str(raised.value)
    assert asked.keys == {"mine"}
    with pytest.raises(ApiError, match="idempotency_in_progress"):
        asked.does(every.end("cv_1"), reply(409, UNDER_WAY, Retry_After="2"), patience=1.0)


def test_an_error_of_a_proxy_in_between_is_told_as_it_is(asked: Asked) -> None:
    with pytest.raises(ApiError, match="413 unknown: <html>") as raised:
        asked.does(every.say("cv_1", "x"), httpx.Response(413, text="<html>too large", headers={"X-Request-Id": "r2"}))
    assert raised.value.request_id == "r2"


def test_a_redirect_is_not_followed(asked: Asked) -> None:
    with pytest.raises(ApiError, match="302"):
        asked.does(every.personas(), httpx.Response(302, headers={"Location": "http://elsewhere.example/"}))
    assert len(asked.requests) == 1


def test_pages_are_read_to_the_end_and_only_from_this_host(asked: Asked) -> None:
    first = reply(200, {"results": [1, 2], "next": "http://elsewhere.example/api/v1/personas/?cursor=a%2Bb"})
    assert asked.does(every.personas(name="Ana"), first, reply(200, {"results": [3], "next": None})) == [1, 2, 3]
    assert [str(request.url) for request in asked.requests] == [
        f"{URL}/api/v1/personas/?name=Ana",
        f"{URL}/api/v1/personas/?cursor=a%2Bb",
    ]


def test_following_goes_on_after_the_last_entry_and_waits_only_where_there_is_no_more(asked: Asked) -> None:
    pages = every.follow("cv_1", after=3, every=7.0)
    answers = [
        reply(200, {"results": [{"n": 4}, {"n": 5}], "next": "more"}),
        reply(200, {"results": [{"n": 6}], "next": None}),
        reply(200, {"results": [], "next": None}),
        reply(404, problem("not_found")),
    ]
    with pytest.raises(ApiError, match="not_found"):
        asked.does(pages, *answers)
    assert [dict(request.url.params)["after"] for request in asked.requests] == ["3", "5", "6", "6"]
    assert asked.waits == [7.0, 7.0]


def test_a_file_comes_in_pieces(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("echoadmin.client.calls.PIECE", 4)
    answers = [
        httpx.Response(206, content=b"abcd", headers={"Content-Range": "bytes 0-3/6"}),
        httpx.ReadError("cut"),
        httpx.Response(206, content=b"ef", headers={"Content-Range": "bytes 4-5/6"}),
    ]
    assert asked.does(every.run_file("rn_1"), *answers) == [b"abcd", b"ef"]
    assert [request.headers["Range"] for request in asked.requests] == ["bytes=0-3", "bytes=4-7", "bytes=4-7"]


def test_waiting_looks_again_until_it_is_so(asked: Asked) -> None:
    answers = [reply(200, ECHO), reply(200, {**ECHO, "state": "spoken"})]
    assert asked.does(every.until_ended("cv_1", "e1"), *answers)["state"] == "spoken"
    with pytest.raises(TookTooLong, match="the end of echo e1") as raised:
        asked.does(every.until_ended("cv_1", "e1", seconds=-1.0), reply(200, ECHO))
    assert raised.value.last == ECHO


def test_ids_cannot_leave_their_place_in_the_path(asked: Asked) -> None:
    asked.does(every.persona("../users?x=1#"), reply(200, {}))
    assert asked.requests[0].url.raw_path == b"/api/v1/personas/..%2Fusers%3Fx%3D1%23/"


def test_a_pause_is_no_try() -> None:
    steps = trying.tries(Call("GET", "/", pause=3.0), 1.0)
    assert next(steps) == trying.Pause(3.0)


def test_both_clients_have_the_same_methods() -> None:
    names = set(every.__all__)
    for client in (Client, AsyncClient):
        assert names <= set(vars(client)), names - set(vars(client))


def test_url_and_key_come_from_the_environment_or_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ECHOADMIN_URL", raising=False)
    monkeypatch.delenv("ECHOADMIN_KEY", raising=False)
    with pytest.raises(ValueError, match="ECHOADMIN_URL"):
        Client()
    with pytest.raises(ValueError, match="ECHOADMIN_KEY"):
        Client(URL)
    monkeypatch.setenv("ECHOADMIN_URL", URL)
    monkeypatch.setenv("ECHOADMIN_KEY", KEY)
    Client().close()


def test_it_imports_nothing_of_ours_and_no_django() -> None:
    look = (
        "import sys, echoadmin.client; "
        "print([m for m in sys.modules if m.startswith(('echoadmin.', 'django', 'conversations', 'personas')) "
        "and not m.startswith('echoadmin.client')])"
    )
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
