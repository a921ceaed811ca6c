"""The orphan guard: three kinds, each named with an alert, ended only where its policy says so; and adoption."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.utils import timezone
from rest_framework.test import APIClient

from conversations.models import Conversation, Room
from conversations.services import mirroring
from conversations.services.orphans import adopt_stranger, guard, look_for_orphans
from echoadmin.actors import SYSTEM, Actor
from echoadmin.alerts.models import Alert
from echoadmin.env import Policy
from echoadmin.mirror.kinds import NotPossible
from tests import make
from tests.integration.money.conftest import Find
from tests.twin_process import TwinProcess

ANA = Actor(name="ana", source="rest", user_id=7, api_key_ref="k1")
BODY = {"replica_id": "re8e740a42", "persona_id": "pipecat0"}
END = Policy(ends=True, minutes=10)
US = {"id": "2", "name": "echoadmin/other", "joined_at": None, "is_replica": False, "is_us": False}
REPLICA = {"id": "1", "name": "Persona", "joined_at": None, "is_replica": True, "is_us": False}
HUMAN = {"id": "3", "name": "Ana", "joined_at": None, "is_replica": False, "is_us": False}
pytestmark = pytest.mark.django_db(transaction=True)


def aged(row: Conversation, minutes: float) -> Conversation:
    Conversation.objects.filter(pk=row.pk).update(upstream_created_at=timezone.now() - timedelta(minutes=minutes))
    row.refresh_from_db()
    return row


def create(**more: Any) -> Conversation:
    return mirroring.create_conversation(actor=ANA, body={**BODY, **more})


def flagged(row: Conversation) -> str:
    look_for_orphans(actor=SYSTEM)
    row.refresh_from_db()
    return row.orphan_kind


@pytest.mark.parametrize(
    ("people", "kind"), [([REPLICA, US], "nobody"), ([REPLICA], "nobody"), ([REPLICA, US, HUMAN], ""), ([HUMAN], "")]
)
def test_the_console_s_own_participants_never_count(people: list[dict[str, Any]], kind: str) -> None:
    room = make.room(participants=people, joined_at=timezone.now() - timedelta(minutes=11))
    assert flagged(room.conversation) == kind


def test_a_room_that_is_spoken_in_or_was_just_joined_is_no_orphan() -> None:
    spoken, fresh = (make.room(joined_at=timezone.now() - timedelta(minutes=age)) for age in (11, 1))
    make.echo(conversation=spoken.conversation)
    assert (flagged(spoken.conversation), flagged(fresh.conversation)) == ("", "")


def test_an_alert_names_it_once_and_the_home_page_has_it(visitor: Callable[[str], Any]) -> None:
    row = make.conversation(made_here=False, name="From elsewhere")
    assert flagged(row) == "stranger"
    assert look_for_orphans(actor=SYSTEM) == []
    [alert] = Alert.objects.all()
    assert (alert.conversation_ref, alert.event_type) == (row.public_id, "conversation.orphan")
    assert "made elsewhere" in alert.rule_name
    assert "nobody here has adopted it" in visitor("manager").get("/admin/").content.decode()


def test_a_warning_policy_ends_nothing_however_long(twin: TwinProcess, settings: LazySettings) -> None:
    settings.ORPHANS = dict.fromkeys(("overdue", "stranger", "nobody"), Policy())
    row = aged(create(), 600)
    assert guard(actor=SYSTEM).ended == []
    assert twin.room(str(row.upstream_id))["status"] == "active"
    settings.ORPHANS = dict.fromkeys(("overdue", "stranger", "nobody"), Policy(looks=False))
    assert flagged(row) == ""


def test_nobody_in_it_is_ended_after_the_grace_with_the_reason(
    twin: TwinProcess, settings: LazySettings, entries: Find
) -> None:
    settings.ORPHANS = {**settings.ORPHANS, "nobody": END}
    row = aged(create(), 12.9)
    assert guard(actor=SYSTEM).ended == []
    aged(row, 13.1)
    assert guard(actor=SYSTEM).ended == [row]
    row.refresh_from_db()
    assert row.ended_reason.startswith("orphan guard: nobody is in its room, as far as this console knows, for 10:")
    assert row.ended_reason.endswith("(end_conversation_endpoint_hit)")
    [asked] = entries(event_type="conversation.end_asked")
    assert asked.actor == "system" and "orphan guard" in json.loads(asked.body)["because"]
    mirroring.sync_conversation(actor=SYSTEM, conversation=row)
    assert row.ended_reason.startswith("orphan guard"), "a later look keeps it"


def test_past_its_time_is_ended_by_default_although_we_are_in_it(twin: TwinProcess, settings: LazySettings) -> None:
    twin.fault("overrun")
    row = create(properties={"max_call_duration": 60})
    Room.objects.filter(conversation=row).update(wanted="joined")
    aged(row, 2.9)
    assert guard(actor=SYSTEM).ended == []
    aged(row, 3.1)
    assert guard(actor=SYSTEM).ended == [row]
    row.refresh_from_db()
    assert "past its longest time" in row.ended_reason


def test_what_can_not_be_ended_now_is_ended_at_the_next_look(twin: TwinProcess, settings: LazySettings) -> None:
    settings.ORPHANS = {**settings.ORPHANS, "nobody": END}
    row = aged(create(), 20)
    twin.fault("status", method="POST", path=f"/v2/conversations/{row.upstream_id}/end", status=500)
    assert guard(actor=SYSTEM).ended == []
    aged(row, 20)  # the look that followed has read Tavus's own time
    assert guard(actor=SYSTEM).ended == [row]


def test_who_ends_it_themselves_is_not_taken_for_the_guard(twin: TwinProcess, settings: LazySettings) -> None:
    row = aged(create(), 20)
    guard(actor=SYSTEM)
    mirroring.end_conversation(actor=ANA, conversation=row)
    assert row.ended_reason == "end_conversation_endpoint_hit"


def test_what_was_made_elsewhere_is_adopted_and_then_ours(
    twin: TwinProcess, client_of: Callable[..., APIClient], entries: Find, visitor: Callable[[str], Any]
) -> None:
    made = twin.post("/v2/conversations", BODY)["conversation_id"]
    mirroring.sync_conversations(actor=SYSTEM, status="active")
    row = Conversation.objects.get(upstream_id=made)
    aged(row, 20)
    assert flagged(row) == "stranger"
    page = f"/admin/conversations/conversation/{row.public_id}/change/"
    assert ">Adopt<" in visitor("manager").get(page).content.decode()
    answer = client_of("manager").post(f"/api/v1/conversations/{made}/adopt/")
    assert (answer.status_code, answer.json()["created_by"]) == (200, "manager (key test)")
    row.refresh_from_db()
    assert (row.made_here, row.orphan_since, bool(row.created_by_key)) == (True, None, True)
    assert [one.actor for one in entries(event_type="conversation.adopted")] == ["manager (key test)"]
    assert client_of("operator").post(f"/api/v1/conversations/{made}/join/").status_code == 200
    assert client_of("manager").post(f"/api/v1/conversations/{made}/adopt/").status_code == 409
    assert client_of("operator").post(f"/api/v1/conversations/{made}/adopt/").status_code == 403
    with pytest.raises(NotPossible, match="has ended"):
        adopt_stranger(actor=ANA, conversation=make.conversation(made_here=False, status="ended"))
    other = make.conversation(made_here=False)
    visitor("manager").post(f"/admin/conversations/conversation/{other.public_id}/change/make-ours/")
    other.refresh_from_db()
    assert other.made_here
