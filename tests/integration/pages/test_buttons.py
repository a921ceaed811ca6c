"""The buttons: who may press them, how they answer, and that none of them is a link."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from django.test import Client

from conversations.models import Conversation, Echo, Interaction, Room
from tests import make
from tests.twin_process import TwinProcess

Visitor = Callable[[str | None], Client]
JSON = {"Accept": "application/json"}

BUTTONS = {
    "join": "operator",
    "leave": "operator",
    "speak": "operator",
    "interrupt": "operator",
    "end": "manager",
    "sync": "manager",
}
ROLES = ("auditor", "operator", "manager", "admin")


def base(row: Conversation) -> str:
    return f"/admin/conversations/conversation/{row.public_id}/change/"


@pytest.mark.django_db
@pytest.mark.parametrize("name", BUTTONS)
def test_a_button_is_no_link(name: str, visitor: Visitor) -> None:
    row = make.room().conversation
    assert visitor("admin").get(f"{base(row)}{name}/").status_code == 405


@pytest.mark.django_db
@pytest.mark.parametrize("name", BUTTONS)
def test_a_role_without_the_right_is_told_which_it_needs(name: str, visitor: Visitor) -> None:
    row = make.room().conversation
    lacking = [role for role in ROLES if ROLES.index(role) < ROLES.index(BUTTONS[name])]
    for role in lacking:
        answer = visitor(role).post(f"{base(row)}{name}/", {"text": "Hello."})
        assert answer.status_code == 403
        assert f"Only a user with the role {BUTTONS[name]} or higher" in answer.content.decode()
    assert not Echo.objects.exists()
    assert Room.objects.get(conversation=row).wanted == "joined"


@pytest.mark.django_db
def test_a_button_without_its_token_does_nothing() -> None:
    row, client = make.room().conversation, Client(enforce_csrf_checks=True)
    client.force_login(make.user("operator"))
    answer = client.post(f"{base(row)}speak/", {"text": "Hello."})
    assert answer.status_code == 403
    assert "no longer valid" in answer.content.decode()
    assert not Echo.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_line_is_queued_by_the_page_once_however_often_it_is_sent(visitor: Visitor) -> None:
    row, client = make.room().conversation, visitor("operator")
    for _ in range(2):
        answer = client.post(f"{base(row)}speak/", {"text": "Hello.", "inference_id": "one"}, headers=JSON)
        assert answer.status_code == 202
        assert answer.json()["state"] == "queued"
    echo = Echo.objects.get()
    assert (echo.text, echo.source) == ("Hello.", "page")


@pytest.mark.django_db(transaction=True)
def test_what_cannot_be_said_is_told_with_the_way_out(visitor: Visitor) -> None:
    row, client = make.room().conversation, visitor("operator")
    for text in ("", "x" * 100_000):
        answer = client.post(f"{base(row)}speak/", {"text": text}, headers=JSON)
        assert answer.status_code in (400, 413)
        assert answer.json()["error"]["message"]
    assert not Echo.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_room_that_is_not_joined_is_told_in_the_page_too(visitor: Visitor) -> None:
    row, client = make.room(wanted="idle", state="idle").conversation, visitor("operator")
    answer = client.post(f"{base(row)}speak/", {"text": "Hello."}, headers=JSON)
    assert answer.status_code == 409
    page = client.post(f"{base(row)}speak/", {"text": "Hello."}, follow=True).content.decode()
    assert answer.json()["error"]["message"].split(".")[0] in page


@pytest.mark.django_db(transaction=True)
def test_an_audio_file_is_queued(visitor: Visitor) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    from conversations.audio import wav_header

    row, client = make.room().conversation, visitor("operator")
    samples = bytes(48_000)
    file = SimpleUploadedFile("hello.wav", wav_header(len(samples), 24_000) + samples, "audio/wav")
    answer = client.post(f"{base(row)}speak/", {"audio": file}, headers=JSON)
    assert answer.status_code == 202, answer.content
    assert answer.json()["seconds"] == pytest.approx(1.0)
    broken = SimpleUploadedFile("hello.wav", b"RIFF no", "audio/wav")
    assert client.post(f"{base(row)}speak/", {"audio": broken}, headers=JSON).status_code == 400
    assert Echo.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_queued_lines_are_cancelled_one_by_one_and_all_by_an_interrupt(visitor: Visitor) -> None:
    row, client = make.room().conversation, visitor("operator")
    for name in ("one", "two", "three"):
        client.post(f"{base(row)}speak/", {"text": name, "inference_id": name}, headers=JSON)
    assert client.post(f"{base(row)}echoes/two/cancel/", headers=JSON).json()["state"] == "cancelled"
    assert sorted(client.post(f"{base(row)}interrupt/", headers=JSON).json()["cancelled"]) == ["one", "three"]
    again = client.post(f"{base(row)}echoes/two/again/", headers=JSON)
    assert again.status_code == 202
    assert again.json()["text"] == "two"


@pytest.mark.django_db(transaction=True)
def test_a_conversation_that_upstream_lacks_is_not_ended_silently(visitor: Visitor, twin: TwinProcess) -> None:
    row = make.room().conversation
    page = visitor("manager").post(f"{base(row)}end/", follow=True).content.decode()
    assert "errornote" in page or "doesn’t have it any more" in page or "doesn't have it any more" in page


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("room", "words"),
    [
        ({"wanted": "idle", "state": "idle"}, "Join the room first"),
        ({"replica_present": False}, "The replica has not joined yet"),
        ({"state": "lost"}, "The room is lost"),
        ({}, "Enter says it"),
    ],
)
def test_the_page_says_beforehand_why_nothing_can_be_said(
    room: dict[str, object], words: str, visitor: Visitor
) -> None:
    row = make.room(**room).conversation
    assert words in visitor("operator").get(f"{base(row)}state/").json()["hint"]


@pytest.mark.django_db
def test_the_composer_is_off_when_the_conversation_has_ended(visitor: Visitor) -> None:
    row = make.room(conversation__status="ended").conversation
    state = visitor("operator").get(f"{base(row)}state/").json()
    assert (state["can_speak"], state["hint"].split(".")[0]) == (False, "This conversation has ended")


@pytest.mark.django_db(transaction=True)
def test_another_interaction_is_sent_as_json(visitor: Visitor) -> None:
    row, client = make.room().conversation, visitor("operator")
    message = {"message_type": "conversation", "event_type": "conversation.respond", "properties": {"text": "Hi."}}
    answer = client.post(f"{base(row)}send/", {"message": json.dumps(message)}, headers=JSON)
    assert answer.status_code == 202
    assert Interaction.objects.get().event_type == "conversation.respond"
    for wrong in ("", "{", "[]", '{"event_type": "conversation.echo"}'):
        assert client.post(f"{base(row)}send/", {"message": wrong}, headers=JSON).status_code == 400, wrong
    assert Interaction.objects.count() == 1
