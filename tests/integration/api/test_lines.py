"""Saved lines over REST: whose they are, what they may be, and that their samples stay."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from rest_framework.test import APIClient

from conversations.audio import wav_header
from conversations.models import Echo, SavedLine
from conversations.services import lines
from echoadmin.actors import Actor
from echoadmin.log import clips
from echoadmin.log.keeping.samples import drop_unneeded
from echoadmin.log.models import Clip
from echoadmin.log.proof.triggers import lifted
from tests import make

pytestmark = pytest.mark.django_db
ClientOf = Callable[..., APIClient]
LINES = "/api/v1/lines/"


def wav(samples: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile("a.wav", wav_header(len(samples), 24_000) + samples, "audio/wav")


def saved_clip(client: APIClient, samples: bytes = b"\1\0" * 2400) -> SavedLine:
    answer = client.post(LINES, {"name": "Clip", "file": wav(samples), "shared": "true"}, format="multipart")
    assert answer.status_code == 201, answer.content
    return SavedLine.objects.get(public_id=answer.json()["id"])


def drop(clip: int) -> None:
    """As pruning and erasing do."""
    with lifted("prune"), connection.cursor() as cursor:
        drop_unneeded(cursor, [clip])


def test_a_line_is_saved_changed_and_taken_away(client_of: ClientOf) -> None:
    client = client_of("operator")
    made = client.post(LINES, {"name": "Welcome", "text": "Hello, and welcome."}, format="json")
    assert made.status_code == 201
    assert made.json() | {"modality": "text", "shared": False, "text": "Hello, and welcome."} == made.json()
    one = f"{LINES}{made.json()['id']}/"
    assert client.get(LINES).json()["results"] == [made.json()]
    changed = client.patch(one, {"text": "Hello.", "shared": True, "position": 7}, format="json").json()
    assert (changed["text"], changed["shared"], changed["position"], changed["name"]) == ("Hello.", True, 7, "Welcome")
    assert client.delete(one).status_code == 204
    assert client.get(one).status_code == 404


def test_what_is_not_shared_is_its_owners_and_what_is_shared_is_changed_by_its_owner(client_of: ClientOf) -> None:
    own = make.line(shared=False, owner_id=make.user("operator").pk)
    shared = make.line(shared=True, owner_id=own.owner_id)
    client = client_of("operator")
    assert client.get(f"{LINES}{own.public_id}/").status_code == 404
    assert [row["id"] for row in client.get(LINES).json()["results"]] == [shared.public_id]
    for ask in (client.delete, lambda path: client.patch(path, {"name": "Mine"}, format="json")):
        assert ask(f"{LINES}{shared.public_id}/").status_code == 403
    lines.delete_line(actor=Actor(name="root", role="admin"), line=shared)
    assert client.get(LINES).json()["results"] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"text": "Hello."}, "name"),
        ({"name": "x" * 101, "text": "Hello."}, "name"),
        ({"name": "a", "text": ""}, "text"),
        ({"name": "a", "text": "x" * 20_001}, "text"),
        ({"name": "a"}, "text"),
        ({"name": "a", "text": "b", "inference_id": "c"}, "text"),
        ({"name": "a", "text": "b", "shared": "perhaps"}, "shared"),
        ({"name": "a", "text": "b", "colour": "red"}, "colour"),
    ],
)
def test_what_can_not_be_names_its_field(client_of: ClientOf, body: dict[str, Any], field: str) -> None:
    answer = client_of("operator").post(LINES, body, format="json")
    assert answer.status_code in (400, 413)
    assert field in answer.json()["error"]["fields"]
    assert not SavedLine.objects.exists()


def test_a_file_that_is_no_audio_leaves_nothing(client_of: ClientOf) -> None:
    file = SimpleUploadedFile("a.wav", io.BytesIO(b"\0\0\0\x18ftypmp42").read())
    answer = client_of("operator").post(LINES, {"name": "a", "file": file}, format="multipart")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "not_audio")
    assert not Clip.objects.exists()


def test_the_samples_of_a_saved_clip_are_kept_until_it_is_taken_away(client_of: ClientOf) -> None:
    client = client_of("operator")
    line = saved_clip(client)
    drop(line.clip_id or 0)
    assert clips.read_samples(line.clip_id or 0, 0, 10_000) == b"\1\0" * 2400
    assert client.delete(f"{LINES}{line.public_id}/").status_code == 204
    assert not Clip.objects.exists()


def test_a_line_of_an_echo_has_samples_of_its_own(client_of: ClientOf) -> None:
    client, room = client_of("operator"), make.room(wanted="joined")
    path = f"/api/v1/conversations/{room.conversation.public_id}/echoes/"
    client.post(path, {"file": wav(b"\2\0" * 2400), "inference_id": "one"}, format="multipart")
    echo = Echo.objects.get(inference_id="one")
    body = {"name": "Kept", "conversation": room.conversation.public_id, "inference_id": "one"}
    assert client.post(LINES, body, format="json").status_code == 201
    line = SavedLine.objects.get()
    assert line.clip_id != echo.clip_id
    assert clips.read_samples(line.clip_id or 0, 0, 10_000) == b"\2\0" * 2400
