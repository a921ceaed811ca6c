"""What machines ask a console: the probes and the metrics; and what every answer tells a browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings
from pytest_django.fixtures import DjangoAssertNumQueries

from echoadmin import health
from echoadmin.accounts.keys import create_key
from echoadmin.actors import SYSTEM

pytestmark = pytest.mark.django_db


@pytest.fixture
def unwell() -> Iterator[None]:
    health.register("a part", lambda: "is not well; mend it")
    yield
    health.unregister("a part")


def test_the_process_answers_under_any_host_name_and_without_a_login(client: Client) -> None:
    answer = client.get("/healthz", headers={"host": "10.1.2.3:8000"})
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "version": health.__version__, "mode": "sandbox"}


def test_ready_means_that_every_part_is_well(client: Client) -> None:
    answer = client.get("/readyz", headers={"host": "10.1.2.3:8000"})
    assert answer.status_code == 200
    assert set(answer.json()["parts"].values()) == {"ok"}


def test_a_part_that_is_not_well_is_named(client: Client, unwell: None) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["status"] == "not ready"
    assert answer.json()["parts"]["a part"] == "is not well; mend it"


def test_a_probe_that_fails_is_no_500(client: Client) -> None:
    health.register("a part", lambda: str(1 / 0))
    try:
        answer = client.get("/readyz")
    finally:
        health.unregister("a part")
    assert answer.status_code == 503
    assert answer.json()["parts"]["a part"].startswith("ZeroDivisionError")


def test_a_redis_that_is_away_makes_it_not_ready(client: Client, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "Redis does not answer" in answer.json()["parts"]["channel layer"]


def test_a_missing_migration_makes_it_not_ready(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_migrated", set())
    monkeypatch.setattr(health, "unapplied_migrations", lambda: ["conversations.9999_later"])
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "manage.py migrate" in answer.json()["parts"]["database"]


def test_a_ready_console_is_asked_cheaply(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client.get("/readyz")
    with django_assert_max_num_queries(1):
        client.get("/readyz")


def test_metrics_are_for_this_machine(client: Client) -> None:
    answer = client.get("/metrics", REMOTE_ADDR="127.0.0.1")
    assert answer.status_code == 200
    assert 'echoadmin_info{version="' in answer.content.decode()
    assert "# TYPE echoadmin_rooms gauge" in answer.content.decode()
    assert client.get("/metrics", REMOTE_ADDR="203.0.113.7").status_code == 401


def test_a_proxy_on_this_machine_does_not_open_the_metrics(client: Client) -> None:
    passed_on = client.get("/metrics", REMOTE_ADDR="127.0.0.1", headers={"x-forwarded-for": "203.0.113.7"})
    assert passed_on.status_code == 401


def test_a_key_that_may_read_sees_the_metrics_from_anywhere(client: Client) -> None:
    user = User.objects.create_superuser("ana")
    _, key = create_key(user=user, label="metrics", actor=SYSTEM, scopes=["read"])
    answer = client.get("/metrics", REMOTE_ADDR="203.0.113.7", headers={"authorization": f"Bearer {key}"})
    assert answer.status_code == 200


def test_no_page_may_load_anything_from_elsewhere_or_be_framed(client: Client) -> None:
    answer = client.get("/admin/login/")
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "'unsafe-inline'" not in policy["script-src"]
    assert "http" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Frame-Options"] == "DENY"


def test_what_is_personal_is_not_kept_by_browsers(client: Client) -> None:
    assert client.get("/api/v1/personas/").headers["Cache-Control"] == "no-store"


def test_a_sane_request_id_comes_back_and_an_odd_one_is_replaced(client: Client) -> None:
    assert client.get("/admin/login/", headers={"x-request-id": "my-id.1"}).headers["X-Request-Id"] == "my-id.1"
    odd = client.get("/admin/login/", headers={"x-request-id": "a b\tc"}).headers["X-Request-Id"]
    assert len(odd) == 32
