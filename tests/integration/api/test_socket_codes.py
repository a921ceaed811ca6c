"""The codes that only the WebSocket answers with, each produced by a message."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import channel_layers
from django.utils import timezone

from conversations.models import Conversation, Echo
from echoadmin.api.catalogue import ALL, SOCKET
from tests import make
from tests.integration.api.test_live import Socket, connected, key_of, path_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def own_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel_layers, "backends", {})


async def no_audio(socket: Socket) -> None:
    await socket.communicator.send_to(bytes_data=bytes(10))


async def audio_open(socket: Socket) -> None:
    await socket.send(type="audio", ref=1)
    await socket.until("ack")
    await socket.send(type="audio", ref=2)


async def echo_closed(socket: Socket) -> None:
    await socket.send(type="audio", ref=1)
    await socket.until("ack")
    await sync_to_async(Echo.objects.update)(closed_at=timezone.now())
    await socket.communicator.send_to(bytes_data=bytes(4800))


async def no_text(socket: Socket) -> None:
    await socket.send(type="text_end", ref=1)


async def text_open(socket: Socket) -> None:
    await socket.send(type="text", ref=1)
    await socket.send(type="text", ref=2)


PRODUCERS = {producer.__name__: producer for producer in (no_audio, audio_open, echo_closed, no_text, text_open)}


def test_the_table_is_the_catalogues() -> None:
    assert set(PRODUCERS) == {code.name for code in ALL if code.where == SOCKET}


@pytest.mark.parametrize("name", PRODUCERS)
async def test_each_code_is_told_and_the_connection_lives(transactional_db: Any, name: str) -> None:
    conversation = await sync_to_async(lambda: Conversation.objects.get(pk=make.room().conversation.pk))()
    key = await sync_to_async(key_of)("operator")
    async with connected(path_of(conversation), key) as socket:
        await PRODUCERS[name](socket)
        told = await socket.until("error")
        assert told["error"]["code"] == name
        await socket.send(type="echo", text="Hello.", ref=9)
        assert (await socket.until("ack", ref=9))["echo"]["text"] == "Hello."
