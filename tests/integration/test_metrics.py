"""What /metrics tells, and what it costs to ask."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from conversations.models import StateChange, WebhookReceived
from echoadmin import metrics
from echoadmin.deliveries.models import Delivery, Subscription
from echoadmin.tavus.exchange import Exchange
from echoadmin.upstream import log_exchange
from tests import make

pytestmark = pytest.mark.django_db

LABELS = {  # each of a closed set of values, or, of a worker, one for each process
    *("state", "status", "reason", "kind", "duty", "follower", "worker", "operation", "step", "le", "version"),
    *("generation", "implementation", "major", "minor", "patchlevel"),  # of the client library's own
    *("method", "route", "currency"),
}  # fmt: skip

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape() -> Samples:
    text = Client().get("/metrics", REMOTE_ADDR="127.0.0.1").content.decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((name, tuple(sorted(labels.items()))))


def exchange(path: str, status: int | None) -> Exchange:
    now = datetime.now(UTC)
    return Exchange("POST", path, {}, None, status, None, None if status else "no answer", now, 0.3, 1)


def fill() -> None:
    for _ in range(5):
        room = make.room(worker=make.worker())
        make.echo(conversation=room.conversation, state="spoken")
        make.echo(conversation=room.conversation, state="queued")
        make.duty(name=f"duty {room.pk}")


def test_a_scrape_costs_the_same_queries_however_much_there_is() -> None:
    fill()
    scrape()
    with CaptureQueriesContext(
        connection,
    ) as few:
        scrape()
    for _ in range(4):
        fill()
    with CaptureQueriesContext(connection) as many:
        scrape()
    assert len(many) == len(few) <= 30


def test_no_label_holds_an_id() -> None:
    fill()
    log_exchange(exchange("/v2/conversations/c123abc/end", 200))
    for name, labels in scrape():
        assert {label for label, _ in labels} <= LABELS, name
        assert not any("c123abc" in text or text.startswith(("cv_", "pe_", "re_")) for _, text in labels), name


def test_upstream_calls_are_counted_by_operation_and_status() -> None:
    name, operation = "echoadmin_upstream_seconds_count", "POST /v2/conversations/{id}/end"
    before = scrape()
    log_exchange(exchange("/v2/conversations/c1/end", 200))
    log_exchange(exchange("/v2/conversations/c2/end", 200))
    log_exchange(exchange("/v2/conversations/c3/end", None))
    after = scrape()
    for status, more in (("200", 2), ("none", 1)):
        was = value(before, name, operation=operation, status=status) or 0
        assert value(after, name, operation=operation, status=status) == was + more


def test_slots_seconds_and_cost_are_those_of_today(settings: Settings) -> None:
    settings.CONVERSATION_SLOTS, settings.PRICE_PER_MINUTE = 3, 0.6
    now = timezone.now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    make.conversation(
        upstream_created_at=midnight - timedelta(hours=1), ended_at=midnight - timedelta(minutes=1), status="ended"
    )
    make.conversation(upstream_created_at=midnight)
    make.conversation(test_mode=True)
    told = scrape()
    today = (timezone.now() - midnight).total_seconds()
    assert value(told, "echoadmin_slots_used") == 1
    assert value(told, "echoadmin_slots_limit") == 3
    seconds, cost = (value(told, f"echoadmin_{name}_today", currency="USD") for name in ("billed_seconds", "cost"))
    assert seconds is not None and cost is not None
    assert 0 <= today - seconds < 30
    assert cost == pytest.approx(seconds * 0.01)


def test_what_waits_is_told_with_its_age() -> None:
    assert value(scrape(), "echoadmin_looks_waiting") == 0
    make.conversation(sync_wanted_at=timezone.now() - timedelta(seconds=70))
    subscription = Subscription.objects.create(url="https://example.com/", sealed_secret="", created_by="ana")
    Delivery.objects.create(subscription=subscription, event_type="echo.spoken", body="{}")
    make.duty(name="late", next_run_at=timezone.now() - timedelta(seconds=90), last_error="no way")
    WebhookReceived.objects.create(event_type="x", body={}, received_at=timezone.now() - timedelta(seconds=80))
    changed = timezone.now() - timedelta(seconds=60)
    StateChange.objects.create(subject="echo", row_id=1, was="queued", state="sending", at=changed, facts={})
    told = scrape()
    assert value(told, "echoadmin_changes_waiting") == 1
    assert 60 <= (value(told, "echoadmin_changes_oldest_seconds") or 0) < 90
    assert value(told, "echoadmin_webhooks_in_waiting") == 1
    assert 80 <= (value(told, "echoadmin_webhooks_in_oldest_seconds") or 0) < 110
    assert value(told, "echoadmin_looks_waiting") == value(told, "echoadmin_deliveries_waiting") == 1
    assert 70 <= (value(told, "echoadmin_looks_oldest_seconds") or 0) < 100
    assert 90 <= (value(told, "echoadmin_duty_overdue_seconds", duty="late") or 0) < 120
    assert value(told, "echoadmin_duty_failing", duty="late") == 1


def test_without_its_database_a_process_still_tells_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    assert value(scrape(), "echoadmin_database_up") == 1

    def away() -> None:
        raise DatabaseError("it is away")

    monkeypatch.setattr(metrics.connection, "cursor", away)
    told = scrape()
    assert value(told, "echoadmin_database_up") == 0
    assert value(told, "process_start_time_seconds")
    assert value(told, "echoadmin_slots_used") is None
