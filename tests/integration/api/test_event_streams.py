# ruff: noqa: F811 - fixtures of another file
"""Server-Sent Events: tails that go on from where a reader was, with the lists' filters, for who may read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator

from conversations.live import events
from conversations.models import Conversation
from echoadmin.accounts.keys import revoke_key
from echoadmin.accounts.models import ApiKey
from echoadmin.actors import Actor
from echoadmin.request_threads import RequestThreads, TurnHandler
from tests import make
from tests.console_process import running_console
from tests.integration.api.test_live import LIMIT, conversation, key, key_of, log, quick  # noqa: F401 - fixtures
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)

ALL = "/api/v1/entries/stream/"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "SHORTEST", 0.01)
    monkeypatch.setattr(events, "ACROSS", 0.05)


def of(conversation: Conversation, query: str = "") -> str:
    return f"/api/v1/conversations/{conversation.public_id}/entries/stream/{query}"


class Stream:
    """One answer, and the events in it."""

    def __init__(self, path: str, headers: dict[str, str]) -> None:
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "query_string": query.encode(),
            "headers": [
                (name.replace("_", "-").encode(), value.encode())
                for name, value in {"host": "localhost", **headers}.items()
            ],
        }
        self.asking = ApplicationCommunicator(RequestThreads(TurnHandler()), scope)
        self.status, self.headers, self.text, self.over = 0, {}, "", False  # type: ignore[var-annotated]

    async def begin(self) -> None:
        await self.asking.send_input({"type": "http.request", "body": b"", "more_body": False})
        start = await self.asking.receive_output(LIMIT)
        self.status = start["status"]
        self.headers = {name.decode().lower(): value.decode() for name, value in start["headers"]}

    async def read(self) -> str:
        """What comes up to the next blank line; "" at the end."""
        while "\n\n" not in self.text:
            if self.over:
                return ""
            output = await self.asking.receive_output(LIMIT)
            self.text += output.get("body", b"").decode()
            self.over = not output.get("more_body", False)
        block, _, self.text = self.text.partition("\n\n")
        return block

    async def event(self, *kinds: str) -> dict[str, Any]:
        """The next event of one of these kinds; of any, where none is given."""
        while block := await self.read():
            lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
            if "event" in lines and (not kinds or lines["event"] in kinds):
                return {"event": lines["event"], "id": lines.get("id"), "data": json.loads(lines["data"])}
        raise AssertionError("the stream ended")

    async def numbers(self, count: int) -> list[int]:
        return [(await self.event("entry"))["data"]["n"] for _ in range(count)]


@asynccontextmanager
async def streaming(path: str, key: str, **headers: str) -> AsyncIterator[Stream]:
    stream = Stream(path, {"authorization": f"Bearer {key}", **headers})
    await stream.begin()
    try:
        yield stream
    finally:
        await stream.asking.send_input({"type": "http.disconnect"})
        await stream.asking.wait(LIMIT)


async def test_it_catches_up_says_so_and_follows_a_conversation(conversation: Conversation, key: str) -> None:
    await sync_to_async(log)(conversation, 450)
    async with streaming(of(conversation, "?after=0"), key) as stream:
        assert stream.headers["content-type"] == "text/event-stream"
        assert await stream.numbers(450) == list(range(1, 451))
        assert await stream.event() == {"event": "caught_up", "id": "450", "data": {"n": 450}}
        await sync_to_async(log)(conversation, 2)
        told = await stream.event()
        assert (told["event"], told["id"], told["data"]["n"]) == ("entry", "451", 451)


async def test_who_connects_again_misses_and_repeats_nothing_while_it_is_written(
    conversation: Conversation, key: str
) -> None:
    async def write() -> None:
        for _ in range(60):
            await sync_to_async(log)(conversation, 2)

    for path in (of(conversation, "?after=0"), ALL):
        async with streaming(path, key) as stream:
            last = (await stream.event("caught_up"))["id"]
        first = await sync_to_async(newest)(conversation) + 1
        writing, seen = asyncio.create_task(write()), []
        while len(seen) < 120:
            async with streaming(path, key, last_event_id=last) as stream:
                for _ in range(min(17, 120 - len(seen))):
                    told = await stream.event("entry")
                    seen.append(told["data"]["n"])
                    last = told["id"]
        await writing
        assert seen == list(range(first, first + 120)), path


def newest(conversation: Conversation) -> int:
    from echoadmin.log import reader

    return reader.last_n(conversation.public_id)


async def test_without_a_place_it_starts_from_now_and_tells_where_that_is(conversation: Conversation, key: str) -> None:
    await sync_to_async(log)(conversation, 3)
    for path in (of(conversation), ALL):
        async with streaming(path, key) as stream:
            assert (await stream.event())["event"] == "caught_up"


async def test_the_filters_are_those_of_the_lists(conversation: Conversation, key: str) -> None:
    other = await sync_to_async(lambda: Conversation.objects.get(pk=make.conversation().pk))()

    def write() -> None:
        for one in (other, conversation):
            log(one, 1)
            log(one, 1, kind="webhook", event_type="application.transcription_ready")

    paths = [of(conversation, "?kind=webhook"), f"{ALL}?kind=webhook&conversation={conversation.public_id}"]
    streams = [Stream(path, {"authorization": f"Bearer {key}"}) for path in paths]
    for stream in streams:
        await stream.begin()
        await stream.event("caught_up")
    await sync_to_async(write)()
    for stream in streams:
        told = (await stream.event())["data"]
        assert (told["kind"], told["conversation"]) == ("webhook", conversation.public_id)
        assert (await stream.event())["event"] == "caught_up"
        await stream.asking.send_input({"type": "http.disconnect"})
        await stream.asking.wait(LIMIT)


async def test_a_silent_stream_is_kept_alive_by_comments(
    conversation: Conversation, key: str, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setattr(events, "HEARTBEAT", 0.0)
    settings.LOOK_EVERY = 0.05
    async with streaming(of(conversation), key) as stream:
        await stream.event("caught_up")
        assert await stream.read() == ": still here"


async def test_a_key_that_is_revoked_ends_the_stream_with_why(
    conversation: Conversation, key: str, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setattr(events, "ASK_AGAIN", 0.0)
    settings.LOOK_EVERY = 0.05
    async with streaming(of(conversation), key) as stream:
        await stream.event("caught_up")
        row = await ApiKey.objects.select_related("user").aget(prefix=key.partition(".")[0])
        await sync_to_async(revoke_key)(row, actor=Actor("x"))
        assert (await stream.event("error"))["data"]["code"] == "unauthenticated"
        assert await stream.read() == ""


async def test_what_can_not_be_is_answered_before_a_stream_begins(conversation: Conversation, key: str) -> None:
    speak_only = await sync_to_async(key_of)("manager", "speak")
    for path, given, status in (
        (of(conversation), "abcdefgh.wrong", 401),
        (of(conversation), speak_only, 403),
        ("/api/v1/conversations/cv_nope/entries/stream/", key, 404),
        (of(conversation, "?after=x"), key, 400),
        (f"{ALL}?after=x", key, 400),
        (f"{ALL}?kind=nope", key, 400),
    ):
        async with streaming(path, given) as stream:
            assert stream.status == status, path
            assert stream.headers["content-type"] == "application/json"


async def test_more_streams_than_may_be_are_refused_and_one_that_ends_makes_room(
    conversation: Conversation, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_open", events.threading.BoundedSemaphore(1))
    for _ in range(2):
        async with streaming(of(conversation), key) as stream:
            await stream.event("caught_up")
            async with streaming(of(conversation), key) as another:
                assert (another.status, another.headers["retry-after"]) == (429, "10")


async def test_streams_that_wait_hold_no_connection_to_the_database(conversation: Conversation, key: str) -> None:
    """More of them than PostgreSQL's pool has connections, and all are answered, and others too."""
    streams = [Stream(of(conversation), {"authorization": f"Bearer {key}"}) for _ in range(30)]
    for stream in streams:
        await stream.begin()
        await stream.event("caught_up")
    await sync_to_async(log)(conversation, 1)
    for stream in streams:
        assert await stream.numbers(1) == [1]
        await stream.asking.send_input({"type": "http.disconnect"})
        await stream.asking.wait(LIMIT)


@pytest.mark.own_database
def test_a_console_that_stops_ends_its_streams_at_once(tmp_path: Path) -> None:
    with running_console(tmp_path / "console", ECHOADMIN_LOOK_EVERY="0.2") as console:
        headers = {"Authorization": f"Bearer {console.api_key()}"}
        with httpx.stream("GET", f"{console.url}{ALL}", headers=headers, timeout=30) as answer:
            lines = answer.iter_lines()
            until(lambda: next(lines).startswith("event: caught_up"), "the stream has begun")
            assert console.stop() == 0
            assert [line for line in lines if line.startswith("event")] == []  # and it ends, else this would raise
        assert "timeout graceful shutdown exceeded" not in console.said()
