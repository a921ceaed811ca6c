"""Personas, replicas and conversations over REST, with a real twin as upstream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from conversations.models import Conversation, Room
from echoadmin.installation import stamp
from personas.models import Persona
from tests import make
from tests.twin_process import TwinProcess

pytestmark = pytest.mark.django_db(transaction=True)
ClientOf = Callable[..., APIClient]

QUICKSTART_PERSONA = {
    "persona_name": "Echo Mode Persona",
    "pipeline_mode": "echo",
    "system_prompt": "You are a helpful assistant that can answer questions and help with tasks.",
}
QUICKSTART_CONVERSATION = {
    "replica_id": "re8e740a42",
    "conversation_name": "Music Chat with DJ Kot",
    "conversational_context": "Talk about the greatest hits from my favorite band, Daft Punk.",
}


@pytest.fixture
def client(client_of: ClientOf) -> APIClient:
    return client_of("manager")


def test_the_quickstarts_bodies_work_as_printed_there(client: APIClient, twin: TwinProcess) -> None:
    persona = client.post("/api/v1/personas/", QUICKSTART_PERSONA)
    assert persona.status_code == 201
    told = persona.json()
    assert (told["state"], told["persona_name"], told["pipeline_mode"]) == ("live", "Echo Mode Persona", "echo")
    assert told["created_by"] == "manager (key test)"
    conversation = client.post(
        "/api/v1/conversations/", {**QUICKSTART_CONVERSATION, "persona_id": told["persona_id"], "join": True}
    )
    assert conversation.status_code == 201
    made = conversation.json()
    assert (made["status"], made["replica_id"], made["persona"]) == ("active", "re8e740a42", told["id"])
    assert made["conversation_url"].startswith("https://tavus.daily.co/")
    assert made["room"] == {
        "wanted": "joined",
        "state": "idle",
        "worker": None,
        "participants": [],
        "replica_present": False,
        "error": "",
    }
    for any_id in (made["id"], made["conversation_id"]):
        assert client.get(f"/api/v1/conversations/{any_id}/").json()["id"] == made["id"]
    listed = client.get(f"/api/v1/conversations/?persona={told['id']}&status=active").json()["results"]
    assert [row["id"] for row in listed] == [made["id"]]
    assert stamp("sandbox").webhook_secret not in conversation.content.decode()


def test_the_new_vocabulary_and_our_own_ids_are_taken_too(client: APIClient, twin: TwinProcess) -> None:
    client.post("/api/v1/replicas/sync/")
    replica = client.get("/api/v1/replicas/?limit=1").json()["results"][0]
    body = {"pal_name": "New words", "pipeline_mode": "echo", "default_face_id": replica["id"]}
    persona = client.post("/api/v1/personas/", body).json()
    assert (persona["persona_name"], persona["default_replica_id"]) == ("New words", replica["replica_id"])
    made = client.post("/api/v1/conversations/", {"pal_id": persona["id"]}).json()
    assert made["persona_id"] == persona["persona_id"]


def test_a_repeated_create_makes_one_at_tavus(client: APIClient, twin: TwinProcess) -> None:
    before = len(twin.get("/twin/bill")["conversations"])
    body = {**QUICKSTART_CONVERSATION, "persona_id": "pipecat0"}
    answers = [client.post("/api/v1/conversations/", body, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert len(twin.get("/twin/bill")["conversations"]) == before + 1


def test_a_lost_answer_is_504_with_a_reference_and_is_not_repeated(client: APIClient, twin: TwinProcess) -> None:
    twin.fault("cut", method="POST", path="/v2/conversations", when="after")
    body = {**QUICKSTART_CONVERSATION, "persona_id": "pipecat0"}
    first = client.post("/api/v1/conversations/", body, headers={"Idempotency-Key": "k"})
    error = first.json()["error"]
    assert (first.status_code, error["code"]) == (504, "upstream_answer_lost")
    again = client.post("/api/v1/conversations/", body, headers={"Idempotency-Key": "k"})
    assert again.content == first.content
    row = Conversation.objects.get()
    assert (row.public_id, row.state) == (error["reference"], "unknown")
    shown = client.get(f"/api/v1/conversations/{row.public_id}/").json()
    assert (shown["state"], shown["error"]["code"]) == ("unknown", "upstream_answer_lost")


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ({"kind": "status", "status": 401, "body": {"message": "Invalid access token"}}, 502, "upstream_unauthorised"),
        (
            {"kind": "status", "status": 402, "body": {"message": "The user is out of conversational credits."}},
            402,
            "upstream_out_of_credits",
        ),
        (
            {
                "kind": "status",
                "status": 400,
                "body": {"message": "User has reached maximum concurrent conversations"},
            },
            409,
            "upstream_concurrency",
        ),
        (
            {"kind": "status", "status": 400, "body": {"error": "Bad Request. {'replica_id': ['is unknown.']}"}},
            400,
            "upstream_invalid",
        ),
        ({"kind": "html", "status": 200}, 504, "upstream_answer_lost"),
        ({"kind": "status", "status": 503, "body": {"error": "down"}}, 504, "upstream_answer_lost"),
        ({"kind": "cut"}, 504, "upstream_answer_lost"),
    ],
    ids=["key", "credits", "slots", "fields", "HTML", "503", "cut"],
)
def test_what_tavus_refuses_comes_with_its_words_and_leaves_a_row_that_says_so(
    client: APIClient, twin: TwinProcess, fault: dict[str, Any], status: int, code: str
) -> None:
    twin.fault(fault.pop("kind"), method="POST", path="/v2/conversations", **fault)
    response = client.post("/api/v1/conversations/", {**QUICKSTART_CONVERSATION, "persona_id": "pipecat0"})
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (status, code)
    assert len(error["message"]) > 40, "the way out is told"
    assert error["upstream"] is not None
    row = Conversation.objects.get(public_id=error["reference"])
    assert row.state in ("rejected", "unknown")
    if code == "upstream_invalid":
        assert error["fields"] == {"replica_id": ["is unknown."]}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"join": "yes"}, "join"),
        ({"properties": []}, "properties"),
        ({"test_mode": "x"}, "test_mode"),
        ({"persona_id": "pe_nope"}, "persona_id"),
    ],
)
def test_what_is_refused_here_asks_nobody_and_leaves_nothing(
    client: APIClient, twin: TwinProcess, body: dict[str, Any], field: str
) -> None:
    response = client.post("/api/v1/conversations/", {"persona_id": "pipecat0", **body})
    assert response.status_code == 400
    assert field in response.json()["error"]["fields"]
    assert not Conversation.objects.exists()


def test_a_persona_is_changed_by_fields_or_by_a_patch_and_deleted(client: APIClient, twin: TwinProcess) -> None:
    url = f"/api/v1/personas/{client.post('/api/v1/personas/', QUICKSTART_PERSONA).json()['id']}/"
    assert client.patch(url, {"persona_name": "Changed"}).json()["persona_name"] == "Changed"
    operations = '[{"op": "replace", "path": "/persona_name", "value": "Again"}]'
    response = client.generic("PATCH", url, operations, content_type="application/json-patch+json")
    assert (response.status_code, response.json()["persona_name"]) == (200, "Again")
    bad = client.generic("PATCH", url, '{"op": 1}', content_type="application/json-patch+json")
    assert bad.status_code == 400
    assert client.delete(url).status_code == 204
    assert client.get(url).json()["state"] == "gone"


def test_syncing_tells_what_it_found(client: APIClient, twin: TwinProcess) -> None:
    told = client.post("/api/v1/personas/sync/").json()
    assert told["new"] >= 2
    assert told["complete"]
    assert client.post("/api/v1/replicas/sync/").json()["new"] >= 3
    persona = client.get("/api/v1/personas/?persona_type=system&limit=1").json()["results"][0]
    assert client.post(f"/api/v1/personas/{persona['id']}/sync/").json()["id"] == persona["id"]
    assert client.post("/api/v1/conversations/sync/?status=active").status_code == 200
    assert client.post("/api/v1/conversations/sync/?status=x").status_code == 400


def test_join_leave_and_end_say_what_follows(client: APIClient, twin: TwinProcess) -> None:
    made = client.post("/api/v1/conversations/", {**QUICKSTART_CONVERSATION, "persona_id": "pipecat0"}).json()
    url = f"/api/v1/conversations/{made['id']}/"
    assert client.post(f"{url}join/").json()["room"]["wanted"] == "joined"
    left = client.post(f"{url}leave/").json()
    assert left["room"]["wanted"] == "idle"
    assert "120 s" in left["note"]
    assert client.delete(url).json()["error"]["code"] == "wrong_state"
    ended = client.post(f"{url}end/").json()
    assert (ended["status"], client.post(f"{url}end/").status_code) == ("ended", 200)
    response = client.post(f"{url}join/")
    assert (response.status_code, response.json()["error"]["code"]) == (409, "conversation_over")
    assert client.delete(url).status_code == 204
    assert client.get(url).json()["state"] == "gone"


def test_a_room_on_a_foreign_domain_is_not_joined(client: APIClient) -> None:
    conversation = make.conversation(conversation_url="https://daily.co.evil.example/room")
    Room.objects.create(conversation=conversation)
    response = client.post(f"/api/v1/conversations/{conversation.public_id}/join/")
    assert response.status_code in (400, 409)
    assert Room.objects.get().wanted == "idle"


def test_no_answer_holds_a_secret(client: APIClient, twin: TwinProcess) -> None:
    body = {
        **QUICKSTART_PERSONA,
        "layers": {"tts": {"api_key": "hidden-tts-key"}, "llm": {"headers": {"A": "hidden-h"}}},
    }
    persona = client.post("/api/v1/personas/", body)
    private = client.post(
        "/api/v1/conversations/", {**QUICKSTART_CONVERSATION, "persona_id": "pipecat0", "require_auth": True}
    )
    token = Conversation.objects.get().meeting_token
    assert token
    texts = [persona, private, client.get("/api/v1/personas/"), client.get("/api/v1/conversations/")]
    texts += [client.get("/api/v1/entries/?limit=200")]
    for response in texts:
        text = response.content.decode()
        for secret in (token, "hidden-tts-key", "hidden-h", stamp("sandbox").webhook_secret, "tvsk-integration"):
            assert secret not in text
    assert Persona.objects.get(public_id=persona.json()["id"]).state == "live"
