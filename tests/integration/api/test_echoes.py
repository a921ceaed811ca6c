"""Echoes, interrupts and interactions over REST, with a room that is wanted and nobody in it yet."""

from __future__ import annotations

import base64
import io
import threading
import wave
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import soundfile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections
from django.utils import timezone
from rest_framework.test import APIClient

from conversations import waiting
from conversations.models import Conversation, Echo, EchoState, Interaction
from echoadmin.log import clips
from echoadmin.log.models import Clip, Entry
from tests import make

pytestmark = pytest.mark.django_db
ClientOf = Callable[..., APIClient]


@pytest.fixture
def conversation(db: None) -> Conversation:
    return Conversation.objects.get(pk=make.room().conversation.pk)


@pytest.fixture
def client(client_of: ClientOf) -> APIClient:
    return client_of("operator")


@pytest.fixture
def url(conversation: Conversation) -> str:
    return f"/api/v1/conversations/{conversation.public_id}/"


def b64(pcm: bytes) -> str:
    return base64.b64encode(pcm).decode()


def wav(seconds: float = 0.5, rate: int = 24000) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, np.zeros(int(seconds * rate), dtype="int16"), rate, format="WAV", subtype="PCM_16")
    return out.getvalue()


def test_a_text_is_queued_with_all_that_is_known_of_it(client: APIClient, url: str, conversation: Conversation) -> None:
    response = client.post(f"{url}echoes/", {"text": "Hello there."})
    assert response.status_code == 202
    told = response.json()
    assert (told["state"], told["modality"], told["text"]) == ("queued", "text", "Hello there.")
    assert (told["conversation"], told["conversation_id"]) == (conversation.public_id, conversation.upstream_id)
    assert (told["actor"], told["source"]) == ("operator (key test)", "rest")
    assert set(told["times"]) >= {"queued", "sending", "sent", "speaking", "spoken"}
    assert told["times"]["queued"].endswith("Z")
    assert told["times"]["sent"] is None
    assert client.get(f"{url}echoes/{told['inference_id']}/").json() == told


def test_either_id_of_the_conversation_will_do(client: APIClient, conversation: Conversation) -> None:
    path = f"/api/v1/conversations/{conversation.upstream_id}/echoes/"
    assert client.post(path, {"text": "Hello."}).status_code == 202
    assert len(client.get(path).json()["results"]) == 1


def test_the_same_id_and_words_are_the_same_echo_and_other_words_are_409(client: APIClient, url: str) -> None:
    first = client.post(f"{url}echoes/", {"text": "Hello.", "inference_id": "a"})
    again = client.post(f"{url}echoes/", {"text": "Hello.", "inference_id": "a"})
    other = client.post(f"{url}echoes/", {"text": "Other.", "inference_id": "a"})
    assert (first.status_code, again.status_code, other.status_code) == (202, 202, 409)
    assert first.json()["id"] == again.json()["id"]
    assert other.json()["error"]["code"] == "inference_id_taken"
    assert "inference_id" in other.json()["error"]["fields"]


def test_samples_are_kept_bit_for_bit_and_come_back_as_wav(client: APIClient, url: str) -> None:
    pcm = np.random.default_rng(1).integers(-30000, 30000, 8000, dtype="<i2").tobytes()
    told = client.post(f"{url}echoes/", {"audio": b64(pcm), "sample_rate": 16000, "pacing": "burst"}).json()
    assert (told["modality"], told["sample_rate"], told["seconds"], told["pacing"]) == ("audio", 16000, 0.5, "burst")
    response = client.get(f"{url}echoes/{told['inference_id']}/audio/", HTTP_ACCEPT="audio/*")
    whole = b"".join(response.streaming_content)  # type: ignore[attr-defined]
    assert (response.status_code, response["Content-Type"]) == (200, "audio/wav")
    assert int(response["Content-Length"]) == len(whole)
    with wave.open(io.BytesIO(whole)) as reader:
        assert reader.getframerate() == 16000
        assert reader.readframes(reader.getnframes()) == pcm
    part = client.get(f"{url}echoes/{told['inference_id']}/audio/", HTTP_RANGE="bytes=40-99")
    assert (part.status_code, part["Content-Range"]) == (206, f"bytes 40-99/{len(whole)}")
    assert b"".join(part.streaming_content) == whole[40:100]  # type: ignore[attr-defined]
    outside = client.get(f"{url}echoes/{told['inference_id']}/audio/", HTTP_RANGE=f"bytes={len(whole)}-")
    assert (outside.status_code, outside["Content-Range"]) == (416, f"bytes */{len(whole)}")


def test_a_file_becomes_an_echo_at_24_khz(client: APIClient, url: str) -> None:
    file = SimpleUploadedFile("a.wav", wav(0.5, 48000), "audio/wav")
    response = client.post(
        f"{url}echoes/", {"file": file, "inference_id": "f", "pacing": "realtime"}, format="multipart"
    )
    assert response.status_code == 202
    told = response.json()
    assert (told["inference_id"], told["sample_rate"], told["pacing"]) == ("f", 24000, "realtime")
    assert told["seconds"] == pytest.approx(0.5, abs=0.01)


def test_a_text_has_no_audio_and_says_why(client: APIClient, url: str) -> None:
    told = client.post(f"{url}echoes/", {"text": "Hello."}).json()
    response = client.get(f"{url}echoes/{told['inference_id']}/audio/")
    assert response.status_code == 404
    assert "text" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 400, "text"),
        ({"text": "a", "audio": "AAAA"}, 400, "audio"),
        ({"text": ""}, 400, "text"),
        ({"text": "   "}, 400, "text"),
        ({"text": 7}, 400, "text"),
        ({"text": "x" * 100_000}, 413, "text"),
        ({"text": "bell\x07"}, 400, "text"),
        ({"text": "a", "inference_id": "a b"}, 400, "inference_id"),
        ({"text": "a", "inference_id": "x" * 129}, 400, "inference_id"),
        ({"text": "a", "inference_id": 7}, 400, "inference_id"),
        ({"text": "a", "pacing": "slow"}, 400, "pacing"),
        ({"audio": "####"}, 400, "audio"),
        ({"audio": ""}, 400, "audio"),
        ({"audio": b64(b"odd")}, 400, "audio"),
        ({"audio": b64(bytes(4)), "sample_rate": 0}, 400, "sample_rate"),
        ({"audio": b64(bytes(4)), "sample_rate": 1_000_000}, 400, "sample_rate"),
        ({"audio": b64(bytes(4)), "sample_rate": "x"}, 400, "sample_rate"),
        ({"audio": b64(bytes(8000 * 2 * 601)), "sample_rate": 8000}, 413, "audio"),
        ({"file": "not a file"}, 400, "file"),
    ],
)
def test_what_can_not_be_said_names_its_field_and_leaves_nothing(
    client: APIClient, url: str, body: Any, status: int, field: str
) -> None:
    response = client.post(f"{url}echoes/", body)
    assert response.status_code == status
    assert field in response.json()["error"]["fields"]
    assert not Echo.objects.exists()
    assert not Clip.objects.exists()


def test_a_lone_surrogate_is_refused_by_name(client: APIClient, url: str) -> None:
    response = client.generic("POST", f"{url}echoes/", '{"text": "a\\ud800"}', content_type="application/json")
    assert response.status_code == 400
    assert list(response.json()["error"]["fields"]) == ["text"]


@pytest.mark.parametrize(
    ("name", "data", "status"),
    [
        ("empty.wav", b"", 400),
        ("broken.wav", wav()[:2000], 400),
        ("video.mp4", b"\x00\x00\x00\x20ftypisom" + bytes(3000), 400),
        ("text.txt", b"hello world " * 100, 400),
    ],
)
def test_a_file_that_is_no_audio_is_refused_and_leaves_nothing(
    client: APIClient, url: str, name: str, data: bytes, status: int
) -> None:
    file = SimpleUploadedFile(name, data or b"x", "audio/wav")
    if not data:
        file = SimpleUploadedFile(name, b"", "audio/wav")
    response = client.post(f"{url}echoes/", {"file": file}, format="multipart")
    assert response.status_code == status
    assert "file" in response.json()["error"]["fields"]
    assert not Clip.objects.exists()


def test_an_hour_of_audio_is_413(client: APIClient, url: str) -> None:
    out = io.BytesIO()
    soundfile.write(out, np.zeros(8000 * 3600, dtype="int16"), 8000, format="FLAC", subtype="PCM_16")
    file = SimpleUploadedFile("hour.flac", out.getvalue(), "audio/flac")
    response = client.post(f"{url}echoes/", {"file": file}, format="multipart")
    assert response.status_code == 413
    assert "600 seconds" in response.json()["error"]["message"]
    assert not Clip.objects.exists()


@pytest.mark.parametrize(
    ("room", "columns", "code"),
    [
        ({"wanted": "idle", "state": "idle"}, {}, "not_joined"),
        ({}, {"status": "ended"}, "conversation_over"),
        ({}, {"state": "gone"}, "conversation_over"),
    ],
)
def test_where_nobody_would_hear_it_it_is_409(
    client: APIClient, room: dict[str, Any], columns: dict[str, Any], code: str
) -> None:
    conversation = make.room(conversation=make.conversation(**columns), **room).conversation
    for body in ({"text": "Hello."}, {"audio": b64(bytes(4800))}):
        response = client.post(f"/api/v1/conversations/{conversation.public_id}/echoes/", body)
        assert (response.status_code, response.json()["error"]["code"]) == (409, code)
    assert not Echo.objects.exists()
    assert not Clip.objects.exists()


def test_a_full_queue_is_429(client: APIClient, url: str, settings: Any) -> None:
    settings.ECHO_MAX_QUEUED = 2
    answers = [client.post(f"{url}echoes/", {"text": "Hello."}).status_code for _ in range(3)]
    assert answers == [202, 202, 429]


def test_echoes_are_listed_by_state_newest_first(client: APIClient, url: str, conversation: Conversation) -> None:
    for state in ("spoken", "queued", "failed"):
        make.echo(conversation=conversation, state=state)
    make.echo()  # another conversation's
    found = client.get(f"{url}echoes/").json()["results"]
    assert [row["state"] for row in found] == ["failed", "queued", "spoken"]
    assert [row["state"] for row in client.get(f"{url}echoes/?state=spoken,queued").json()["results"]] == [
        "queued",
        "spoken",
    ]
    assert client.get(f"{url}echoes/?state=unheard-of").json()["results"] == []
    assert client.get(f"{url}echoes/?modality=smell").status_code == 400


@pytest.mark.parametrize("what", ["echoes", "interactions"])
def test_a_list_within_a_conversation_asks_as_often_for_many_as_for_one(
    client: APIClient, url: str, conversation: Conversation, what: str, django_assert_num_queries: Any
) -> None:
    one = make.echo if what == "echoes" else make.interaction
    one(conversation=conversation)
    client.get(f"{url}{what}/")
    with django_assert_num_queries(4):  # key and user, groups, conversation, list
        client.get(f"{url}{what}/")
    old = make.echo(conversation=conversation)
    for _ in range(5):
        one(conversation=conversation, **({"again_of": old} if what == "echoes" else {}))
    with django_assert_num_queries(4):
        assert len(client.get(f"{url}{what}/").json()["results"]) >= 6


def test_a_waiting_echo_can_be_cancelled_and_one_under_way_can_not(
    client: APIClient, url: str, conversation: Conversation
) -> None:
    waiting_one = client.post(f"{url}echoes/", {"text": "Hello."}).json()
    response = client.delete(f"{url}echoes/{waiting_one['inference_id']}/")
    assert (response.status_code, response.json()["state"]) == (200, "cancelled")
    speaking = make.echo(conversation=conversation, state="speaking")
    response = client.delete(f"{url}echoes/{speaking.inference_id}/")
    assert (response.status_code, response.json()["error"]["code"]) == (409, "not_now")
    assert "interrupt" in response.json()["error"]["message"]


def test_what_ended_can_be_said_again_as_a_new_echo(client: APIClient, url: str, conversation: Conversation) -> None:
    old = make.echo(conversation=conversation, state="unconfirmed", text="Once more.")
    response = client.post(f"{url}echoes/{old.inference_id}/again/", headers={"Idempotency-Key": "k"})
    again = client.post(f"{url}echoes/{old.inference_id}/again/", headers={"Idempotency-Key": "k"})
    assert response.status_code == 202
    assert (response.json()["text"], response.json()["again_of"]) == ("Once more.", old.inference_id)
    assert again.json() == response.json()
    running = make.echo(conversation=conversation, state="sending")
    assert client.post(f"{url}echoes/{running.inference_id}/again/").status_code == 409


def test_an_unknown_echo_is_404(client: APIClient, url: str) -> None:
    other = make.echo()
    for inference_id in ("nope", other.inference_id):
        assert client.get(f"{url}echoes/{inference_id}/").status_code == 404


def test_an_interrupt_empties_the_queue_and_says_when_nobody_confirmed(
    client: APIClient, url: str, settings: Any
) -> None:
    settings.INTERRUPT_DEADLINE = -0.9
    waiting_one = client.post(f"{url}echoes/", {"text": "Hello."}).json()["inference_id"]
    response = client.post(f"{url}interrupt/")
    assert response.status_code == 200
    assert response.json() == {"cancelled": [waiting_one], "interrupted": None, "confirmed": False}
    assert Interaction.objects.get().event_type == "conversation.interrupt"
    assert Entry.objects.filter(event_type="echo.interrupt").exists()


def test_an_interaction_is_queued_with_what_was_left_out_filled_in(
    client: APIClient, url: str, conversation: Conversation
) -> None:
    body = {"event_type": "conversation.sensitivity", "properties": {"participant_pause_sensitivity": "low"}}
    response = client.post(f"{url}interactions/", body)
    assert response.status_code == 202
    assert response.json()["message"] == {
        "message_type": "conversation",
        "conversation_id": conversation.upstream_id,
        **body,
    }
    assert client.get(f"{url}interactions/").json()["results"] == [response.json()]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 400, "event_type"),
        ({"event_type": 7}, 400, "event_type"),
        ({"event_type": "x" * 121}, 400, "event_type"),
        ({"event_type": "conversation.echo"}, 400, "event_type"),
        ({"event_type": "app.big", "data": "x" * 5000}, 413, "message"),
        ({"event_type": "app.big", "data": 2**70}, 400, "message"),
    ],
)
def test_an_interaction_that_can_not_be_sent_is_refused_by_name(
    client: APIClient, url: str, body: Any, status: int, field: str
) -> None:
    response = client.post(f"{url}interactions/", body)
    assert response.status_code == status
    assert field in response.json()["error"]["fields"]
    assert not Interaction.objects.exists()


# --- waiting --------------------------------------------------------------------------------------------------------


def later(inference_id: str, **columns: Any) -> threading.Thread:
    """Changes an echo as a worker would, once it is there."""

    def change() -> None:
        try:
            while not Echo.objects.filter(inference_id=inference_id).exists():
                pass
            Echo.objects.filter(inference_id=inference_id).update(**columns)
        finally:
            connections.close_all()

    thread = threading.Thread(target=change)
    thread.start()
    return thread


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("wait", "columns"),
    [
        ("sent", {"state": EchoState.SENT, "sent_at": timezone.now()}),
        ("sent", {"state": EchoState.FAILED}),
        ("spoken", {"state": EchoState.SPOKEN}),
        ("spoken", {"state": EchoState.INTERRUPTED}),
    ],
)
def test_the_answer_waits_until_it_is_as_far_as_asked(
    client: APIClient, url: str, settings: Any, wait: str, columns: dict[str, Any]
) -> None:
    settings.LOOK_EVERY = 0.05
    worker = later("w", **columns)
    response = client.post(f"{url}echoes/?wait={wait}", {"text": "Hello.", "inference_id": "w"})
    worker.join()
    assert (response.status_code, response.json()["state"]) == (202, columns["state"])


def test_it_waits_only_so_long(client: APIClient, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conversations.api.echoes.WAIT", 0.1)
    response = client.post(f"{url}echoes/?wait=spoken", {"text": "Hello."}, headers={"Idempotency-Key": "k"})
    assert (response.status_code, response.json()["state"]) == (202, "queued")
    again = client.post(f"{url}echoes/?wait=spoken", {"text": "Hello."}, headers={"Idempotency-Key": "k"})
    assert again.json()["inference_id"] == response.json()["inference_id"]


def test_when_too_many_wait_the_answer_comes_at_once(
    client: APIClient, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "WAITERS", threading.BoundedSemaphore(1))
    waiting.WAITERS.acquire()
    assert client.post(f"{url}echoes/?wait=spoken", {"text": "Hello."}).json()["state"] == "queued"


def test_it_waits_for_nothing_else(client: APIClient, url: str) -> None:
    response = client.post(f"{url}echoes/?wait=heard", {"text": "Hello."})
    assert response.status_code == 400
    assert "wait" in response.json()["error"]["fields"]
    assert not Echo.objects.exists()


def test_samples_that_were_erased_are_told_as_such(client: APIClient, url: str, conversation: Conversation) -> None:
    clip = clips.new_clip(24000)
    echo = make.echo(conversation=conversation, modality="audio", clip_id=clip.pk, sample_rate=24000)
    Clip.objects.filter(pk=clip.pk).delete()
    response = client.get(f"{url}echoes/{echo.inference_id}/audio/")
    assert (response.status_code, "erased" in response.json()["error"]["message"]) == (404, True)
