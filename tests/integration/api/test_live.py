"""The WebSocket API: catching up, following, speaking, and who may."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from channels.layers import channel_layers
from django.contrib.auth.models import Group, User
from django.test import Client

from conversations import bells
from conversations.live import consumers, looks
from conversations.models import Conversation, Echo, EchoState, Interaction
from echoadmin.accounts.keys import create_key, revoke_key
from echoadmin.accounts.models import ApiKey
from echoadmin.actors import Actor
from echoadmin.log import clips
from echoadmin.log.writer import Draft, append
from echoadmin.routing import websocket_application
from tests import make
from tests.passwords import PASSWORD, QUICK

pytestmark = pytest.mark.django_db(transaction=True)
LIMIT = 30.0  # seconds to wait for what must come


@pytest.fixture(autouse=True)
def quick(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers.LiveConsumer, "look_every", 0.1)
    monkeypatch.setattr(looks, "SHORTEST", 0.01)
    # Each test has a loop of its own, and a layer on Redis belongs to the loop that it first met.
    monkeypatch.setattr(channel_layers, "backends", {})


@pytest.fixture
def conversation(transactional_db: None) -> Conversation:
    return Conversation.objects.get(pk=make.room().conversation.pk)


def key_of(role: str, *scopes: str) -> str:
    user, _ = User.objects.get_or_create(username=role, defaults={"password": QUICK})
    user.groups.add(Group.objects.get_or_create(name=role)[0])
    return create_key(user=user, label="ws", actor=Actor("test"), scopes=scopes or ("read", "speak", "manage"))[1]


@pytest.fixture
def key(transactional_db: None) -> str:
    return key_of("operator")


class Line(ApplicationCommunicator):
    """A WebSocket to the console's own routes, without a server between."""

    def __init__(self, path: str, headers: dict[str, str]) -> None:
        path, _, query = path.partition("?")
        scope = {
            "type": "websocket",
            "path": path,
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "subprotocols": [],
        }
        super().__init__(websocket_application(), scope)

    async def connect(self) -> bool:
        await self.send_input({"type": "websocket.connect"})
        return bool((await self.receive_output(LIMIT))["type"] == "websocket.accept")

    async def send_to(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.send_input({"type": "websocket.receive", "text": text_data, "bytes": bytes_data})

    async def receive_from(self) -> str:
        output = await self.receive_output(LIMIT)
        assert output["type"] == "websocket.send", output
        return str(output["text"])

    async def disconnect(self) -> None:
        await self.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.wait(LIMIT)


class Socket:
    """One connection, and what came over it."""

    def __init__(self, communicator: Line) -> None:
        self.communicator = communicator
        self.seen: list[dict[str, Any]] = []

    async def next(self, *, standing: bool = False) -> dict[str, Any]:
        """What comes next; how the conversation stands only where that is asked for, else it is put by."""
        while True:
            message: dict[str, Any] = json.loads(await self.communicator.receive_from())
            self.seen.append(message)
            if standing or message["type"] != "room":
                return message

    async def until(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The first message of this kind with these fields, also among those that came before."""
        while True:
            for message in self.seen:
                inner = message.get(kind) if isinstance(message.get(kind), dict) else message
                if message["type"] == kind and all((inner or {}).get(name) == value for name, value in fields.items()):
                    self.seen.remove(message)
                    return message
            await self.next(standing=True)

    async def send(self, **message: Any) -> None:
        await self.communicator.send_to(text_data=json.dumps(message))

    async def closed(self) -> int:
        """The code that the connection is closed with."""
        while True:
            output = await self.communicator.receive_output(LIMIT)
            if output["type"] == "websocket.close":
                return int(output["code"])


@asynccontextmanager
async def connected(path: str, key: str | None = None, **headers: str) -> AsyncIterator[Socket]:
    given = {**headers, **({"authorization": f"Bearer {key}"} if key else {})}
    communicator = Line(path, given)
    assert await communicator.connect()
    try:
        yield Socket(communicator)
    finally:
        await communicator.disconnect()


def path_of(conversation: Conversation, query: str = "") -> str:
    return f"/ws/v1/conversations/{conversation.public_id}/{query}"


def log(conversation: Conversation, count: int, **columns: Any) -> None:
    common = {"kind": "room", "event_type": "joined", "message": {}, **columns}
    append(
        [Draft(stream=conversation.public_id, conversation_ref=conversation.public_id, **common) for _ in range(count)]
    )
    bells.ring_tail(conversation.public_id)


# --- reading --------------------------------------------------------------------------------------------------------


async def test_it_catches_up_says_so_and_follows(conversation: Conversation, key: str) -> None:
    await sync_to_async(log)(conversation, 450)
    async with connected(path_of(conversation, "?after=0"), key) as socket:
        numbers = []
        while (message := await socket.next())["type"] == "entry":
            numbers.append(message["entry"]["n"])
        assert message == {"type": "caught_up", "n": 450}
        assert numbers == list(range(1, 451))
        await sync_to_async(log)(conversation, 2)
        assert [(await socket.next())["entry"]["n"] for _ in range(2)] == [451, 452]
        assert await socket.next() == {"type": "caught_up", "n": 452}


async def test_who_comes_back_with_its_last_number_misses_and_repeats_nothing(
    conversation: Conversation, key: str
) -> None:
    await sync_to_async(log)(conversation, 5)
    async with connected(path_of(conversation, "?after=3"), key) as socket:
        assert [(await socket.next())["entry"]["n"] for _ in range(2)] == [4, 5]


async def test_without_a_number_it_starts_from_now(conversation: Conversation, key: str) -> None:
    await sync_to_async(log)(conversation, 5)
    async with connected(path_of(conversation), key) as socket:
        assert await socket.next() == {"type": "caught_up", "n": 5}


async def test_a_bell_is_heard_without_waiting_for_the_look(
    conversation: Conversation, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers.LiveConsumer, "look_every", 3600)
    async with connected(path_of(conversation), key) as socket:
        await socket.until("caught_up")
        await sync_to_async(log)(conversation, 1)
        assert (await socket.until("entry"))["entry"]["n"] == 1


async def test_an_echo_is_told_at_each_change_until_it_has_ended(conversation: Conversation, key: str) -> None:
    await sync_to_async(make.echo)(conversation=conversation, inference_id="old", state="spoken")
    await sync_to_async(make.echo)(conversation=conversation, inference_id="open", state="sending")
    async with connected(path_of(conversation), key) as socket:
        assert (await socket.until("echo"))["echo"]["inference_id"] == "open"
        for state in (EchoState.SPEAKING, EchoState.SPOKEN):
            await Echo.objects.filter(inference_id="open").aupdate(state=state)
            await socket.until("echo", inference_id="open", state=state)
        await Echo.objects.filter(inference_id="open").aupdate(detail="changed after its end")
        await sync_to_async(make.echo)(conversation=conversation, inference_id="new", state="queued")
        message = await socket.until("echo")
        assert message["echo"]["inference_id"] == "new"


async def test_the_log_across_conversations_is_filtered_and_goes_on_from_a_cursor(
    conversation: Conversation, key: str
) -> None:
    other = await sync_to_async(lambda: Conversation.objects.get(pk=make.conversation().pk))()
    path = "/ws/v1/log/?kind=room"
    async with connected(path, key) as socket:
        await socket.until("caught_up")
        for row in (conversation, other):
            await sync_to_async(log)(row, 1)
            await sync_to_async(log)(row, 1, kind="webhook")
        first, second = await socket.until("entry"), await socket.until("entry")
        assert [entry["entry"]["conversation"] for entry in (first, second)] == [
            conversation.public_id,
            other.public_id,
        ]
        assert first["entry"]["conversation_id"] == conversation.upstream_id
    async with connected(f"{path}&after={first['entry']['cursor']}", key) as socket:
        assert (await socket.until("entry"))["entry"] == second["entry"]
        assert set(await socket.until("caught_up")) == {"type", "cursor"}


# --- who ------------------------------------------------------------------------------------------------------------


async def test_nobody_is_4401_no_role_is_4403_no_such_conversation_is_4404(
    conversation: Conversation, key: str
) -> None:
    speak_only = await sync_to_async(key_of)("manager", "speak")
    for path, given, code in (
        (path_of(conversation), None, 4401),
        (path_of(conversation), "abcdefgh.wrong", 4401),
        (path_of(conversation), speak_only, 4403),
        ("/ws/v1/conversations/cv_nope/", key, 4404),
        ("/ws/v1/log/", None, 4401),
    ):
        async with connected(path, given) as socket:
            assert await socket.closed() == code, path


async def test_a_bad_query_is_told_before_the_close(conversation: Conversation, key: str) -> None:
    bad = [path_of(conversation, "?after=x"), path_of(conversation, "?after=-1")]
    for path in (*bad, "/ws/v1/log/?after=x", "/ws/v1/log/?kind=nope"):
        async with connected(path, key) as socket:
            assert (await socket.next())["error"]["code"] == "invalid", path
            assert await socket.closed() == 4400


async def test_a_session_will_do_from_our_own_pages_and_not_from_others(conversation: Conversation, key: str) -> None:
    def signed_in() -> str:
        client = Client()
        assert client.login(username="operator", password=PASSWORD)
        return "; ".join(f"{name}={cookie.value}" for name, cookie in client.cookies.items())

    cookie = await sync_to_async(signed_in)()
    here = {"cookie": cookie, "host": "localhost", "origin": "http://localhost"}
    async with connected(path_of(conversation), **here) as socket:
        assert (await socket.next())["type"] == "caught_up"
    assert not await Line(path_of(conversation), {**here, "origin": "http://evil.example"}).connect()


async def test_a_key_that_is_revoked_ends_the_connection(
    conversation: Conversation, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "ASK_AGAIN", 0.0)
    async with connected(path_of(conversation), key) as socket:
        await socket.until("caught_up")
        row = await ApiKey.objects.aget(prefix=key.partition(".")[0])
        await sync_to_async(
            lambda: revoke_key(ApiKey.objects.select_related("user").get(pk=row.pk), actor=Actor("x"))
        )()
        assert await socket.closed() == 4401


# --- speaking -------------------------------------------------------------------------------------------------------


async def test_an_echo_is_acknowledged_with_its_ref_and_told(conversation: Conversation, key: str) -> None:
    async with connected(path_of(conversation), key) as socket:
        await socket.send(type="echo", text="Hello.", inference_id="a", ref={"mine": 1})
        ack = await socket.until("ack")
        assert (ack["ref"], ack["echo"]["inference_id"]) == ({"mine": 1}, "a")
        assert (await socket.until("echo", inference_id="a"))["echo"]["source"] == "websocket"
        assert (await Echo.objects.aget()).actor == "operator (key ws)"


async def test_audio_frames_are_one_echo_in_order_whatever_their_length(conversation: Conversation, key: str) -> None:
    pcm = bytes(range(256)) * 40
    async with connected(path_of(conversation), key) as socket:
        await socket.send(type="audio", sample_rate=16000, inference_id="v", ref="open")
        await socket.until("ack", ref="open")
        for start in range(0, len(pcm), 333):
            await socket.communicator.send_to(bytes_data=pcm[start : start + 333])
        await socket.send(type="audio_end", ref="end")
        await socket.until("ack", ref="end")
    echo = await Echo.objects.aget()
    assert echo.closed_at is not None
    assert await sync_to_async(clips.read_samples)(echo.clip_id, 0, 99_999) == pcm


async def test_half_a_sample_at_the_end_is_told_and_the_rest_is_said(conversation: Conversation, key: str) -> None:
    async with connected(path_of(conversation), key) as socket:
        await socket.send(type="audio", sample_rate=24000)
        await socket.communicator.send_to(bytes_data=bytes(4801))
        await socket.send(type="audio_end", ref="end")
        assert "middle of a sample" in (await socket.until("error"))["error"]["message"]
    echo = await Echo.objects.aget()
    assert (echo.closed_at is not None, echo.seconds) == (True, 0.1)


async def test_samples_that_come_before_the_connection_breaks_are_kept(conversation: Conversation, key: str) -> None:
    async with connected(path_of(conversation), key) as socket:
        await socket.send(type="audio", sample_rate=24000)
        await socket.until("ack")
        await socket.communicator.send_to(bytes_data=bytes(4800))
    echo = await Echo.objects.aget()
    assert (echo.closed_at, echo.seconds) == (None, 0.1)


async def test_an_interrupt_is_answered_with_what_came_of_it(conversation: Conversation, key: str) -> None:
    await sync_to_async(make.echo)(conversation=conversation, inference_id="w", state="queued")
    async with connected(path_of(conversation), key) as socket:
        await socket.send(type="interrupt", ref=1)
        await socket.until("echo", state="cancelled")
        row = await Interaction.objects.aget()
        await Interaction.objects.aupdate(
            state="sent", ended_at=row.queued_at, result={"interrupted": "x", "confirmed": True}
        )
        ack = await socket.until("ack")
        assert ack == {"type": "ack", "ref": 1, "cancelled": ["w"], "interrupted": "x", "confirmed": True}


BAD_MESSAGES = [
    ("{", "invalid"),
    ("[1]", "invalid"),
    ('{"type": "sing", "ref": 1}', "invalid"),
    ('{"type": "echo", "ref": 1}', "invalid"),
    ('{"type": "echo", "text": "", "ref": 1}', "empty"),
    ('{"type": "echo", "text": "a\\ud800", "ref": 1}', "invalid"),
    ('{"type": "echo", "audio": "####", "ref": 1}', "invalid"),
    ('{"type": "echo", "text": "a", "inference_id": "a b", "ref": 1}', "invalid"),
    ('{"type": "audio", "sample_rate": 0, "ref": 1}', "bad_sample_rate"),
    ('{"type": "audio_end", "ref": 1}', "no_audio"),
]


async def test_a_message_that_can_not_be_is_an_error_and_the_connection_lives(
    conversation: Conversation, key: str
) -> None:
    async with connected(path_of(conversation), key) as socket:
        for message, code in BAD_MESSAGES:
            await socket.communicator.send_to(text_data=message)
            told = await socket.until("error")
            assert (told["error"]["code"], told["ref"]) == (code, 1 if "ref" in message else None), message
        await socket.communicator.send_to(bytes_data=bytes(10))
        assert (await socket.until("error"))["error"]["code"] == "no_audio"
        await socket.send(type="echo", text="Still here.", ref=2)
        assert (await socket.until("ack"))["ref"] == 2


async def test_who_may_only_read_can_not_speak(conversation: Conversation) -> None:
    for key in (await sync_to_async(key_of)("auditor"), await sync_to_async(key_of)("manager", "read")):
        async with connected(path_of(conversation), key) as socket:
            await socket.send(type="echo", text="Hello.", ref=1)
            assert (await socket.until("error"))["error"]["code"] == "forbidden"
    assert not await Echo.objects.aexists()


async def test_a_conversation_that_ended_meanwhile_is_not_spoken_in(conversation: Conversation, key: str) -> None:
    async with connected(path_of(conversation), key) as socket:
        await Conversation.objects.filter(pk=conversation.pk).aupdate(status="ended")
        await socket.send(type="echo", text="Hello.", ref=1)
        assert (await socket.until("error"))["error"]["code"] == "conversation_over"
