"""Personas and PALs over HTTP."""

import httpx
import pytest

from tests.twin_process import TwinProcess

ECHO = {"persona_name": "Echo", "pipeline_mode": "echo"}


def make(api: httpx.Client, **body: object) -> str:
    answer = api.post("/personas", json={**ECHO, **body})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["persona_id"])


def test_the_quickstarts_persona_body_works_as_printed(api: httpx.Client) -> None:
    body = {
        "persona_name": "Echo Mode Persona",
        "pipeline_mode": "echo",
        "system_prompt": "You are a helpful assistant that can answer questions and help with tasks.",
    }
    answer = api.post("/personas", json=body)
    assert answer.status_code == 200
    assert set(answer.json()) == {"persona_id", "persona_name", "created_at"}
    assert answer.json()["persona_id"].startswith("p")


def test_a_persona_reads_back_flat_with_everything_it_was_given_secrets_and_unknown_layers_too(
    api: httpx.Client,
) -> None:
    layers = {"llm": {"api_key": "sk-1", "base_url": "https://llm.example"}, "newer": {"any": [1, None]}}
    shown = api.get(f"/personas/{make(api, layers=layers)}").json()
    assert shown["layers"] == layers
    assert shown["pipeline_mode"] == "echo"
    assert {"persona_id", "default_replica_id", "document_ids", "created_at", "updated_at"} <= set(shown)


def test_one_persona_is_seen_in_both_vocabularies(api: httpx.Client) -> None:
    flow = {"conversational_flow": {"replica_interruptibility": "low"}}
    persona = make(api, default_replica_id="re8e740a42", layers=flow)
    pal = api.get(f"/pals/{persona}").json()
    assert (pal["pal_id"], pal["pal_name"], pal["default_face_id"]) == (persona, "Echo", "re8e740a42")
    assert pal["layers"] == {"conversational_flow": {"pal_interruptibility": "low"}}
    assert not any("persona" in key or "replica" in key for key in pal)


def test_a_pal_needs_a_default_face_and_the_old_name_does_not_do(api: httpx.Client) -> None:
    body = {"pal_name": "P", "pipeline_mode": "echo", "default_replica_id": "re8e740a42"}
    answer = api.post("/pals", json=body)
    assert answer.status_code == 400
    assert answer.json() == {
        "error": "Bad Request. {'default_face_id': ['default_face_id is required when creating a pal.']}"
    }
    made = api.post("/pals", json={"pal_name": "P", "pipeline_mode": "echo", "default_face_id": "re8e740a42"})
    assert set(made.json()) == {"pal_id", "pal_name", "pal_description", "created_at", "tool_ids"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"pipeline_mode": "loud"}, "pipeline_mode"),
        ({"pipeline_mode": "full"}, "system_prompt"),
        ({"pipeline_mode": "echo", "persona_name": 5}, "persona_name"),
        ({"pipeline_mode": "echo", "layers": []}, "layers"),
        ({"pipeline_mode": "echo", "layers": {"tts": "loud"}}, "layers"),
        ({"pipeline_mode": "echo", "layers": {"llm": {"base_url": "https://x.example"}}}, "layers"),
        ({"pipeline_mode": "echo", "tool_ids": ["t"] * 51}, "tool_ids"),
        ([], "_schema"),
    ],
)
def test_a_body_that_does_not_validate_names_the_field(api: httpx.Client, body: object, field: str) -> None:
    answer = api.post("/personas", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(f"Bad Request. {{'{field}': ")


def test_an_unknown_default_replica_is_refused_in_tavuss_words(api: httpx.Client) -> None:
    answer = api.post("/personas", json={**ECHO, "default_replica_id": "r-none"})
    assert (answer.status_code, answer.json()) == (400, {"error": "Invalid replica_uuid"})


def test_lists_filter_by_type_and_page_with_a_total(api: httpx.Client) -> None:
    mine = [make(api) for _ in range(12)]
    first = api.get("/personas", params={"persona_type": "user"}).json()
    assert len(first["data"]) == 10
    assert first["data"][0]["persona_id"] == mine[-1]
    assert first["total_count"] >= 12
    stock = api.get("/pals", params={"pal_type": "system", "limit": 100}).json()["data"]
    assert {"pipecat0", "pipecat-stream", "pb87e71797da"} <= {row["pal_id"] for row in stock}
    second = api.get("/personas", params={"persona_type": "user", "limit": 5, "page": 2}).json()["data"]
    assert [row["persona_id"] for row in second] == mine[::-1][5:10]
    assert api.get("/personas", params={"limit": 1000}).status_code == 400


def test_a_patch_is_rfc_6902_in_the_paths_vocabulary(api: httpx.Client) -> None:
    persona = make(api)
    patch = [
        {"op": "replace", "path": "/pal_name", "value": "New"},
        {"op": "add", "path": "/layers/tts", "value": {"tts_engine": "cartesia"}},
        {"op": "add", "path": "/default_face_id", "value": "re8e740a42"},
    ]
    answer = api.patch(f"/pals/{persona}", json=patch)
    assert answer.status_code == 200
    shown = api.get(f"/personas/{persona}").json()
    assert (shown["persona_name"], shown["default_replica_id"]) == ("New", "re8e740a42")
    assert shown["layers"] == {"tts": {"tts_engine": "cartesia"}}
    assert api.patch(f"/personas/{persona}", json=[{"op": "remove", "path": "/layers/tts"}]).status_code == 200
    assert api.get(f"/personas/{persona}").json()["layers"] == {}


def test_a_patch_that_changes_nothing_is_304_without_a_body(api: httpx.Client) -> None:
    answer = api.patch(f"/personas/{make(api)}", json=[{"op": "replace", "path": "/persona_name", "value": "Echo"}])
    assert (answer.status_code, answer.content) == (304, b"")


@pytest.mark.parametrize(
    "patch",
    [
        {"persona_name": "x"},
        [{"op": "shout", "path": "/x"}],
        [{"op": "replace"}],
        [{"op": "remove", "path": "/nothing"}],
    ],
)
def test_a_patch_in_the_wrong_form_is_422(api: httpx.Client, patch: object) -> None:
    answer = api.patch(f"/personas/{make(api)}", json=patch)
    assert (answer.status_code, answer.json()) == (422, {"message": "Invalid JSON patch format"})


def test_a_patch_cannot_change_the_id_nor_make_it_invalid(api: httpx.Client) -> None:
    persona = make(api)
    api.patch(f"/personas/{persona}", json=[{"op": "replace", "path": "/persona_id", "value": "pother"}])
    assert api.get(f"/personas/{persona}").json()["persona_id"] == persona
    wrong = api.patch(f"/personas/{persona}", json=[{"op": "replace", "path": "/pipeline_mode", "value": "loud"}])
    assert wrong.status_code == 400
    assert api.get(f"/personas/{persona}").json()["pipeline_mode"] == "echo"


def test_unsaved_maker_changes_are_a_conflict_until_forced(api: httpx.Client, twin: TwinProcess) -> None:
    persona = make(api)
    patch = [{"op": "replace", "path": "/persona_name", "value": "Over"}]
    twin.fault("maker_changes", count=2)
    answer = api.patch(f"/personas/{persona}", json=patch)
    assert answer.status_code == 409
    assert answer.json()["conflict"] == "maker_changes"
    forced = api.patch(f"/personas/{persona}?force=true", json=patch)
    assert forced.json()["discarded_maker_changes"] is True
    assert forced.json()["persona_name"] == "Over"


def test_conferencing_is_patched_alone(api: httpx.Client) -> None:
    both = [
        {"op": "add", "path": "/layers/conferencing", "value": {"username": "x"}},
        {"op": "replace", "path": "/persona_name", "value": "y"},
    ]
    assert api.patch(f"/personas/{make(api)}", json=both).status_code == 400


def test_deleting_is_204_and_then_unknown(api: httpx.Client) -> None:
    persona = make(api)
    assert api.delete(f"/personas/{persona}").status_code == 204
    for answer in (api.get(f"/personas/{persona}"), api.delete(f"/personas/{persona}")):
        assert (answer.status_code, answer.json()) == (400, {"error": "Invalid persona_id"})
    assert api.get(f"/pals/{persona}").json() == {"error": "Invalid pal_id"}


def test_stock_personas_can_be_neither_changed_nor_deleted(api: httpx.Client) -> None:
    patch = [{"op": "replace", "path": "/persona_name", "value": "mine"}]
    assert api.patch("/personas/pipecat0", json=patch).status_code == 400
    assert api.delete("/personas/pipecat0").status_code == 400
    assert api.get("/personas/pipecat0").json()["layers"]["transport"]["input_settings"]["microphone"] == "disabled"
