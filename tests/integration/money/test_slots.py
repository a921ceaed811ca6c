"""Slots: who holds them, what a refusal teaches, and a queue of which each request creates once, whatever dies."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection, connections
from django.utils import timezone
from rest_framework.test import APIClient

from conversations.models import Conversation, SlotLimit, SlotRequest
from conversations.services import mirroring
from conversations.slots import queueing
from conversations.slots.creating import claim_next, create_for, serve_queue
from conversations.slots.standing import slots
from echoadmin.accounts.models import ApiKey
from echoadmin.actors import SYSTEM, Actor
from echoadmin.log.models import Entry
from echoadmin.tavus.errors import ConcurrencyReached
from tests.integration.money.conftest import Find
from tests.killed_console import doomed_console
from tests.twin_process import TwinProcess
from tests.waiting import until

ANA = Actor(name="ana", source="command")
BODY = {"replica_id": "re8e740a42", "persona_id": "pipecat0"}
LIMITS = "/twin/limits"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _two_slots(twin: TwinProcess, settings: LazySettings) -> None:
    for room in twin.get("/twin/rooms?status=active"):
        twin.post(f"/v2/conversations/{room['conversation_id']}/end")
    settings.CONVERSATION_SLOTS = 2


def create(**more: Any) -> Conversation:
    return mirroring.create_conversation(actor=ANA, body={**BODY, **more})


def wait(name: str = "", **more: Any) -> SlotRequest:
    return queueing.wait_for_slot(actor=ANA, body={**BODY, "conversation_name": name}, **more)


def at_twin(twin: TwinProcess) -> list[str]:
    """The names of what was ever created there in this test, in order."""
    rooms = twin.get("/twin/rooms")[::-1]
    return [one["conversation_name"] for one in rooms if not one["conversation_name"].startswith("New")]


def test_what_runs_and_what_was_asked_for_hold_slots(settings: LazySettings) -> None:
    create()
    assert (slots().taken, slots().free, slots().source) == (1, 1, "CONVERSATION_SLOTS")
    Conversation.objects.create(state="reserved")
    Conversation.objects.create(state="unknown")
    Conversation.objects.create(state="rejected")
    assert (slots().taken, slots().free) == (3, 0)
    settings.CONVERSATION_SLOTS = None
    assert (slots().limit, slots().free, slots().source) == (None, None, "")


def test_tavus_refusal_teaches_how_many_there_are_and_a_bigger_plan_teaches_more(
    twin: TwinProcess, settings: LazySettings
) -> None:
    settings.CONVERSATION_SLOTS = None
    create()
    twin.request("PUT", LIMITS, {"concurrent_conversations": 1})
    with pytest.raises(ConcurrencyReached):
        create()
    assert (slots().limit, slots().source) == (1, "tavus")
    twin.request("PUT", LIMITS, {"concurrent_conversations": 5})
    create()
    assert SlotLimit.objects.get().learned == 2


def test_the_queue_is_served_in_order_as_slots_get_free(twin: TwinProcess, entries: Find) -> None:
    holding = [create(), create()]
    before = at_twin(twin)
    first, second = wait("first"), wait("second")
    assert serve_queue(actor=SYSTEM) == []
    mirroring.end_conversation(actor=ANA, conversation=holding[0])
    assert serve_queue(actor=SYSTEM) == [first]
    twin.post(f"/v2/conversations/{holding[1].upstream_id}/end")  # past this console: the queue looks for itself
    assert serve_queue(actor=SYSTEM) == [second]
    assert serve_queue(actor=SYSTEM) == []
    assert at_twin(twin)[len(before) :] == ["first", "second"]
    first.refresh_from_db()
    made = Conversation.objects.get(public_id=first.conversation_ref)
    assert (first.state, made.created_by, made.is_active) == ("created", "ana", True)
    told = [one.event_type for one in entries(kind="operator") if one.event_type.startswith("slot.")]
    assert told == ["slot.requested", "slot.requested", "slot.created", "slot.created"]


def test_two_consoles_give_one_free_slot_to_one(twin: TwinProcess) -> None:
    create()
    for name in ("a", "b", "c"):
        wait(name)
    before, together = len(twin.get("/twin/rooms")), Barrier(4)

    def console(_: int) -> None:
        try:
            together.wait(30)
            serve_queue(actor=SYSTEM)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(console, range(4)))
    assert len(twin.get("/twin/rooms")) == before + 1
    assert sorted(SlotRequest.objects.values_list("state", flat=True)) == ["created", "waiting", "waiting"]
    assert SlotRequest.objects.order_by("id")[0].state == "created"


def test_who_died_before_the_call_left_it_waiting_and_who_was_only_slow_creates_none(twin: TwinProcess) -> None:
    wait("once")
    before = len(twin.get("/twin/rooms"))
    slow = claim_next()
    assert slow is not None and serve_queue(actor=SYSTEM) == [], "it is claimed"
    SlotRequest.objects.update(claimed_at=timezone.now() - timedelta(minutes=10))
    assert [one.state for one in serve_queue(actor=SYSTEM)] == ["created"]
    assert create_for(slow, actor=SYSTEM).state == "created"
    assert len(twin.get("/twin/rooms")) == before + 1


def test_a_console_killed_in_the_middle_has_created_once(twin: TwinProcess) -> None:
    row = wait("killed")
    fault = twin.fault("delay", method="POST", path="/v2/conversations", seconds=2)
    before = len(twin.get("/twin/rooms"))
    with doomed_console(str(connection.settings_dict["NAME"]), None):
        until(lambda: fault not in [one["id"] for one in twin.get("/twin/faults")], "the create reaches Tavus", 60)
    until(lambda: len(twin.get("/twin/rooms")) == before + 1, "Tavus makes it all the same")
    row.refresh_from_db()
    assert row.state == "creating"
    long_ago = timezone.now() - timedelta(minutes=4)
    SlotRequest.objects.update(claimed_at=long_ago)
    Conversation.objects.update(created_at=long_ago)
    assert serve_queue(actor=SYSTEM) == [], "nobody knows yet"
    mirroring.resolve_unknown(actor=SYSTEM)
    assert serve_queue(actor=SYSTEM) == [row]
    row.refresh_from_db()
    assert (row.state, len(twin.get("/twin/rooms"))) == ("created", before + 1)


def test_a_refused_create_is_not_tried_again(twin: TwinProcess) -> None:
    twin.request("PUT", LIMITS, {"credit_seconds": 0})
    row = wait("refused")
    assert serve_queue(actor=SYSTEM) == [row]
    twin.request("PUT", LIMITS, {"credit_seconds": None})
    assert serve_queue(actor=SYSTEM) == []
    row.refresh_from_db()
    assert row.state == "failed" and "credits" in row.error["upstream"]


def test_it_expires_and_is_cancelled_but_not_once_its_turn_has_come() -> None:
    old, row = wait("old"), wait("cancelled")
    SlotRequest.objects.filter(pk=old.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    queueing.cancel(actor=ANA, request=row)
    queueing.cancel(actor=ANA, request=row)
    assert [one.pk for one in serve_queue(actor=SYSTEM)] == [old.pk]
    old.refresh_from_db()
    assert (old.state, row.state) == ("expired", "cancelled")
    with pytest.raises(queueing.NotWaiting):
        queueing.cancel(actor=ANA, request=old)
    assert not Conversation.objects.exists()


def test_by_api_it_is_answered_once_and_holds_no_secret(client_of: Callable[..., APIClient], twin: TwinProcess) -> None:
    client, secret = client_of("manager"), "s3cret" * 4
    body = {**BODY, "callback_url": f"https://mine.example/in?key={secret}"}
    asked = lambda: client.post("/api/v1/conversations/?when_free=true", body, headers={"Idempotency-Key": "k"})  # noqa: E731
    first, again = asked(), asked()
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json() and first.json()["state"] == "waiting"
    one = f"/api/v1/slots/requests/{first.json()['id']}/"
    assert client.get("/api/v1/slots/").json() | {"holders": []} == {
        "limit": 2, "source": "CONVERSATION_SLOTS", "learned": None, "learned_at": None, "taken": 0, "free": 2,
        "waiting": 1, "holders": [],
    }  # fmt: skip
    row = SlotRequest.objects.get()
    assert secret not in json.dumps(SlotRequest.objects.values().get(), default=str)
    assert all(secret not in str(entry.body) for entry in Entry.objects.all())
    serve_queue(actor=SYSTEM)
    assert client.get(one).json()["state"] == "created"
    made = client.get(f"/api/v1/conversations/{row.conversation_ref}/").json()
    assert made["created_by"] == "manager (key test)"
    [holder] = client.get("/api/v1/slots/").json()["holders"]
    assert holder["id"] == row.conversation_ref
    assert client.delete(one).json()["error"]["code"] == "not_waiting"
    assert len(client.get("/api/v1/slots/requests/").json()["results"]) == 1
    assert client_of("operator").post("/api/v1/conversations/?when_free=true", body).status_code == 403


def test_who_may_no_more_when_the_turn_comes_creates_nothing(client_of: Callable[..., APIClient]) -> None:
    client = client_of("manager")
    assert client.post("/api/v1/conversations/?when_free=true", BODY).status_code == 202
    ApiKey.objects.update(revoked=True)
    assert [one.state for one in serve_queue(actor=SYSTEM)] == ["failed"]
    assert SlotRequest.objects.get().error["code"] == "forbidden"
    assert not Conversation.objects.exists()


def test_the_page_says_who_holds_them_and_frees_one(visitor: Callable[[str], Any], twin: TwinProcess) -> None:
    row, waiting = create(conversation_name="Held"), wait("next")
    manager, page = visitor("manager"), "/admin/conversations/slotrequest/slots/"
    text = manager.get(page).content.decode()
    assert "1 of 2 slots are taken" in text and "Held" in text and waiting.public_id in text
    assert "End: frees its slot" in text and "End: frees its slot" not in visitor("auditor").get(page).content.decode()
    manager.post(f"/admin/conversations/conversation/{row.public_id}/change/end/")
    assert "Nobody." in manager.get(page).content.decode()
    one = f"/admin/conversations/slotrequest/{waiting.public_id}/change/"
    assert "it waits no more" in manager.get(one).content.decode()
    manager.post(f"{one}cancel/")
    waiting.refresh_from_db()
    assert waiting.state == "cancelled"


def test_by_page_one_waits_when_all_are_taken(visitor: Callable[[str], Any]) -> None:
    manager, page = visitor("manager"), "/admin/conversations/conversation/add/"
    assert "when a slot is free" not in manager.get(page).content.decode()
    create(), create()
    assert "Create and join when a slot is free" in manager.get(page).content.decode()
    typed = {"token": "t", "persona": "pipecat0", "replica": "re8e740a42", "minutes": "5", "left_timeout": "60"}
    answers = [manager.post(page, {**typed, "when_free": "1"}) for _ in range(2)]
    row = SlotRequest.objects.get()
    assert [one["Location"] for one in answers] == [f"/admin/conversations/slotrequest/{row.public_id}/change/"] * 2
    assert (row.join, row.requested["properties"]["max_call_duration"]) == (True, 300)
