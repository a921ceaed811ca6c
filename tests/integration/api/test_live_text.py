# ruff: noqa: F811 - fixtures of another file
"""Texts that come bit by bit over the WebSocket, and what its sender is told of the room that is left."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group, User

from conversations.models import Conversation, Echo
from conversations.services import speaking
from echoadmin.actors import Actor
from tests import make
from tests.integration.api.test_live import (  # noqa: F401 - quick, conversation and key are fixtures
    Socket,
    connected,
    conversation,
    key,
    path_of,
    quick,
)

pytestmark = pytest.mark.django_db(transaction=True)

FIRST, SECOND = "This is the first sentence.", "Here is the second sentence."
ANA = Actor(name="ana", source="admin")


@sync_to_async
def said() -> list[tuple[str, str, str]]:
    return list(Echo.objects.order_by("position").values_list("inference_id", "text", "state"))


async def begin(socket: Socket, inference_id: str = "a") -> None:
    await socket.send(type="text", inference_id=inference_id, ref="open")
    assert await socket.until("ack") == {"type": "ack", "ref": "open", "inference_id": inference_id}


async def deltas(socket: Socket, text: str, size: int = 5) -> None:
    for start in range(0, len(text), size):
        await socket.send(type="text_delta", text=text[start : start + size])


async def refused(socket: Socket) -> tuple[Any, str]:
    told = await socket.until("error")
    return told["ref"], told["error"]["code"]


async def test_each_sentence_is_an_echo_in_order_as_soon_as_it_is_whole(conversation: Conversation, key: str) -> None:
    async with connected(path_of(conversation), key) as socket:
        await begin(socket)
        await deltas(socket, f"{FIRST} {SECOND} And")
        told = await socket.until("echo", inference_id="a.2")
        assert (told["echo"]["text"], told["echo"]["state"]) == (SECOND, "queued")
        assert [text for _, text, _ in await said()] == [FIRST, SECOND]
        await deltas(socket, " the rest")
        await socket.send(type="text_end", ref="end")
        ack = await socket.until("ack")
        assert ack == {"type": "ack", "ref": "end", "inference_id": "a", "echoes": ["a.1", "a.2", "a.3"]}
    assert (await said())[2] == ("a.3", "And the rest", "queued")
    assert set(await sync_to_async(lambda: list(Echo.objects.values_list("source", "actor")))()) == {
        ("websocket", "operator (key ws)")
    }


async def test_an_unfinished_sentence_is_said_when_nothing_follows_for_a_while(
    conversation: Conversation, key: str, settings: Any
) -> None:
    settings.ECHO_TEXT_FLUSH = 0.05
    async with connected(path_of(conversation), key) as socket:
        await begin(socket)
        await deltas(socket, "Let me think about", size=50)
        assert (await socket.until("echo"))["echo"]["text"] == "Let me think about"
        await deltas(socket, "that.", size=50)
        assert (await socket.until("echo", inference_id="a.2"))["echo"]["text"] == "that."


async def test_what_is_no_whole_sentence_when_the_connection_breaks_is_not_said(
    conversation: Conversation, key: str
) -> None:
    async with connected(path_of(conversation), key) as socket:
        await begin(socket)
        await deltas(socket, f"{FIRST} And then")
        await socket.until("echo")
    assert [text for _, text, _ in await said()] == [FIRST]


async def test_an_interrupt_over_the_same_connection_stops_the_text_and_tells_once(
    conversation: Conversation, key: str
) -> None:
    async with connected(path_of(conversation), key) as socket:
        await begin(socket)
        await deltas(socket, f"{FIRST} {SECOND} Not this")
        await socket.until("echo", inference_id="a.2")
        await socket.send(type="interrupt", ref="stop")
        told = await socket.until("error")
        assert (told["ref"], told["inference_id"], told["error"]["code"]) == ("open", "a", "echo_closed")
        assert told["echoes"] == ["a.1", "a.2"]
        await deltas(socket, f" one, which is long enough. {SECOND} ")
        await socket.send(type="text_end", ref="end")
        assert (await socket.until("error"))["ref"] == "end"
        await begin(socket, "b")
        await socket.send(type="text_end", ref="end")
        assert (await socket.until("ack", ref="end"))["echoes"] == []
    assert [(text, state) for _, text, state in await said()] == [(FIRST, "cancelled"), (SECOND, "cancelled")]


async def test_an_interrupt_by_anybody_stops_the_text_even_when_none_of_it_waits(
    conversation: Conversation, key: str
) -> None:
    async with connected(path_of(conversation), key) as socket:
        await begin(socket)
        await socket.send(type="text_delta", text="", ref="there")
        await socket.until("ack", ref="there")
        await sync_to_async(speaking.interrupt)(actor=ANA, conversation=conversation)
        await deltas(socket, f"{FIRST} And")
        assert (await socket.until("error"))["error"]["code"] == "echo_closed"
    assert await said() == []


async def test_deltas_of_another_text_are_refused_and_so_is_a_second_text(conversation: Conversation, key: str) -> None:
    async with connected(path_of(conversation), key) as socket:
        await socket.send(type="text_delta", text="Nothing is open.", ref=1)
        assert await refused(socket) == (1, "no_text")
        await begin(socket)
        await socket.send(type="text_delta", inference_id="old", text=f"{FIRST} And", ref=2)
        assert await refused(socket) == (2, "no_text")
        for kind in ("text", "audio"):
            await socket.send(type=kind, ref=3)
            assert await refused(socket) == (3, "text_open")
        await socket.send(type="text_end")
        await make_said(conversation)
        await socket.send(type="text", inference_id="used", ref=4)
        assert await refused(socket) == (4, "inference_id_taken")


@sync_to_async
def make_said(conversation: Conversation) -> None:
    make.echo(conversation=conversation, inference_id="used.1", state="spoken")


async def test_a_role_that_was_taken_away_ends_the_text_at_its_next_sentence(
    conversation: Conversation, key: str
) -> None:
    async with connected(path_of(conversation), key) as socket:
        await begin(socket)
        user = await User.objects.aget(username="operator")
        await user.groups.aset([(await Group.objects.aget_or_create(name="auditor"))[0]])
        await deltas(socket, f"{FIRST} And")
        told = await socket.until("error")
        assert (told["error"]["code"], told["ref"]) == ("forbidden", "open")
    assert await said() == []


# --- flow -----------------------------------------------------------------------------------------------------------


async def test_the_sender_is_told_to_pause_before_the_queue_is_full_and_to_go_on_when_it_is_not(
    conversation: Conversation, key: str, settings: Any
) -> None:
    settings.ECHO_MAX_QUEUED = 8
    async with connected(path_of(conversation), key) as socket:
        for number in range(6):  # three quarters
            assert not [message for message in socket.seen if message["type"] == "flow"]
            await socket.send(type="echo", text="Hello.", ref=number)
            await socket.until("ack", ref=number)
        told = await socket.until("flow")
        assert {name: told[name] for name in ("state", "because", "queued")} == {
            "state": "pause",
            "because": "queue",
            "queued": 6,
        }
        await Echo.objects.filter(conversation=conversation).aupdate(state="spoken")
        assert (await socket.until("flow"))["state"] == "resume"


async def test_the_sender_of_audio_is_told_what_is_buffered(
    conversation: Conversation, key: str, settings: Any
) -> None:
    settings.ECHO_BUFFER = 1.0
    async with connected(path_of(conversation), key) as socket:
        await socket.send(type="audio", sample_rate=24000, inference_id="v", ref="open")
        await socket.until("ack", ref="open")
        for _ in range(3):
            await socket.communicator.send_to(bytes_data=bytes(24_000))
        assert await socket.until("flow") == {
            "type": "flow",
            "state": "pause",
            "because": "buffer",
            "buffered_ms": 1000,
            "buffered_bytes": 48_000,
            "queued": 1,
        }
        await Echo.objects.filter(inference_id="v").aupdate(state="sending", chunks=25, chunks_sent=25)
        told = await socket.until("flow")
        assert (told["state"], told["buffered_ms"], told["buffered_bytes"]) == ("resume", 250, 12_000)


async def test_audio_that_gets_too_long_is_refused_once_and_what_fits_is_said(
    conversation: Conversation, key: str, settings: Any
) -> None:
    settings.ECHO_MAX_SECONDS = 1
    async with connected(path_of(conversation), key) as socket:
        await socket.send(type="audio", sample_rate=8000, inference_id="v", ref="open")
        await socket.until("ack", ref="open")
        await socket.communicator.send_to(bytes_data=bytes(8_000))
        await socket.until("echo", seconds=0.5)
        for _ in range(3):
            await socket.communicator.send_to(bytes_data=bytes(16_000))
        told = await socket.until("error")
        assert (told["ref"], told["inference_id"], told["error"]["code"]) == ("open", "v", "too_long")
        await socket.send(type="audio_end", ref="end")
        assert (await socket.until("error"))["ref"] == "end"  # and not one for each frame that came after
    echo = await Echo.objects.aget()
    assert (echo.seconds, echo.closed_at is not None, echo.reason) == (0.5, True, "")


async def test_without_entries_a_connection_carries_echoes_alone(conversation: Conversation, key: str) -> None:
    async with connected(path_of(conversation, "?entries=exclude"), key) as socket:
        await socket.send(type="interrupt")  # an entry of the log
        await socket.send(type="echo", text="Hello.", inference_id="a")
        await socket.until("echo", inference_id="a")
        assert not [message for message in socket.seen if message["type"] == "entry"]
