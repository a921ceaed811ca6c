"""`workers/`, `duties/`, and what /metrics tells of both."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from conversations.models import Worker
from echoadmin import duties
from echoadmin.duties import Duty
from tests import make

pytestmark = pytest.mark.django_db
ClientOf = Callable[..., APIClient]


def test_a_worker_is_shown_with_its_rooms_and_its_lease(client_of: ClientOf) -> None:
    worker = make.worker(name="a1.eu-west_2", capacity=5, lease_until=timezone.now() + timedelta(seconds=20))
    room = make.room(worker=worker)
    make.room(worker=worker, state="idle", wanted="idle")
    told = client_of("auditor").get("/api/v1/workers/a1.eu-west_2/").json()
    assert (told["state"], told["rooms"], told["capacity"], told["drain_wanted"]) == ("alive", 1, 5, False)
    assert 18 < told["lease_left"] <= 20
    assert [held["conversation"] for held in told["holds"]] == [room.conversation.public_id]
    assert (told["holds"][0]["state"], told["holds"][0]["replica_present"]) == ("joined", True)


def test_a_worker_that_is_not_there_says_where_they_are_listed(client_of: ClientOf) -> None:
    client = client_of("manager")
    for answer in (client.get("/api/v1/workers/x/"), client.post("/api/v1/workers/x/drain/")):
        assert answer.status_code == 404
        assert "/api/v1/workers/" in answer.json()["error"]["message"]


def test_a_manager_drains_a_worker_and_has_it_take_rooms_again(client_of: ClientOf) -> None:
    make.worker(name="a1")
    client = client_of("manager")
    assert client_of("operator").post("/api/v1/workers/a1/drain/").status_code == 403
    for _ in range(2):
        told = client.post("/api/v1/workers/a1/drain/").json()
        assert (told["state"], told["drain_wanted"], told["draining"]) == ("draining", True, False)
    assert client.post("/api/v1/workers/a1/resume/").json()["state"] == "alive"
    Worker.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    for verb in ("drain", "resume"):
        answer = client.post(f"/api/v1/workers/a1/{verb}/")
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_now")
        assert "stale" in answer.json()["error"]["message"]


def test_a_duty_tells_how_often_it_was_done_and_failed_and_who_is_at_it(
    client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes: list[Any] = ["swept 3", ZeroDivisionError("no brush"), "swept 1"]

    def sweep() -> str:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return str(outcome)

    monkeypatch.setattr(duties, "REGISTRY", {"sweep": duties.Registered(timedelta(0), sweep)})
    duties.ensure_rows()
    states = []
    while outcomes and (held := duties.claim_due("w1")):
        states.append(client_of("auditor").get("/api/v1/duties/").json()["results"][0]["state"])
        duties.perform(held)
        states.append(Duty.objects.get().standing)
    [told] = client_of("auditor").get("/api/v1/duties/").json()["results"]
    assert (told["name"], told["runs"], told["errors"], told["last_result"]) == ("sweep", 3, 1, "swept 1")
    assert (told["holder"], told["lease_until"], told["last_error"]) == ("", None, "")
    assert states == ["running", "due", "running", "failed", "running", "due"]
    assert 'echoadmin_duty_errors_total{duty="sweep"} 1.0' in metrics()


def test_a_worker_leaves_a_duty_to_a_console_until_it_is_overdue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duties, "REGISTRY", {"sweep": duties.Registered(timedelta(0), lambda: None)})
    duties.ensure_rows()
    assert duties.claim_due("w1", overdue=duties.OTHERS_FIRST) is None
    Duty.objects.update(next_run_at=timezone.now() - duties.OTHERS_FIRST)
    assert duties.claim_due("w1", overdue=duties.OTHERS_FIRST) is not None
    assert duties.claim_due("console") is None


def metrics() -> str:
    return Client().get("/metrics", REMOTE_ADDR="127.0.0.1").content.decode()


def test_the_metrics_tell_of_workers_rooms_queues_and_ends() -> None:
    living = make.worker(name="a1", lease_until=timezone.now() + timedelta(seconds=25))
    make.worker(drain_wanted=True)
    make.worker(name="dead", lease_until=timezone.now() - timedelta(seconds=100))
    make.worker(name="done", stopped_at=timezone.now(), lease_until=timezone.now())
    make.worker(name="long ago", stopped_at=timezone.now(), lease_until=timezone.now() - timedelta(days=2))
    row = make.room(worker=living).conversation
    make.room(worker=living, state="lost")
    make.echo(conversation=row, state="spoken", queued_at=timezone.now() - timedelta(days=2))
    for state, reason in (("queued", ""), ("queued", ""), ("held", ""), ("spoken", ""), ("failed", "replica_absent")):
        make.echo(conversation=row, state=state, reason=reason)
    make.duty(name="sweep", runs=7, errors=2, last_run_at=timezone.now() - timedelta(seconds=50))
    told = metrics()
    for line in (
        'echoadmin_workers{state="alive"} 1.0',
        'echoadmin_workers{state="draining"} 1.0',
        'echoadmin_workers{state="stale"} 1.0',
        'echoadmin_workers{state="stopped"} 1.0',
        'echoadmin_worker_rooms{worker="a1"} 2.0',
        'echoadmin_rooms{state="lost"} 1.0',
        'echoadmin_queue{state="queued"} 2.0',
        'echoadmin_queue{state="held"} 1.0',
        'echoadmin_echoes_ended_today{reason="none",state="spoken"} 1.0',
        'echoadmin_echoes_ended_today{reason="replica_absent",state="failed"} 1.0',
        'echoadmin_duty_runs_total{duty="sweep"} 7.0',
        'echoadmin_duty_errors_total{duty="sweep"} 2.0',
    ):
        assert line in told
    ages = dict(line.rsplit(" ", 1) for line in told.splitlines() if "_age_seconds{" in line)
    assert 5 <= float(ages['echoadmin_worker_lease_age_seconds{worker="a1"}']) < 10
    assert float(ages['echoadmin_worker_lease_age_seconds{worker="dead"}']) >= 130
    assert 'echoadmin_worker_lease_age_seconds{worker="done"}' not in ages
    assert 50 <= float(ages['echoadmin_duty_age_seconds{duty="sweep"}']) < 60
