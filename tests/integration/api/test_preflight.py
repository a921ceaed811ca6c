"""Pre-flight: what would fail, by REST and by page, before anything is made, and what it costs: nothing."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import LazySettings

from conversations.models import Conversation, Room
from conversations.preflight import before_speaking
from echoadmin.accounts.models import IdempotentRequest
from tests import make
from tests.twin_process import TwinProcess, running_twin

DRY = "/api/v1/conversations/?dry_run=true"
BODY = {"persona_id": "pipecat0", "replica_id": "re8e740a42"}

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def shared_twin(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with running_twin(tmp_path_factory.mktemp("twin")) as started:
        yield started


@pytest.fixture
def twin(shared_twin: TwinProcess, settings: LazySettings) -> TwinProcess:
    shared_twin.request("DELETE", "/twin/faults")
    settings.TAVUS_API_URL = shared_twin.url
    settings.TAVUS_API_KEY = "tvsk-preflight-0123456789"
    settings.PUBLIC_URL = "http://127.0.0.1:8000"
    settings.CONVERSATION_SLOTS, settings.PRICE_PER_MINUTE = 10, 0.37
    make.worker()
    return shared_twin


def checks(client: Any, body: Any = BODY, **more: Any) -> dict[str, Any]:
    answer = client.post(DRY, body, format="json", **more)
    assert answer.status_code == 200, answer.content
    told = answer.json()
    assert told["dry_run"] is True
    assert told["ready"] == (not any(one["blocks"] for one in told["checks"]))
    return {one["name"]: one for one in told["checks"]}


def test_all_is_well_and_nothing_is_made_or_paid(client_of: Any, twin: TwinProcess) -> None:
    before = twin.get("/twin/bill")
    found = checks(client_of("manager"), {**BODY, "join": True}, headers={"Idempotency-Key": "k1"})
    assert {name: one["ok"] for name, one in found.items()} == dict.fromkeys(
        ("key", "persona", "transport", "replica", "slot", "worker", "price", "limits", "webhook"), True
    )
    assert "22.20 USD" in found["price"]["words"]
    assert twin.get("/twin/bill") == before
    assert twin.get("/v2/conversations")["data"] == []
    assert not Conversation.objects.exists() and not Room.objects.exists()
    assert not IdempotentRequest.objects.exists(), "the key is free for what the look leads to"


def test_the_test_mode_proves_more_and_costs_nothing_either(client_of: Any, twin: TwinProcess) -> None:
    client = client_of("manager")
    found = checks(client, {**BODY, "test_mode": True})
    assert found["test_mode"]["ok"]
    wrong = checks(client, {**BODY, "test_mode": True, "properties": {"max_call_duration": "long"}})
    assert wrong["test_mode"]["blocks"] and "max_call_duration" in wrong["test_mode"]["words"]
    assert not Conversation.objects.exists()
    assert twin.get("/v2/conversations")["data"] == []
    assert all(row["seconds"] == 0 for row in twin.get("/twin/bill")["conversations"])


def test_each_thing_that_would_fail_is_named_with_the_way_out(
    client_of: Any, twin: TwinProcess, settings: LazySettings
) -> None:
    client = client_of("manager")
    full = twin.post("/v2/personas", {"persona_name": "Coach", "system_prompt": "Be kind."})["persona_id"]
    for body, name in (
        ({**BODY, "persona_id": "p-nowhere"}, "persona"),
        ({**BODY, "persona_id": full}, "persona"),
        ({"replica_id": "re8e740a42"}, "persona"),
        ({**BODY, "replica_id": "r-nowhere"}, "replica"),
        ({"persona_id": 5, "properties": []}, "request"),
    ):
        told = checks(client, body)[name]
        assert told["blocks"] and not told["ok"] and told["way_out"], body
    settings.CONVERSATION_SLOTS = 1
    make.conversation()
    assert checks(client)["slot"]["blocks"]
    settings.PUBLIC_URL, settings.PRICE_PER_MINUTE = "", None
    told = checks(client, {**BODY, "properties": {"participant_left_timeout": 0}})
    assert [told[name]["ok"] for name in ("webhook", "price", "limits")] == [False] * 3
    assert not any(told[name]["blocks"] for name in ("webhook", "price", "limits"))


def test_a_key_that_tavus_refuses_and_a_tavus_that_is_away_are_told(client_of: Any, twin: TwinProcess) -> None:
    client = client_of("manager")
    twin.fault("status", status=401, path="/v2/personas")
    assert checks(client)["key"]["blocks"]
    twin.request("DELETE", "/twin/faults")
    assert checks(client)["key"]["ok"]


def test_without_a_worker_a_join_would_fail(client_of: Any, twin: TwinProcess) -> None:
    from conversations.models import Worker

    Worker.objects.all().delete()
    client = client_of("manager")
    assert checks(client, {**BODY, "join": True})["worker"]["blocks"]
    assert "worker" not in checks(client, BODY)


@pytest.mark.parametrize("role", ["auditor", "operator"])
def test_it_is_for_those_who_may_create(role: str, client_of: Any) -> None:
    assert client_of(role).post(DRY, BODY, format="json").status_code == 403


def test_a_dry_run_that_is_neither_is_refused_and_makes_nothing(client_of: Any, twin: TwinProcess) -> None:
    answer = client_of("manager").post("/api/v1/conversations/?dry_run=perhaps", BODY, format="json")
    assert answer.status_code == 400
    assert not Conversation.objects.exists()
    assert client_of("manager").post("/api/v1/conversations/?dry_run=false", BODY, format="json").status_code == 201


def words(conversation: Conversation, room: Room | None) -> dict[str, bool]:
    return {check.name: check.ok for check in before_speaking(conversation, room)}


def test_before_the_first_line_everything_between_it_and_the_mouth_is_looked_at() -> None:
    room = make.room()
    fine = words(room.conversation, room)
    assert fine == {"time": True, "persona": True, "transport": False, "room": True, "replica": True}
    room.replica_present = False
    assert not words(room.conversation, room)["replica"]
    room.state, room.error = "lost", "The network is away."
    told = words(room.conversation, room)
    assert not told["room"] and told["worker"]
    room.wanted = "idle"
    assert not words(room.conversation, room)["room"]
    room.conversation.status = "ended"
    assert words(room.conversation, room) == {"conversation": False}
    assert not words(make.conversation(), None)["room"]
