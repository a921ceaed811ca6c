"""Scripts over REST: written, changed, started; their runs paused, skipped, resumed; the interactions' catalogue."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from conversations.audio import wav_header
from conversations.interactions.catalogue import CATALOGUE
from conversations.models import Conversation, Script
from echoadmin.log.models import Entry
from echoadmin.runs import Run
from tests import make

pytestmark = pytest.mark.django_db
ClientOf = Callable[..., APIClient]
SCRIPTS = "/api/v1/scripts/"
TOUR = {"name": "Tour", "lines": [{"text": "Hello {{guest}}.", "pause": 1}, {"text": "Bye.", "wait": None}]}


@pytest.fixture
def target(db: None) -> Conversation:
    return Conversation.objects.get(pk=make.room().conversation_id)


def error(response: Any, status: int = 400) -> dict[str, Any]:
    assert response.status_code == status, response.content
    return dict(response.json()["error"])


def test_a_script_is_written_read_changed_and_taken_away(client_of: ClientOf) -> None:
    client = client_of("operator")
    made = client.post(SCRIPTS, TOUR, format="json")
    assert made.status_code == 201
    one = made.json()
    assert one["id"].startswith("sc_")
    assert (one["variables"], one["created_by"]) == ({"guest": ""}, "operator (key test)")
    assert one["lines"][1] == {"text": "Bye.", "pause": 0, "wait": None}
    assert client_of("auditor").get(f"{SCRIPTS}{one['id']}/").json() == one
    assert [row["id"] for row in client.get(SCRIPTS).json()["results"]] == [one["id"]]

    change = {"variables": {"guest": "you"}, "revision": one["revision"]}
    changed = client.patch(f"{SCRIPTS}{one['id']}/", change, format="json").json()
    assert (changed["variables"], changed["lines"]) == ({"guest": "you"}, one["lines"])
    assert error(client.patch(f"{SCRIPTS}{one['id']}/", change, format="json"), 409)["code"] == "changed"
    lines = {"lines": [{"text": "{{guest}} and {{other}}."}]}
    changed = client.patch(f"{SCRIPTS}{one['id']}/", lines, format="json").json()
    assert changed["variables"] == {"guest": "you", "other": ""}
    assert client.delete(f"{SCRIPTS}{one['id']}/").status_code == 204
    assert "listed under /api/v1/scripts/" in error(client.get(f"{SCRIPTS}{one['id']}/"), 404)["message"]


def test_a_repeated_post_writes_one_script_and_starts_one_run(client_of: ClientOf, target: Conversation) -> None:
    client = client_of("operator")
    for _ in range(2):
        made = client.post(SCRIPTS, TOUR, format="json", headers={"Idempotency-Key": "one"}).json()
    body = {"conversation": target.public_id, "variables": {"guest": "Ana"}}
    for _ in range(2):
        client.post(f"{SCRIPTS}{made['id']}/run/", body, format="json", headers={"Idempotency-Key": "two"})
    assert (Script.objects.count(), Run.objects.count()) == (1, 1)


def test_what_is_wrong_is_named_by_its_field(client_of: ClientOf, target: Conversation) -> None:
    client = client_of("operator")
    told = error(client.post(SCRIPTS, {"name": "", "lines": [{"text": ""}], "x": 1}, format="json"))
    assert list(told["fields"]) == ["x"]
    told = error(client.post(SCRIPTS, {"name": "A", "lines": [{"text": "Hi."}, {"text": ""}]}, format="json"))
    assert list(told["fields"]) == ["lines.2.text"]
    one = client.post(SCRIPTS, TOUR, format="json").json()
    told = error(client.post(f"{SCRIPTS}{one['id']}/run/", {"conversation": target.public_id}, format="json"))
    assert list(told["fields"]) == ["variables.guest"]
    told = error(client.post(f"{SCRIPTS}{one['id']}/run/", {"variables": {"guest": "Ana"}}, format="json"))
    assert list(told["fields"]) == ["conversation"]
    told = error(client.patch(f"{SCRIPTS}{one['id']}/", {"revision": "1"}, format="json"))
    assert list(told["fields"]) == ["revision"]
    assert not Run.objects.exists()


def test_a_run_is_started_paused_skipped_resumed_and_stopped(client_of: ClientOf, target: Conversation) -> None:
    client = client_of("operator")
    one = client.post(SCRIPTS, TOUR, format="json").json()
    body = {"conversation": target.upstream_id, "variables": {"guest": "Ana"}}
    started = client.post(f"{SCRIPTS}{one['id']}/run/", body, format="json")
    assert started.status_code == 202
    run = started.json()
    assert (run["kind"], run["state"], run["conversation"]) == ("script", "waiting", target.public_id)
    assert run["params"]["lines"][0]["text"] == "Hello Ana."
    here = f"/api/v1/runs/{run['id']}/"
    assert client.post(f"{here}pause/").json()["state"] == "paused"
    assert error(client.post(f"{here}pause/"), 409)["code"] == "not_pausable"
    assert client.post(f"{here}skip/").status_code == 200
    assert Run.objects.get().wish == "skip"
    assert client.post(f"{here}resume/").json()["state"] == "waiting"
    assert client.post(f"{here}stop/").json()["state"] == "stopped"
    assert error(client.post(f"{here}skip/"), 409)["code"] == "not_skippable"
    told = Entry.objects.filter(event_type__startswith="run.").order_by("id").values_list("event_type", flat=True)
    assert list(told) == ["run.started", "run.paused", "run.skipped", "run.resumed", "run.stopped"]


def test_only_ones_own_run_is_paused_and_skipped_but_by_a_manager(client_of: ClientOf, target: Conversation) -> None:
    client = client_of("operator")
    one = client.post(SCRIPTS, {**TOUR, "lines": [{"text": "Hi."}]}, format="json").json()
    run = client.post(f"{SCRIPTS}{one['id']}/run/", {"conversation": target.public_id}, format="json").json()
    for what in ("pause", "skip"):
        assert client_of("auditor").post(f"/api/v1/runs/{run['id']}/{what}/").status_code == 403
        assert client_of("manager").post(f"/api/v1/runs/{run['id']}/{what}/").status_code == 200


def test_samples_come_as_a_file_or_as_base64(client_of: ClientOf) -> None:
    client = client_of("operator")
    file = io.BytesIO(wav_header(48_000, 24_000) + bytes(48_000))
    file.name = "one.wav"
    sound = client.post(f"{SCRIPTS}clips/", {"file": file}, format="multipart")
    assert (sound.status_code, sound.json()["seconds"], sound.json()["sample_rate"]) == (201, 1.0, 24_000)
    text = base64.b64encode(bytes(1_600)).decode()
    raw = client.post(f"{SCRIPTS}clips/", {"audio": text, "sample_rate": 16_000}, format="json").json()
    assert raw["seconds"] == 0.05
    lines = [{"clip": sound.json()["clip"], "name": "one.wav"}, {"clip": raw["clip"]}]
    made = client.post(SCRIPTS, {"name": "Sounds", "lines": lines}, format="json").json()
    assert [line["seconds"] for line in made["lines"]] == [1.0, 0.05]
    assert made["seconds"] == 1.1  # rounded
    assert list(error(client.post(f"{SCRIPTS}clips/", {}, format="json"))["fields"]) == ["file"]
    broken = io.BytesIO(b"no sound at all")
    broken.name = "x.wav"
    assert error(client.post(f"{SCRIPTS}clips/", {"file": broken}, format="multipart"))["code"] == "not_audio"


def test_the_catalogue_tells_every_interaction_and_its_effect(client_of: ClientOf) -> None:
    told = client_of("auditor").get("/api/v1/interactions/catalogue/").json()
    assert told["limit"] == 4096
    assert [one["event_type"] for one in told["results"]] == [one.event_type for one in CATALOGUE]
    effect = {one["event_type"]: one["in_echo_mode"] for one in told["results"]}
    assert [name for name, has in effect.items() if has] == ["conversation.interrupt"]
    assert all(field["help"] and field["label"] for one in told["results"] for field in one["fields"])
