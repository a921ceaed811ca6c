"""The WebSocket as a page's link: a ping that anybody may send, how the conversation stands, and who is let go."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.test import Client

from conversations.live import consumers, tails
from conversations.models import Conversation, Room
from tests.integration.api.test_live import (  # noqa: F401 - quick, conversation and key are fixtures
    connected,
    conversation,
    key,
    key_of,
    log,
    path_of,
    quick,
)
from tests.passwords import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)


def cookies(client: Client) -> dict[str, str]:
    cookie = "; ".join(f"{name}={one.value}" for name, one in client.cookies.items())
    return {"cookie": cookie, "host": "localhost", "origin": "http://localhost"}


@sync_to_async
def signed_in() -> Client:
    client = Client()
    assert client.login(username="operator", password=PASSWORD)
    return client


# --- ping -----------------------------------------------------------------------------------------------------------


async def test_an_auditor_who_may_not_speak_has_its_pings_answered(conversation: Conversation) -> None:  # noqa: F811
    auditor = await sync_to_async(key_of)("auditor", "read")
    for path in (path_of(conversation), "/ws/v1/log/"):
        async with connected(path, auditor) as socket:
            await socket.send(type="ping")
            assert await socket.until("pong") == {"type": "pong"}
            await socket.send(type="ping", ref=7)
            assert (await socket.until("pong"))["ref"] == 7
    async with connected(path_of(conversation), auditor) as socket:
        await socket.send(type="echo", text="ping", ref=1)
        assert (await socket.until("error"))["error"]["code"] == "forbidden"


async def test_a_ping_asks_nobody_who_is_there(
    conversation: Conversation,  # noqa: F811
    key: str,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def asked(*_: Any) -> None:
        raise AssertionError("a ping looked at who sent it")

    async with connected(path_of(conversation), key) as socket:
        await socket.until("caught_up")
        monkeypatch.setattr("conversations.live.asked.again", asked)
        await socket.send(type="ping")
        await socket.until("pong")


async def test_words_that_only_look_like_a_ping_are_not_one(conversation: Conversation, key: str) -> None:  # noqa: F811
    async with connected(path_of(conversation), key) as socket:
        for words in ('"ping"', '["ping"]', '{"type": "ping"', '{"kind": "ping"}'):
            await socket.communicator.send_to(text_data=words)
            assert (await socket.until("error"))["type"] == "error", words


# --- how it stands --------------------------------------------------------------------------------------------------


async def test_how_it_stands_is_told_at_first_and_whenever_it_changed(conversation: Conversation, key: str) -> None:  # noqa: F811
    room = Room.objects.filter(conversation=conversation)
    guest = {"id": "1", "name": "Ana", "joined_at": "2026-11-27T10:00:00+00:00", "is_replica": False, "is_us": False}
    async with connected(path_of(conversation), key) as socket:
        first = await socket.until("room")
        assert (first["state"], first["room"]["state"], first["can_speak"]) == ("active", "joined", True)
        assert {"seconds", "seconds_left", "cost", "hint", "ended_reason"} <= set(first)
        await room.aupdate(participants=[guest, {"id": "2", "name": "echoadmin/a", "is_us": True}])
        people = (await socket.until("room"))["room"]["people"]
        person = next(one for one in people if not one["is_us"])
        assert (person["name"], person["joined_at"]) == ("Ana", guest["joined_at"])
        await room.aupdate(state="lost", error="no answer", replica_present=False)
        lost = await socket.until("room")
        assert (lost["room"]["state"], lost["room"]["error"]) == ("lost", "no answer")
        assert "being joined again" in lost["hint"]
        await Conversation.objects.filter(pk=conversation.pk).aupdate(status="ended")
        assert (await socket.until("room"))["can_speak"] is False


async def test_what_did_not_change_is_not_told_again_but_for_the_clock_now_and_then(
    conversation: Conversation,  # noqa: F811
    key: str,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with connected(path_of(conversation), key) as socket:
        await socket.until("room")
        for _ in range(3):
            await sync_to_async(log)(conversation, 1)
            await socket.until("entry")
        assert [one for one in socket.seen if one["type"] == "room"] == []
        monkeypatch.setattr(tails, "CLOCK_EVERY", 0.1)
        await socket.until("room")


# --- far behind -----------------------------------------------------------------------------------------------------


async def test_who_is_too_far_behind_begins_with_the_newest_and_is_told_how_many_were_left_out(
    conversation: Conversation,  # noqa: F811
    key: str,  # noqa: F811
) -> None:
    await sync_to_async(log)(conversation, 450)
    async with connected(path_of(conversation, "?after=20&at_most=300"), key) as socket:
        assert await socket.next() == {"type": "missed", "after": 20, "until": 250, "count": 230}
        numbers = [(await socket.next())["entry"]["n"] for _ in range(200)]
        assert numbers == list(range(251, 451))
    async with connected(path_of(conversation, "?after=150&at_most=300"), key) as socket:
        assert (await socket.next())["entry"]["n"] == 151
    async with connected(path_of(conversation, "?after=1&at_most=x"), key) as socket:
        assert (await socket.next())["error"]["code"] == "invalid"


# --- who ------------------------------------------------------------------------------------------------------------


async def test_a_tab_that_is_signed_out_elsewhere_is_let_go(
    conversation: Conversation,  # noqa: F811
    key: str,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(consumers, "ASK_AGAIN", 0.0)
    client = await signed_in()
    async with connected(path_of(conversation), **cookies(client)) as socket:
        await socket.until("caught_up")
        await sync_to_async(log)(conversation, 1)
        await socket.until("entry")
        await sync_to_async(client.logout)()
        assert await socket.closed() == 4401


async def test_a_new_password_lets_go_who_signed_in_with_the_old_one(
    conversation: Conversation,  # noqa: F811
    key: str,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def change() -> None:
        user = get_user_model().objects.get(username="operator")
        user.set_password("another one")
        user.save()

    monkeypatch.setattr(consumers, "ASK_AGAIN", 0.0)
    async with connected(path_of(conversation), **cookies(await signed_in())) as socket:
        await socket.until("caught_up")
        await sync_to_async(change)()
        assert await socket.closed() == 4401
