"""Rehearse faults, by page: what the twin offers is armed, shown and removed, by admins of a sandbox alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from echoadmin.log import reader
from echoadmin.log.models import Entry
from tests import make
from tests.twin_process import TwinProcess

Visitor = Callable[[str | None], Client]
PAGE = "/admin/sandbox/faults/"
REMOVE = "/admin/sandbox/faults/remove/"
ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.django_db


def armed(twin: TwinProcess) -> list[dict[str, Any]]:
    return list(twin.get("/twin/faults"))


def test_the_page_explains_every_fault_that_the_twin_offers(visitor: Visitor, twin: TwinProcess) -> None:
    page = visitor("admin").get(PAGE)
    text = page.content.decode()
    assert page.status_code == 200
    assert text.count('name="name"') == len(twin.get("/twin/faults/rehearsals")) >= 30
    assert "Nothing goes wrong" in text
    assert 'href="/admin/sandbox/faults/"' in text, "it is in the navigation"


def test_a_fault_is_armed_as_asked_shown_and_removed(visitor: Visitor, twin: TwinProcess) -> None:
    client, row = visitor("admin"), make.conversation(name="The one")
    form = {"name": "stalled", "times": "3", "seconds": "4.5", "conversation_id": row.upstream_id}
    page = client.post(PAGE, form, follow=True).content.decode()
    [fault] = armed(twin)
    wanted = {"kind": "stalled", "count": 3, "seconds": 4.5, "conversation_id": row.upstream_id}
    assert wanted.items() <= fault.items()
    assert "3 more times" in page and "4.5 s" in page and f"in {row.upstream_id} alone" in page
    [entry] = Entry.objects.filter(event_type="fault.armed")
    assert reader.messages([entry])[0]["rehearsal"] == "stalled"
    page = client.post(REMOVE, {"id": fault["id"]}, follow=True).content.decode()
    assert "Removed: 1." in page and "Nothing goes wrong" in page
    assert "It was gone already." in client.post(REMOVE, {"id": fault["id"]}, follow=True).content.decode()
    assert armed(twin) == []
    assert Entry.objects.filter(event_type="fault.removed").count() == 1


def test_a_tavus_fault_has_tavus_own_words_and_reaches_the_console(visitor: Visitor, twin: TwinProcess) -> None:
    client = visitor("admin")
    client.post(PAGE, {"name": "402", "times": "1"})
    [fault] = armed(twin)
    assert (fault["status"], fault["body"]) == (402, {"message": "The user is out of conversational credits."})
    client.post(PAGE, {"name": "429", "until": "on"})
    assert armed(twin)[1]["count"] is None
    assert "until it is removed" in client.get(PAGE).content.decode()


def test_all_are_removed_by_one_button(visitor: Visitor, twin: TwinProcess) -> None:
    client = visitor("admin")
    for name in ("500", "cut", "late"):
        client.post(PAGE, {"name": name, "times": "2"})
    assert "Armed (3)" in client.get(PAGE).content.decode()
    assert "Removed: 3." in client.post(REMOVE, follow=True).content.decode()
    assert armed(twin) == []


def test_one_that_was_armed_by_hand_is_shown_by_its_kind(visitor: Visitor, twin: TwinProcess) -> None:
    twin.fault("status", status=418, path="/v2/<b>")
    page = visitor("admin").get(PAGE).content.decode()
    assert "status 418" in page
    assert "<b>" not in page.split('id="armed"')[1].split("</ul>")[0]


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"name": "", "times": "1"}, "Choose what is to go wrong"),
        ({"name": "gremlins", "times": "1"}, "Choose what is to go wrong"),
        ({"name": "slow", "times": "0"}, "Times: is a whole number"),
        ({"name": "slow", "times": "many"}, "Times: is a whole number"),
        ({"name": "slow", "times": "1", "seconds": "-1"}, "Seconds: is a number"),
        ({"name": "slow", "times": "1", "seconds": "nan"}, "Seconds: is a number"),
        ({"name": "402", "times": "1", "conversation_id": "c1"}, "meets no conversation that runs already"),
        ({"name": "late", "times": "1", "conversation_id": "c1"}, "meets no conversation that runs already"),
    ],
)
def test_what_makes_no_sense_is_told_beside_the_form_and_arms_nothing(
    form: dict[str, str], words: str, visitor: Visitor, twin: TwinProcess
) -> None:
    answer = visitor("admin").post(PAGE, form)
    assert answer.status_code == 400
    assert words in answer.content.decode()
    assert armed(twin) == []
    assert not Entry.objects.filter(event_type="fault.armed").exists()


@pytest.mark.parametrize("role", ["auditor", "operator", "manager"])
def test_it_is_for_admins(role: str, visitor: Visitor, twin: TwinProcess) -> None:
    client = visitor(role)
    assert client.get(PAGE).status_code == 403
    assert client.post(PAGE, {"name": "500", "times": "1"}).status_code == 403
    assert client.post(REMOVE).status_code == 403
    assert PAGE not in client.get("/admin/").content.decode()
    assert armed(twin) == []


def test_strangers_are_sent_to_sign_in_and_removing_is_no_link(visitor: Visitor, twin: TwinProcess) -> None:
    assert Client().get(PAGE).status_code == 302
    assert visitor("admin").get(REMOVE).status_code == 405


@pytest.mark.parametrize("answers", ["nothing", "another"])
def test_a_twin_that_is_away_is_told_with_the_way_out(
    answers: str, visitor: Visitor, settings: Settings, twin: TwinProcess
) -> None:
    settings.TAVUS_API_URL = "http://127.0.0.1:1" if answers == "nothing" else twin.daily_url
    answer = visitor("admin").get(PAGE)
    assert answer.status_code == 503
    assert "Start the twin" in answer.content.decode()


def test_the_page_asks_the_database_as_often_for_many_conversations_as_for_few(
    visitor: Visitor, twin: TwinProcess
) -> None:
    client = visitor("admin")

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert client.get(PAGE).status_code == 200
        return len(seen)

    make.conversation.create_batch(2)
    few = queries()
    make.conversation.create_batch(20)
    assert queries() == few


LIVE = """
import django; django.setup()
from django.conf import settings; from django.urls import NoReverseMatch, reverse
from echoadmin.admin_site import NAVIGATION
assert settings.MODE == "live" and reverse("admin:index")
assert "Sandbox" not in [part.get("title") for part in NAVIGATION]
try: reverse("sandbox:faults")
except NoReverseMatch: print("no such page")
"""


def test_a_live_console_has_no_such_page(tmp_path: Path) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ECHOADMIN_", "TWIN_"))}
    own = {"ECHOADMIN_MODE": "live", "TAVUS_API_KEY": "a-key", "ECHOADMIN_DATA": str(tmp_path)}
    own["DJANGO_SETTINGS_MODULE"] = "echoadmin.settings"
    done = subprocess.run(
        [sys.executable, "-c", LIVE], cwd=ROOT, env=inherited | own, capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.returncode) == ("no such page", 0), done.stderr
