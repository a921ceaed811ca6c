"""The stage of a conversation's page: who is told to be in the room, the room's address, and what may be framed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.conf import LazySettings
from django.test import Client

from conversations.models import Conversation
from conversations.standing import people_of, standing
from echoadmin.log.models import Entry
from tests import make

Visitor = Callable[[str | None], Client]
TOKEN = "eyJhbGciOi.the-meeting-token"
SOURCES = ["https://daily.co", "https://*.daily.co"]
JSON = {"accept": "application/json"}

pytestmark = pytest.mark.django_db


@pytest.fixture
def row() -> Conversation:
    found = make.room().conversation
    found.meeting_token = TOKEN
    found.save()
    return found


@pytest.fixture
def framing(settings: LazySettings) -> None:
    """As a console is set that shows Daily's own rooms."""
    settings.STAGE_TEMPLATE = "conversations/parts/live/frame.html"
    settings.FRAME_SOURCES = SOURCES


def page_of(row: Conversation) -> str:
    return f"/admin/conversations/conversation/{row.public_id}/change/"


def ask(client: Client, row: Conversation) -> tuple[int, dict[str, object]]:
    answer = client.post(f"{page_of(row)}room-address/", headers=JSON)
    assert "no-store" in answer["Cache-Control"]
    return answer.status_code, answer.json()


def test_an_operator_gets_the_rooms_address_with_its_token(visitor: Visitor, row: Conversation, framing: None) -> None:
    status, said = ask(visitor("operator"), row)
    assert (status, said) == (200, {"address": f"{row.conversation_url}?t={TOKEN}"})


def test_an_open_room_has_no_token(visitor: Visitor, framing: None) -> None:
    row = make.room().conversation
    assert ask(visitor("operator"), row) == (200, {"address": row.conversation_url})


def test_who_asked_is_in_the_log_and_the_token_is_nowhere(
    visitor: Visitor, row: Conversation, framing: None, caplog: pytest.LogCaptureFixture
) -> None:
    client = visitor("operator")
    ask(client, row)
    entry = Entry.objects.get(event_type="room.watched")
    assert (entry.kind, entry.stream.public_id) == ("operator", row.public_id)
    assert entry.actor.startswith("operator-")
    row.conversation_url = "https://elsewhere.example/room"
    row.save()
    refused = ask(client, row)[1]
    bodies = "".join(str(one.body) for one in Entry.objects.all())
    pages = client.get(page_of(row)).content.decode() + client.get(f"{page_of(row)}state/").content.decode()
    for place in (bodies, pages, str(refused), caplog.text):
        assert "the-meeting-token" not in place


@pytest.mark.parametrize("role", ["auditor", None])
def test_who_may_not_speak_may_not_watch(visitor: Visitor, row: Conversation, framing: None, role: str | None) -> None:
    answer = visitor(role).post(f"{page_of(row)}room-address/", headers=JSON)
    assert answer.status_code in (302, 403)
    assert TOKEN not in answer.content.decode()
    assert not Entry.objects.filter(event_type="room.watched").exists()


def test_a_look_or_a_form_gets_no_address(visitor: Visitor, row: Conversation, framing: None) -> None:
    client = visitor("operator")
    assert client.get(f"{page_of(row)}room-address/").status_code == 405
    form = client.post(f"{page_of(row)}room-address/")
    assert (form.status_code, TOKEN in form.content.decode()) == (406, False)


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"status": "ended"}, 409, "It has ended"),
        ({"conversation_url": "https://daily.co.example/room"}, 400, "DAILY_DOMAINS"),
        ({"conversation_url": "http://tavus.daily.co/room"}, 400, "DAILY_DOMAINS"),
    ],
)
def test_what_can_not_be_watched_is_refused_with_the_way_out(
    changes: dict[str, str], status: int, words: str, visitor: Visitor, row: Conversation, framing: None
) -> None:
    for name, value in changes.items():
        setattr(row, name, value)
    row.save()
    got, said = ask(visitor("operator"), row)
    assert got == status
    assert words in str(said["error"])


def test_a_console_that_frames_nothing_gives_no_address(visitor: Visitor, row: Conversation) -> None:
    status, said = ask(visitor("operator"), row)
    assert (status, TOKEN in str(said)) == (400, False)


def test_only_the_live_page_may_frame_and_only_daily(visitor: Visitor, row: Conversation, framing: None) -> None:
    client = visitor("admin")
    live = client.get(page_of(row))
    assert "; frame-src https://daily.co https://*.daily.co" in live["Content-Security-Policy"]
    allowed = 'self "https://daily.co" "https://*.daily.co"'
    assert f"camera=({allowed}), microphone=({allowed})" in live["Permissions-Policy"]
    others = ("/admin/", "/admin/conversations/conversation/", f"{page_of(row)}state/", "/admin/log/entry/", "/healthz")
    for path in others:
        answer = client.get(path)
        assert "frame-src" not in answer.get("Content-Security-Policy", ""), path
        assert "daily" not in answer.get("Permissions-Policy", ""), path


def test_where_nothing_is_framed_the_live_page_is_as_strict_as_any(visitor: Visitor, row: Conversation) -> None:
    client = visitor("admin")
    live, other = client.get(page_of(row)), client.get("/admin/")
    assert live["Content-Security-Policy"] == other["Content-Security-Policy"]
    assert live["Permissions-Policy"] == "camera=(), microphone=(self), geolocation=()"
    assert "<iframe" not in live.content.decode()


def test_watching_is_offered_to_operators_alone_and_loads_nothing_by_itself(
    visitor: Visitor, row: Conversation, framing: None
) -> None:
    page = visitor("operator").get(page_of(row)).content.decode()
    assert "Watch the room" in page
    assert "<iframe" not in page
    assert "Watch the room" not in visitor("auditor").get(page_of(row)).content.decode()


def test_the_people_are_the_replica_the_guests_and_this_console() -> None:
    guest = {"id": "3", "name": "Ana", "joined_at": "2026-11-27T10:00:00+00:00", "is_replica": False, "is_us": False}
    room = make.room()
    room.participants = [guest, *room.participants]
    people = people_of(room)
    assert [(one["name"], one["is_replica"], one["is_us"]) for one in people] == [
        ("Persona", True, False),
        ("Ana", False, False),
        (f"echoadmin/{room.worker.name}", False, True),
    ]
    assert [one["joined_at"] for one in people] == [None, guest["joined_at"], room.joined_at.isoformat()]
    room.state, room.participants = "lost", []
    assert people_of(room) == []


def test_how_it_stands_tells_what_ends_it() -> None:
    room = make.room()
    stands = standing(room.conversation)
    assert stands["ending"]["limit"] == "max_call_duration"
    assert stands["seconds_left"] == pytest.approx(3600 - stands["seconds"], abs=1)
    room.conversation.status = "ended"
    stands = standing(room.conversation)
    assert (stands["ending"], stands["seconds_left"]) == (None, None)
