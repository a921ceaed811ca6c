"""`drift/`, `pull/` and `push/` over REST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from conversations.models import Conversation
from personas.models import Persona
from tests import make
from tests.twin_process import TwinProcess

pytestmark = pytest.mark.django_db(transaction=True)
ClientOf = Callable[..., APIClient]


@pytest.fixture
def manager(client_of: ClientOf, twin: TwinProcess) -> APIClient:
    return client_of("manager")


def made(manager: APIClient) -> tuple[str, str]:
    """A persona's address, and its id at Tavus."""
    body = {"persona_name": "Echo", "pipeline_mode": "echo", "default_replica_id": "re8e740a42"}
    row = manager.post("/api/v1/personas/", body, format="json").json()
    address = f"/api/v1/personas/{row['id']}/"
    assert manager.post(f"{address}sync/").status_code == 200
    return address, row["persona_id"]


def rename(twin: TwinProcess, persona_id: str, name: str) -> None:
    twin.request("PATCH", f"/v2/personas/{persona_id}", [{"op": "add", "path": "/persona_name", "value": name}])


def test_it_is_looked_at_pushed_by_its_digest_and_pulled(manager: APIClient, twin: TwinProcess) -> None:
    address, persona_id = made(manager)
    same = manager.get(f"{address}drift/").json()
    assert (same["differs"], same["differences"], same["push"]["patch"]) == (False, [], [])
    rename(twin, persona_id, "Other")
    found = manager.get(f"{address}drift/").json()
    [one] = found["differences"]
    assert (one["field"], one["here"], one["upstream"], one["here_is"]) == ("/persona_name", "Echo", "Other", "asked")
    assert one["since"].endswith("Z") and one["agreed_at"].endswith("Z")
    sent = manager.post(f"{address}push/", {"patch_sha256": found["push"]["patch_sha256"]}, format="json")
    assert sent.status_code == 200 and sent.json()["push"] == found["push"]
    assert twin.request("GET", f"/v2/personas/{persona_id}")["persona_name"] == "Echo"
    rename(twin, persona_id, "Third")
    assert manager.post(f"{address}pull/", {}, format="json").status_code == 200
    assert manager.get(address).json()["persona_name"] == "Third"


def test_what_changed_meanwhile_is_a_409_with_the_way_out(manager: APIClient, twin: TwinProcess) -> None:
    address, persona_id = made(manager)
    rename(twin, persona_id, "Other")
    found = manager.get(f"{address}drift/").json()
    rename(twin, persona_id, "Third")
    for way in ("push", "pull"):
        answer = manager.post(f"{address}{way}/", {"patch_sha256": found[way]["patch_sha256"]}, format="json")
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], list(error["fields"])) == (409, "drift_changed", ["patch_sha256"])
        assert "Look at the drift again" in error["message"]


def test_unpublished_edits_are_a_409_and_force_has_to_name_what_is_lost(manager: APIClient, twin: TwinProcess) -> None:
    address, persona_id = made(manager)
    rename(twin, persona_id, "Other")
    digest = manager.get(f"{address}drift/").json()["push"]["patch_sha256"]
    twin.fault("maker_changes")
    refused = manager.post(f"{address}push/", {"patch_sha256": digest}, format="json")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "upstream_conflict")
    assert "discards all of these edits" in refused.json()["error"]["message"]
    assert refused.json()["error"]["upstream"]["status"] == 409
    bare = manager.post(f"{address}push/", {"patch_sha256": digest, "force": True}, format="json")
    assert (bare.status_code, list(bare.json()["error"]["fields"])) == (400, ["discards"])
    body = {"patch_sha256": digest, "force": True, "discards": "maker_changes"}
    assert manager.post(f"{address}push/", body, format="json").status_code == 200
    assert twin.request("GET", f"/v2/personas/{persona_id}")["persona_name"] == "Echo"


def test_a_patch_is_forced_by_naming_what_is_lost_too(manager: APIClient, twin: TwinProcess) -> None:
    address, persona_id = made(manager)
    twin.fault("maker_changes")
    refused = manager.patch(address, {"persona_name": "Other"}, format="json")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "upstream_conflict")
    assert "discards all of these edits" in refused.json()["error"]["message"]
    for query in ("?force=true", "?force=true&discards=", "?force=1&discards=everything"):
        bare = manager.patch(f"{address}{query}", {"persona_name": "Other"}, format="json")
        assert (bare.status_code, list(bare.json()["error"]["fields"])) == (400, ["discards"]), query
        assert "`discards`: `maker_changes`" in bare.json()["error"]["message"]
    assert twin.request("GET", f"/v2/personas/{persona_id}")["persona_name"] == "Echo"
    query = "?force=true&discards=maker_changes"
    assert manager.patch(f"{address}{query}", {"persona_name": "Other"}, format="json").status_code == 200
    assert twin.request("GET", f"/v2/personas/{persona_id}")["persona_name"] == "Other"


def test_a_push_needs_the_digest(manager: APIClient) -> None:
    address, _ = made(manager)
    answer = manager.post(f"{address}push/", {}, format="json")
    assert (answer.status_code, list(answer.json()["error"]["fields"])) == (400, ["patch_sha256"])


def test_the_list_tells_what_differs_without_asking_tavus(manager: APIClient, twin: TwinProcess) -> None:
    _, persona_id = made(manager)
    rename(twin, persona_id, "Other")
    manager.post("/api/v1/personas/sync/")
    twin.fault("status", status=500, count=None)
    listed = manager.get("/api/v1/personas/?differs=true").json()["results"]
    assert [(row["persona_id"], row["differs"]) for row in listed] == [(persona_id, ["/persona_name"])]
    others = manager.get("/api/v1/personas/?differs=false").json()["results"]
    assert others and persona_id not in {row["persona_id"] for row in others}


def test_what_is_gone_names_what_runs_on_it(manager: APIClient, twin: TwinProcess) -> None:
    address, persona_id = made(manager)
    running = make.conversation(persona=Persona.objects.get(upstream_id=persona_id), name="Tour")
    twin.request("DELETE", f"/v2/personas/{persona_id}")
    found = manager.get(f"{address}drift/").json()
    assert (found["state"], found["differs"]) == ("gone", False)
    assert found["used_by"] == [{"kind": "conversation", "id": running.public_id, "name": "Tour"}]
    assert manager.post(f"{address}pull/", {}, format="json").status_code == 409


def test_replicas_and_conversations_are_looked_at(manager: APIClient, twin: TwinProcess) -> None:
    manager.post("/api/v1/replicas/sync/")
    assert manager.get("/api/v1/replicas/re8e740a42/drift/").json()["differs"] is False
    _, persona_id = made(manager)
    body = {"replica_id": "re8e740a42", "persona_id": persona_id, "conversation_name": "Tour"}
    row = manager.post("/api/v1/conversations/", body, format="json").json()
    manager.post(f"/api/v1/conversations/{row['id']}/sync/")
    found = manager.get(f"/api/v1/conversations/{row['id']}/drift/")
    assert (found.status_code, found.json()["differences"]) == (200, [])
    Conversation.objects.filter(public_id=row["id"]).update(requested={"conversation_name": "Before"})
    [one] = manager.get(f"/api/v1/conversations/{row['id']}/drift/").json()["differences"]
    assert (one["here"], one["upstream"]) == ("Before", "Tour")


@pytest.mark.parametrize(("role", "looks", "brings_over"), [("auditor", 200, 403), ("operator", 200, 403)])
def test_anybody_may_look_and_managers_bring_over(
    client_of: ClientOf, manager: APIClient, role: str, looks: int, brings_over: int
) -> None:
    address, _ = made(manager)
    client: Any = client_of(role)
    assert client.get(f"{address}drift/").status_code == looks
    for way in ("pull", "push"):
        assert client.post(f"{address}{way}/", {"patch_sha256": "x"}, format="json").status_code == brings_over
