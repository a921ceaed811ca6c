"""Stop everything: who may, what the pages say, and what is cancelled where nobody is in the room."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from conversations.models import Conversation, Echo, Interaction, Room
from echoadmin.accounts.keys import create_key
from echoadmin.actors import SYSTEM
from echoadmin.log.models import Entry
from echoadmin.runs import Run
from tests import make
from tests.twin_process import TwinProcess

Visitor = Callable[[str | None], Client]
STOP = "/admin/conversations/conversation/stop/"
PAGES = ("/admin/", "/admin/conversations/conversation/")

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _nobody_answers(settings: Any) -> None:
    """No worker runs: what an interrupt does is not waited for."""
    settings.INTERRUPT_DEADLINE = -0.9


def waiting(**room: Any) -> Conversation:
    """A conversation with a line that waits; lost, so that nobody waits for its room's word."""
    row = make.room(**room).conversation
    make.echo(conversation=row, state="queued")
    return Conversation.objects.get(pk=row.pk)


@pytest.mark.parametrize("path", PAGES)
def test_the_button_is_there_for_operators_and_offers_what_the_role_may(path: str, visitor: Visitor) -> None:
    waiting()
    shown = {role: visitor(role).get(path).content.decode() for role in ("auditor", "operator", "manager")}
    assert "Stop everything" not in shown["auditor"]
    assert 'value="leave"' in shown["operator"] and 'value="end"' not in shown["operator"]
    assert 'value="end"' in shown["manager"]


def test_it_is_no_link_and_not_for_auditors(visitor: Visitor) -> None:
    waiting()
    assert visitor("operator").get(STOP).status_code == 405
    assert visitor("auditor").post(STOP).status_code == 403
    assert Echo.objects.get().state == "queued"
    assert not Entry.objects.filter(event_type__startswith="everything.").exists()


def test_ending_is_for_managers_and_who_may_not_stops_nothing_by_it(visitor: Visitor) -> None:
    waiting()
    answer = visitor("operator").post(STOP, {"then": "end"})
    assert answer.status_code == 403
    assert "role manager" in answer.content.decode()
    assert Echo.objects.get().state == "queued"


def test_the_page_says_what_was_done_in_each_and_names_what_was_not(visitor: Visitor) -> None:
    lost, idle = waiting(state="lost"), waiting(wanted="idle", state="idle", worker=None)
    page = visitor("operator").post(STOP, {"then": "leave", "reason": "a <b>fire</b>"}, follow=True).content.decode()
    assert "Not everything could be stopped" in page
    assert "The room is lost" in page
    assert str(lost) in page and str(idle) in page
    assert {echo.state for echo in Echo.objects.all()} == {"cancelled"}
    assert [one.conversation_id for one in Interaction.objects.all()] == [lost.pk], "nobody is in the other"
    assert {room.wanted for room in Room.objects.all()} == {"idle"}
    assert "a &lt;b&gt;fire&lt;/b&gt;" in page
    again = visitor("operator").post(STOP, {"then": "leave"}, follow=True).content.decode()
    assert "Nothing was speaking" in again


def test_what_is_no_choice_stops_nothing_and_says_so(visitor: Visitor) -> None:
    waiting()
    assert visitor("operator").post(STOP, {"then": "explode"}).status_code == 400
    assert visitor("operator").post(STOP, {"reason": "x" * 501}).status_code == 400
    assert Echo.objects.get().state == "queued"


def test_what_was_done_is_read_later_by_auditors_and_a_stop_that_was_not_is_told(visitor: Visitor) -> None:
    waiting(state="lost")
    there = visitor("operator").post(STOP)["Location"]
    page = visitor("auditor").get(there).content.decode()
    assert "Not everything could be stopped" in page and "Stop everything…" not in page
    assert visitor("auditor").get("/admin/conversations/conversation/stopped/1/").status_code == 404


def test_replays_stop_with_it(visitor: Visitor) -> None:
    waits = Run.objects.create(kind="replay", params={}, actor="ana", public_id="rn_waits")
    runs = Run.objects.create(kind="replay", params={}, actor="ana", public_id="rn_runs", state="running")
    export = Run.objects.create(kind="export", params={}, actor="ana", public_id="rn_export", state="running")
    page = visitor("operator").post(STOP, follow=True).content.decode()
    assert "2 replays stopped" in page
    for run, state in ((waits, "stopped"), (runs, "stopping"), (export, "running")):
        run.refresh_from_db()
        assert run.state == state


def test_a_conversation_that_tavus_lacks_counts_as_ended(visitor: Visitor, twin: TwinProcess) -> None:
    row = waiting(wanted="idle", state="idle", worker=None)
    page = visitor("manager").post(STOP, {"then": "end"}, follow=True).content.decode()
    row.refresh_from_db()
    assert row.state == "gone"
    assert "Could not end" not in page


def client_with(role: str, *scopes: str) -> APIClient:
    _, text = create_key(user=make.user(role), label="test", actor=SYSTEM, scopes=scopes)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return client


@pytest.mark.parametrize(
    ("role", "scopes", "body", "status", "words"),
    [
        ("auditor", ("read",), {}, 403, "role operator"),
        ("operator", ("read",), {}, 403, "scope speak"),
        ("operator", ("speak",), {"then": "end"}, 403, "role manager"),
        ("manager", ("speak",), {"then": "end"}, 403, "scope manage"),
        ("operator", ("speak",), {"then": "stay"}, 400, "nothing, leave, end"),
        ("operator", ("speak",), {"then": []}, 400, "nothing, leave, end"),
        ("operator", ("speak",), {"reason": 5}, 400, "reason"),
        ("operator", ("speak",), {"when": "now"}, 400, "when"),
    ],
)
def test_by_rest_a_refusal_says_what_is_missing_and_stops_nothing(
    role: str, scopes: tuple[str, ...], body: dict[str, Any], status: int, words: str
) -> None:
    waiting()
    answer = client_with(role, *scopes).post("/api/v1/stop/", body)
    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]
    assert Echo.objects.get().state == "queued"


def test_by_rest_an_empty_body_interrupts_and_does_no_more() -> None:
    row = waiting(wanted="idle", state="idle", worker=None)
    told = client_with("operator", "speak").post("/api/v1/stop/").json()
    assert (told["then"], told["complete"]) == ("nothing", True)
    assert [one["conversation"] for one in told["conversations"]] == [row.public_id]
