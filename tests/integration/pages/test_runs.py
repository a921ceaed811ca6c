"""The pages of runs: asked for by a button, watched, stopped, downloaded."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from echoadmin.actors import Actor
from echoadmin.log.models import Entry, Kind
from echoadmin.log.writer import Draft, append
from echoadmin.runs import KINDS, Run, claim_run, perform, start_run
from tests import make

Visitor = Callable[[str | None], Client]
RUNS = "/admin/echoadmin/run/"


def ask(label: str = "everything as csv", **columns: object) -> Run:
    params = {"format": "csv", "filters": {}, "audio": False}
    return start_run(actor=Actor(name="somebody", source="page"), kind="export", params=params, label=label, **columns)


def do_next() -> None:
    run = claim_run("test")
    assert run is not None
    perform(run)


@pytest.mark.django_db
def test_the_list_of_runs_asks_as_much_for_many_as_for_few(visitor: Visitor) -> None:
    client = visitor("auditor")

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert client.get(RUNS).status_code == 200
        return len(seen)

    for _ in range(3):
        ask()
    few = queries()
    for _ in range(20):
        ask()
    assert queries() == few


@pytest.mark.django_db(transaction=True)
def test_an_export_is_asked_for_on_the_log_done_and_downloaded(visitor: Visitor) -> None:
    append([Draft(stream="account", kind=Kind.OPERATOR, event_type="tested", actor="ana", message={"n": 1})])
    client = visitor("auditor")
    answer = client.post("/admin/log/entry/export/", {"format": "ndjson", "actor": "ana"})
    run = Run.objects.get()
    assert answer["Location"] == f"{RUNS}{run.public_id}/change/"
    assert run.params["filters"] == {"actor": "ana"}
    assert Entry.objects.filter(event_type="log.exported").count() == 1
    assert client.get(answer["Location"] + "state/").json()["state"] == "waiting"
    do_next()
    page = client.get(answer["Location"])
    assert page.context["now"]["state"] == "done"
    file = client.get(page.context["now"]["file"])
    assert b'"event_type":"tested"' in b"".join(file.streaming_content)


@pytest.mark.django_db(transaction=True)
def test_a_verification_says_its_verdict_in_a_sentence(visitor: Visitor) -> None:
    append([Draft(stream="account", kind=Kind.OPERATOR, event_type="tested", actor="ana", message={"n": 1})])
    client = visitor("auditor")
    answer = client.post(f"{RUNS}verify/")
    do_next()
    page = client.get(answer["Location"]).content.decode()
    assert "is as it was written" in page


@pytest.mark.django_db
def test_who_asked_for_a_run_stops_it_and_another_auditor_may_not(visitor: Visitor) -> None:
    client = visitor("auditor")
    client.post(f"{RUNS}verify/")
    run = Run.objects.get()
    path = f"{RUNS}{run.public_id}/change/stop/"
    assert visitor("auditor").post(path).status_code == 403
    assert client.get(path).status_code == 405
    client.post(path)
    run.refresh_from_db()
    assert run.state == "stopped"
    client.post(f"{RUNS}{run.public_id}/change/resume/")
    run.refresh_from_db()
    assert run.state == "waiting"


@pytest.mark.django_db
@pytest.mark.parametrize("body", [{"format": "pdf"}, {"format": "csv", "kind": "nonsense"}])
def test_an_export_that_cannot_be_is_told_and_not_started(body: dict[str, str], visitor: Visitor) -> None:
    answer = visitor("auditor").post("/admin/log/entry/export/", body)
    assert answer.status_code == 400
    assert "nothing was started" in answer.content.decode()
    assert not Run.objects.exists()


@pytest.mark.django_db
def test_a_replay_is_asked_for_on_a_conversations_page(visitor: Visitor) -> None:
    conversation = make.room().conversation
    echo = make.echo(conversation=conversation, text="Once more.")
    path = f"/admin/conversations/conversation/{conversation.public_id}/change/replay/"
    assert visitor("auditor").get(path).status_code == 403
    client = visitor("operator")
    assert "Once more." in client.get(path).content.decode()
    answer = client.post(path, {"to": conversation.public_id, "speed": "2", "dry": "1", "echoes": [echo.pk]})
    if "replay" in KINDS:
        run = Run.objects.get(kind="replay")
        assert answer["Location"] == f"{RUNS}{run.public_id}/change/"
    else:
        assert answer.status_code == 404
