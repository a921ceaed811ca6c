"""`POST /send_audio_message`: a program of the quickstart's works here as it is."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from conversations import quickstart
from conversations.models import Conversation, Echo, EchoState
from echoadmin.log import clips
from tests import make

pytestmark = pytest.mark.django_db
ClientOf = Callable[..., APIClient]
URL = "/send_audio_message"
SENT = {"status": "Message sent successfully"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setattr(quickstart, "PATIENCE", 0.05)
    settings.LOOK_EVERY = 0.02


@pytest.fixture
def conversation(db: None) -> Conversation:
    return Conversation.objects.get(pk=make.room().conversation.pk)


@pytest.fixture
def client(client_of: ClientOf) -> APIClient:
    return client_of("operator")


def piece(conversation: Conversation, pcm: bytes, **more: Any) -> dict[str, Any]:
    return {
        "conversation_id": conversation.upstream_id,
        "modality": "audio",
        "audio": base64.b64encode(pcm).decode(),
        "sample_rate": 24000,
        **more,
    }


def test_pieces_of_one_id_are_one_echo_in_the_order_they_came(client: APIClient, conversation: Conversation) -> None:
    parts = [bytes([k, 0]) * 1200 for k in range(4)]
    for k, pcm in enumerate(parts):
        response = client.post(URL, piece(conversation, pcm, inference_id="a", done=k == 3))
        assert (response.status_code, response.json()) == (200, SENT)
    echo = Echo.objects.get()
    assert (echo.inference_id, echo.source, echo.seconds) == ("a", "quickstart", 0.2)
    assert echo.closed_at is not None
    assert clips.read_samples(echo.clip_id or 0, 0, 99_999) == b"".join(parts)


def test_equal_pieces_are_never_taken_for_repeats(client: APIClient, conversation: Conversation) -> None:
    for _ in range(3):
        client.post(URL, piece(conversation, bytes(2400), inference_id="a", done=False))
    assert Echo.objects.get().seconds == pytest.approx(0.15)


def test_without_an_id_each_post_is_an_echo_of_its_own(client: APIClient, conversation: Conversation) -> None:
    for _ in range(2):
        assert client.post(URL, piece(conversation, bytes(2400))).status_code == 200
    assert Echo.objects.filter(closed_at__isnull=False).count() == 2


def test_the_rate_is_16_khz_when_absent(client: APIClient, conversation: Conversation) -> None:
    body = piece(conversation, bytes(3200), done=True)
    del body["sample_rate"]
    client.post(URL, body)
    assert (Echo.objects.get().sample_rate, Echo.objects.get().seconds) == (16000, 0.1)


def test_a_last_piece_may_be_empty(client: APIClient, conversation: Conversation) -> None:
    client.post(URL, piece(conversation, bytes(2400), inference_id="a", done=False))
    assert client.post(URL, piece(conversation, b"", inference_id="a", done="true")).status_code == 200
    assert Echo.objects.get().closed_at is not None


def test_text_is_said_too(client: APIClient, conversation: Conversation) -> None:
    body = {"conversation_id": conversation.public_id, "modality": "text", "text": "Hello.", "inference_id": "t"}
    assert client.post(URL, body).json() == SENT
    assert (Echo.objects.get().modality, Echo.objects.get().text) == ("text", "Hello.")


def test_a_piece_that_failed_is_500_with_dailys_words(client: APIClient, conversation: Conversation) -> None:
    client.post(URL, piece(conversation, bytes(2400), inference_id="a", done=False))
    echo = Echo.objects.get()

    def fails(*_: Any) -> None:
        Echo.objects.filter(pk=echo.pk).update(state=EchoState.FAILED, detail="ChannelNotOpen")

    wait_for, quickstart.wait_for = quickstart.wait_for, lambda stream, look, seconds: (fails(), look())[1]  # type: ignore[assignment,func-returns-value]
    try:
        response = client.post(URL, piece(conversation, bytes(2400), inference_id="a", done=True))
    finally:
        quickstart.wait_for = wait_for
    assert (response.status_code, response.json()) == (500, {"error": "Failed to send message: ChannelNotOpen"})


def test_a_piece_behind_another_echo_is_answered_at_once(
    client: APIClient, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.echo(conversation=conversation, state="speaking", position=0)
    monkeypatch.setattr(quickstart, "wait_for", lambda *_: pytest.fail("it waited"))
    assert client.post(URL, piece(conversation, bytes(2400), inference_id="a", done=True)).json() == SENT


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"conversation_id": "nope"}, 400, "Not connected to a room"),
        ({"conversation_id": None}, 400, "conversation_id"),
        ({"modality": "smell"}, 400, "modality"),
        ({"audio": "####"}, 400, "base64"),
        ({"audio": "b2Rk"}, 400, "odd"),
        ({"audio": None}, 400, "audio"),
        ({"sample_rate": 0}, 400, "sample_rate"),
        ({"done": 7}, 400, "done"),
        ({"inference_id": "a b"}, 400, "inference_id"),
        ({"audio": "A" * 1_100_000}, 413, "1 MB"),
    ],
)
def test_errors_are_a_text_as_the_quickstarts_are(
    client: APIClient, conversation: Conversation, change: dict[str, Any], status: int, words: str
) -> None:
    response = client.post(URL, {**piece(conversation, bytes(2400), inference_id="a"), **change})
    assert response.status_code == status
    assert list(response.json()) == ["error"]
    assert words in response.json()["error"]
    assert not Echo.objects.exists()


def test_a_room_that_is_not_joined_is_400(client: APIClient) -> None:
    conversation = make.room(wanted="idle", state="idle").conversation
    response = client.post(URL, piece(conversation, bytes(2400)))
    assert (response.status_code, response.json()) == (400, {"error": "Not connected to a room"})


def test_a_piece_after_the_last_one_is_400(client: APIClient, conversation: Conversation) -> None:
    client.post(URL, piece(conversation, bytes(2400), inference_id="a", done=True))
    response = client.post(URL, piece(conversation, bytes(2400), inference_id="a", done=False))
    assert response.status_code == 400
    assert "no more audio" in response.json()["error"]


def test_another_rate_within_one_echo_is_400(client: APIClient, conversation: Conversation) -> None:
    client.post(URL, piece(conversation, bytes(2400), inference_id="a", done=False))
    response = client.post(URL, piece(conversation, bytes(2400), inference_id="a", sample_rate=16000))
    assert (response.status_code, "24000" in response.json()["error"]) == (400, True)


def test_it_needs_a_key_and_the_role(client_of: ClientOf, conversation: Conversation) -> None:
    nobody = APIClient().post(URL, piece(conversation, bytes(2400)))
    assert (nobody.status_code, list(nobody.json())) == (401, ["error"])
    assert nobody["WWW-Authenticate"].startswith("Bearer")
    auditor = client_of("auditor").post(URL, piece(conversation, bytes(2400)))
    assert (auditor.status_code, "role operator" in auditor.json()["error"]) == (403, True)
    assert client_of("operator").get(URL).status_code == 405
