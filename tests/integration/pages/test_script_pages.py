"""The pages of scripts: written, changed, started; the live page's panel; and the interactions console behind it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from conversations.audio import wav_header
from conversations.models import Conversation, Interaction, Script
from echoadmin.runs import Run
from tests import make
from tests.integration.pages.replays import target
from tests.integration.scripted import script

pytestmark = pytest.mark.django_db
Visitor = Callable[[str | None], Client]
SCRIPTS = "/admin/conversations/script/"
JSON = {"HTTP_ACCEPT": "application/json"}


def form(*rows: dict[str, str], **more: str) -> dict[str, Any]:
    """What the browser sends: each column in the order of the rows."""
    blank = {"text": "", "clip": "", "clip_name": "", "pause": "0", "wait": "spoken", "long": ""}
    whole = [blank | row for row in rows]
    return {"name": "Tour", **{name: [row[name] for row in whole] for name in blank}, **more}


def live(conversation: Conversation, path: str = "") -> str:
    return f"/admin/conversations/conversation/{conversation.public_id}/change/{path}"


def sent_once(client: Client, path: str, body: dict[str, Any]) -> Script:
    answer = client.post(path, body)
    assert answer.status_code == 302, answer.context["errors"]
    return Script.objects.order_by("-updated_at")[0]


def test_a_script_is_written_in_the_order_of_its_rows_and_changed(visitor: Visitor) -> None:
    client = visitor("operator")
    rows = ({"text": "One, {{guest}}.", "pause": "1,5"}, {}, {"text": "Two.\r\nThree.", "wait": ""})
    body = form(*rows, **{"default-guest": "you", "default-gone": "x"})
    made = sent_once(client, f"{SCRIPTS}add/", body)
    assert made.lines == [
        {"text": "One, {{guest}}.", "pause": 1.5, "wait": "spoken"},
        {"text": "Two.\nThree.", "pause": 0.0, "wait": None},
    ]
    assert made.variables == {"guest": "you"}
    page = client.get(f"{SCRIPTS}{made.public_id}/change/edit/")
    assert [one["row"].text for one in page.context["rows"]] == ["One, {{guest}}.", "Two.\nThree."]
    changed = form({"text": "Only this."}, revision=str(made.revision))
    assert sent_once(client, f"{SCRIPTS}{made.public_id}/change/edit/", changed).lines[0]["text"] == "Only this."
    stale = client.post(f"{SCRIPTS}{made.public_id}/change/edit/", changed)
    assert stale.status_code == 400 and "Somebody saved it meanwhile" in stale.content.decode()
    assert client.post(f"{SCRIPTS}{made.public_id}/change/delete/").status_code == 302
    assert not Script.objects.exists()


def test_what_was_typed_is_kept_when_it_is_refused_and_each_line_says_why(visitor: Visitor) -> None:
    answer = visitor("operator").post(
        f"{SCRIPTS}add/",
        form({"text": "Good."}, {}, {"text": "Typed {{with care."}, {"text": "x", "pause": "soon"}, name=""),
    )
    assert answer.status_code == 400
    rows = answer.context["rows"]
    assert [bool(one["error"]) for one in rows] == [False, False, True, True]
    assert rows[2]["row"].text == "Typed {{with care." and rows[3]["row"].pause == "soon"
    assert answer.context["errors"]["name"] and not answer.context["other_errors"]
    assert not Script.objects.exists()


def test_samples_are_uploaded_for_a_line(visitor: Visitor) -> None:
    client = visitor("operator")
    file = io.BytesIO(wav_header(24_000, 24_000) + bytes(24_000))
    file.name = "intro.wav"
    told = client.post(f"{SCRIPTS}clip/", {"file": file}, **JSON).json()
    assert (told["name"], told["long"]) == ("intro.wav", "0.5 s")
    made = sent_once(client, f"{SCRIPTS}add/", form({"clip": str(told["clip"]), "clip_name": told["name"]}))
    assert made.lines[0]["clip"] == told["clip"]
    assert "intro.wav" in client.get(f"{SCRIPTS}{made.public_id}/change/").content.decode()
    broken = io.BytesIO(b"x")
    broken.name = "x.wav"
    refused = client.post(f"{SCRIPTS}clip/", {"file": broken}, **JSON)
    assert refused.status_code == 400 and refused.json()["error"]["message"]


@pytest.mark.parametrize("path", ["add/", "{id}/change/edit/", "{id}/change/run/"])
def test_an_auditor_reads_scripts_and_writes_and_starts_none(visitor: Visitor, path: str) -> None:
    made, client = script("One."), visitor("auditor")
    assert client.get(f"{SCRIPTS}{made.public_id}/change/").status_code == 200
    assert client.get(SCRIPTS + path.format(id=made.public_id)).status_code == 403
    for button in ("clip/", f"{made.public_id}/change/delete/"):
        assert client.post(SCRIPTS + button).status_code == 403


def test_a_script_is_started_by_its_page_and_a_missing_variable_is_named(visitor: Visitor) -> None:
    into, client = target(), visitor("operator")
    made = script("Hello {{guest}}.", "Bye, {{who}}.", who="all")
    page = f"{SCRIPTS}{made.public_id}/change/run/"
    shown = client.get(page)
    refused = client.post(page, {"to": into.public_id, "run": shown.context["run"], "variable-guest": ""})
    assert refused.status_code == 400
    assert [bool(one["error"]) for one in refused.context["values"]] == [True, False]
    for _ in range(2):  # pressed twice
        body = {"to": into.public_id, "run": shown.context["run"], "variable-guest": "Ana", "variable-who": ""}
        assert client.post(page, body).status_code == 302
    run = Run.objects.get()
    assert [line["text"] for line in run.params["lines"]] == ["Hello Ana.", "Bye, all."]
    drawn = client.get(f"/admin/echoadmin/run/{run.public_id}/change/").content.decode()
    assert "Hello Ana." in drawn and "2 to come" in drawn and "Pause" in drawn and "Skip this line" in drawn
    for what, state in (("pause", "paused"), ("resume", "waiting"), ("stop", "stopped")):
        client.post(f"/admin/echoadmin/run/{run.public_id}/change/{what}/")
        run.refresh_from_db()
        assert run.state == state


def test_the_live_pages_panel_starts_pauses_skips_and_stops(visitor: Visitor) -> None:
    into, client = target(), visitor("operator")
    made = script("Hello {{guest}}.", "Bye.")
    told = client.get(live(into, "script/")).json()
    assert told == {
        "scripts": [
            {
                "id": made.public_id,
                "name": "Tour",
                "about": "2 lines · ≈ 1 s",
                "variables": [{"name": "guest", "default": ""}],
            }
        ],
        "run": None,
    }
    refused = client.post(live(into, "script/start/"), {"script": made.public_id}, **JSON)
    assert (refused.status_code, list(refused.json()["error"]["fields"])) == (400, ["variables.guest"])
    body = {"script": made.public_id, "variable-guest": "Ana"}
    body["run"] = "rn_" + "a" * 20
    run = client.post(live(into, "script/start/"), body, **JSON).json()["run"]
    assert client.post(live(into, "script/start/"), body, **JSON).json()["run"] == run  # pressed twice
    assert run["id"] == body["run"]
    two = client.post(live(into, "script/start/"), {**body, "run": "rn_" + "b" * 20}, **JSON)
    assert (two.status_code, two.json()["error"]["code"]) == (409, "script_running")
    assert client.get(live(into, "script/?only=run")).json() == {"scripts": None, "run": run}
    assert (run["state"], run["at"], run["line"], run["after"], run["total"]) == ("waiting", 1, "Hello Ana.", "Bye.", 2)
    here = live(into, f"script/{run['id']}/")
    assert client.post(f"{here}pause/", **JSON).json()["run"]["state"] == "paused"
    assert client.post(f"{here}skip/", **JSON).json()["run"]["wish"] == "skip"
    assert client.post(f"{here}resume/", **JSON).json()["run"]["state"] == "waiting"
    assert client.post(f"{here}stop/", **JSON).json()["run"]["ended"] is True
    again = client.post(f"{here}stop/", **JSON)
    assert (again.status_code, again.json()["error"]["message"]) == (409, "It had ended already.")
    assert client.post(f"{here}dance/", **JSON).status_code == 404
    other = live(target(), f"script/{run['id']}/")
    assert client.post(f"{other}stop/", **JSON).status_code == 404
    assert visitor("auditor").get(live(into, "script/")).status_code == 200
    assert visitor("auditor").post(f"{here}resume/", **JSON).status_code == 403
    assert visitor("operator").post(f"{here}resume/", **JSON).status_code == 403  # another's


def test_an_interaction_is_judged_while_it_is_typed_then_sent_and_offered_again(visitor: Visitor) -> None:
    into, client = target(), visitor("operator")
    check, send = live(into, "interactions/check/"), live(into, "interactions/send/")
    empty = client.post(check, {"event_type": "conversation.respond", "field-text": ""}).json()["error"]
    assert empty["field"] == "text"
    body = {"event_type": "conversation.respond", "field-text": "Hi."}
    told = client.post(check, body).json()
    assert told["message"]["properties"] == {"text": "Hi."} and 0 < told["bytes"] < told["limit"]
    assert not Interaction.objects.exists()
    sent = client.post(send, body)
    assert sent.status_code == 202
    assert [one["words"] for one in sent.json()["last"]] == ["Hi."]
    message = json.dumps(sent.json()["last"][0]["message"])
    assert client.post(send, {"message": message}).status_code == 202
    assert [row.message for row in Interaction.objects.all()] == [json.loads(message)] * 2
    assert len(client.get(live(into, "interactions/")).json()["last"]) == 1  # different ones
    assert visitor("auditor").post(send, body).status_code == 403


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("{", "no JSON"),
        ("[1]", "JSON object"),
        ('{"event_type": "conversation.echo"}', "echoes/"),
        (json.dumps({"event_type": "x", "pad": "x" * 4_096}), "bytes"),
        ("9" * 300_000, "too long"),
    ],
)
def test_raw_json_that_cannot_be_sent_says_why_before_one_sends_it(visitor: Visitor, message: str, words: str) -> None:
    into, client = target(), visitor("operator")
    answer = client.post(live(into, "interactions/check/"), {"message": message})
    assert answer.status_code == 200
    assert words in answer.json()["error"]["message"]
    if len(message) < 10_000:
        assert client.post(live(into, "interactions/send/"), {"message": message}).status_code in (400, 413)
    assert not Interaction.objects.exists()


def test_nothing_is_sent_into_a_room_that_nobody_joined(visitor: Visitor) -> None:
    into = make.conversation()
    answer = visitor("operator").post(live(into, "interactions/send/"), {"event_type": "conversation.interrupt"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_joined")
