"""An array of echoes in one POST: all are queued, in their order, or none."""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from conversations import bells
from conversations.models import Conversation, Echo, EchoState
from echoadmin.accounts.models import ApiKey, IdempotentRequest
from echoadmin.log.models import Clip
from tests import make

DEAD_PID = 2**22 + 5  # above Linux's highest
PCM = base64.b64encode(bytes(4800)).decode()


@pytest.fixture
def client(client_of: Callable[..., APIClient]) -> APIClient:
    return client_of("operator")


@pytest.fixture
def conversation(db: None) -> Conversation:
    made: Conversation = make.room().conversation
    return made


def say(client: APIClient, conversation: Conversation, items: Any, query: str = "", key: str | None = None) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    url = f"/api/v1/conversations/{conversation.public_id}/echoes/{query}"
    return client.post(url, items, format="json", headers=headers)


def words(count: int) -> list[dict[str, Any]]:
    return [{"text": f"Line {number}."} for number in range(count)]


def texts() -> list[str]:
    return list(Echo.objects.order_by("position").values_list("text", flat=True))


def test_a_hundred_are_queued_in_their_order_next_to_each_other(client: APIClient, conversation: Conversation) -> None:
    assert say(client, conversation, {"text": "Before."}).status_code == 202
    answer = say(client, conversation, words(100))
    assert answer.status_code == 202, answer.content
    assert [echo["text"] for echo in answer.json()] == [f"Line {number}." for number in range(100)]
    assert {echo["state"] for echo in answer.json()} == {"queued"}
    positions = list(Echo.objects.order_by("id").values_list("position", flat=True))
    assert positions == list(range(positions[0], positions[0] + 101))
    assert say(client, conversation, {"text": "After."}).json()["position"] == positions[-1] + 1


def test_text_and_audio_with_ids_of_their_own(client: APIClient, conversation: Conversation) -> None:
    items = [{"text": "Hello.", "inference_id": "one"}, {"audio": PCM, "sample_rate": 16_000, "pacing": "burst"}]
    first, second = say(client, conversation, items).json()
    assert (first["inference_id"], first["modality"]) == ("one", "text")
    assert (second["modality"], second["sample_rate"], second["pacing"]) == ("audio", 16_000, "burst")
    assert second["seconds"] == pytest.approx(0.15)


@pytest.mark.parametrize(
    ("bad", "status", "field"),
    [
        ({"text": ""}, 400, "items[2].text"),
        ({"text": 5}, 400, "items[2].text"),
        ({"text": "a\0b"}, 400, "items[2].text"),
        ({"text": "x" * 20_001}, 413, "items[2].text"),
        ({}, 400, "items[2].text"),
        ({"text": "a", "audio": PCM}, 400, "items[2].audio"),
        ({"file": "a"}, 400, "items[2].file"),
        ({"audio": "!"}, 400, "items[2].audio"),
        ({"audio": PCM, "sample_rate": 1}, 400, "items[2].sample_rate"),
        ({"text": "a", "pacing": "slow"}, 400, "items[2].pacing"),
        ({"text": "a", "inference_id": "no spaces"}, 400, "items[2].inference_id"),
        ({"text": "a", "inference_id": "mine"}, 400, "items[2].inference_id"),
        ({"text": "a", "inference_id": "taken"}, 409, "items[2].inference_id"),
        ("text", 400, "items[2]"),
    ],
)
def test_one_that_cannot_be_said_is_named_and_none_is_queued(
    client: APIClient, conversation: Conversation, bad: Any, status: int, field: str
) -> None:
    make.echo(conversation=conversation, inference_id="taken")
    answer = say(client, conversation, [{"text": "a", "inference_id": "mine"}, {"audio": PCM}, bad])
    assert (answer.status_code, field in answer.json()["error"]["fields"]) == (status, True), answer.content
    assert list(Echo.objects.values_list("inference_id", flat=True)) == ["taken"]
    assert not Clip.objects.exists(), "samples of what was refused are not kept"


@pytest.mark.parametrize("items", [[], words(101)], ids=["none", "101"])
def test_an_array_has_one_to_a_hundred(client: APIClient, conversation: Conversation, items: Any) -> None:
    answer = say(client, conversation, items)
    assert (answer.status_code, list(answer.json()["error"]["fields"])) == (400, ["items"])
    assert not Echo.objects.exists()


def test_the_queues_limit_is_for_all_together(client: APIClient, conversation: Conversation, settings: Any) -> None:
    settings.ECHO_MAX_QUEUED = 5
    assert say(client, conversation, words(3)).status_code == 202
    answer = say(client, conversation, words(3))
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "queue_full")
    assert Echo.objects.count() == 3
    assert say(client, conversation, words(2)).status_code == 202


def test_who_has_not_the_floor_says_none(client: APIClient, conversation: Conversation) -> None:
    conversation.room.floor_user_id = make.user().pk
    conversation.room.save()
    answer = say(client, conversation, [*words(2), {"audio": PCM}])
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "floor_taken")
    assert not Echo.objects.exists()
    assert not Clip.objects.exists()


def test_of_who_is_reviewed_all_wait_for_a_second_person(client: APIClient, conversation: Conversation) -> None:
    ApiKey.objects.update(reviewed=True)
    answer = say(client, conversation, words(3), "?wait=spoken")
    assert [echo["state"] for echo in answer.json()] == [EchoState.HELD] * 3, "and nobody waits for them"


def test_one_bell_rings_for_all(
    client: APIClient,
    conversation: Conversation,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    rung: list[Any] = []
    monkeypatch.setattr(bells, "ring", lambda bell: (bell.close(), rung.append(bell)))
    with django_capture_on_commit_callbacks(execute=True):
        say(client, conversation, words(50))
    assert len(rung) == 2, "one for the worker, one for who looks on"


def test_the_wait_is_for_the_last(
    client: APIClient, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []

    def spoken_at_once(stream: str, look: Any, seconds: float) -> None:
        looked.append(stream)
        Echo.objects.filter(text="Line 0.").update(state="spoken")
        assert look() is None, "the first is not the last"
        Echo.objects.update(state="spoken")
        assert look()

    monkeypatch.setattr("conversations.api.echoes.wait_for", spoken_at_once)
    answer = say(client, conversation, words(3), "?wait=spoken")
    assert looked == [conversation.public_id]
    assert [(echo["text"], echo["state"]) for echo in answer.json()] == [(f"Line {n}.", "spoken") for n in range(3)]


def test_an_equal_array_with_the_key_is_queued_once(client: APIClient, conversation: Conversation) -> None:
    first = say(client, conversation, words(5), key="k")
    again = say(client, conversation, words(5), key="k")
    assert first.content == again.content
    assert again["Idempotent-Replayed"] == "true"
    assert Echo.objects.count() == 5


def test_after_a_crash_the_array_that_was_queued_is_the_answer(client: APIClient, conversation: Conversation) -> None:
    items = [*words(2), {"text": "Mine.", "inference_id": "mine"}]
    first = say(client, conversation, items, key="k").json()
    IdempotentRequest.objects.update(status=None, answer="", holder=f"{socket.gethostname()}|{DEAD_PID}|x")
    conversation.room.wanted = "idle"  # to ask anew would be refused
    conversation.room.save()
    again = say(client, conversation, items, key="k")
    assert (again.status_code, again.json()) == (202, first)
    assert Echo.objects.count() == 3


def test_ids_of_their_own_make_it_safe_to_ask_again_without_a_key(
    client: APIClient, conversation: Conversation
) -> None:
    items = [{"text": f"Line {number}.", "inference_id": f"n{number}"} for number in range(3)]
    first, again = say(client, conversation, items), say(client, conversation, items)
    assert first.json() == again.json()
    more = say(client, conversation, [*items, {"text": "More."}]).json()
    assert [echo["text"] for echo in more] == [*texts()]
    assert Echo.objects.count() == 4


def test_other_addresses_take_no_array(client: APIClient, conversation: Conversation) -> None:
    url = f"/api/v1/conversations/{conversation.public_id}/interactions/"
    assert client.post(url, [{"event_type": "x"}], format="json").status_code == 400
