"""Costs: by each thing they are told by, in a fixed number of queries; the month as CSV; the pages and the command."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from conversations.models import Budget, Conversation, Price
from conversations.models.price import read_rates
from conversations.money.settling import settle_all
from conversations.money.spending import costs, unsettled_in, whole
from echoadmin.log.models import Entry
from tests import make
from tests.integration.money.spent import NOON, ended, running

DAYS = (date(2027, 3, 1), date(2027, 3, 31))
PERIOD = "from=2027-03-01&to=2027-03-31"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _a_minute_costs_one_euro(settings: LazySettings) -> None:
    settings.PRICE_PER_MINUTE, settings.CURRENCY = 1.0, "EUR"


def some() -> None:
    """Three of March, one of February, one that costs nothing."""
    host, guest = make.persona(name="Host"), make.persona(name="=Guest")
    ended(persona=host, created_by="ana", created_by_user=1, seconds=60)
    ended(NOON + timedelta(days=1), persona=host, created_by="ana (key tts)", created_by_user=1, created_by_key="k1",
          seconds=120)  # fmt: skip
    ended(NOON + timedelta(days=1), persona=guest, created_by="", seconds=90.5, made_here=False)
    ended(NOON - timedelta(days=30), persona=host, seconds=600)
    ended(test_mode=True)


def told(by: str) -> list[tuple[str, int, Decimal, Decimal | None]]:
    found = costs(by, *DAYS, read_rates(), unsettled_in(*DAYS))
    return [(one.name, one.conversations, one.seconds, one.cost) for one in found]


@pytest.mark.parametrize("settled", [False, True])
def test_they_are_told_by_each_thing_the_same_settled_or_not(settled: bool) -> None:
    some()
    if settled:
        assert settle_all() == 4
    second, third = Decimal("90.5"), Decimal("1.508333")
    assert told("persona") == [("Host", 2, Decimal(180), Decimal(3)), ("=Guest", 1, second, third)]
    assert told("day") == [
        ("2027-03-10", 1, Decimal(60), Decimal(1)),
        ("2027-03-11", 2, Decimal("210.5"), Decimal("3.508333")),
    ]
    assert told("month") == [("2027-03", 3, Decimal("270.5"), Decimal("4.508333"))]
    assert told("user") == [("ana", 2, Decimal(180), Decimal(3)), ("not made here", 1, second, third)]
    assert told("key")[1] == ("ana (key tts)", 1, Decimal(120), Decimal(2))
    assert [name for name, *_ in told("creator")] == ["ana (key tts)", "not made here", "ana"]
    [total] = whole(costs("day", *DAYS, read_rates(), unsettled_in(*DAYS)))
    assert (total.conversations, total.cost) == (3, Decimal("4.508333"))


def test_the_api_tells_them(client_of: Callable[..., APIClient]) -> None:
    some()
    settle_all()
    client = client_of("auditor")
    by_key = client.get(f"/api/v1/costs/?by=key&{PERIOD}").json()
    assert by_key["next"] is None and by_key["results"][1] == {
        "key": "k1", "name": "ana (key tts)", "conversations": 1, "running": 0, "seconds": 120.0, "cost": 2.0,
        "currency": "EUR",
    }  # fmt: skip
    page = client.get(f"/api/v1/costs/?by=conversation&limit=2&{PERIOD}").json()
    rest = client.get(page["next"]).json()
    rows = [*page["results"], *rest["results"]]
    assert [row["seconds"] for row in rows] == [90.5, 120.0, 60.0] and rest["next"] is None
    assert {row["ended_at_source"] for row in rows} == {"updated_at"}
    for query, field in (("by=colour", "by"), ("from=soon", "from"), ("from=2027-03-02&to=2027-03-01", "from")):
        answer = client.get(f"/api/v1/costs/?{query}")
        assert (answer.status_code, list(answer.json()["error"]["fields"])) == (400, [field])


def test_the_month_as_csv_is_streamed_and_reckons_nothing_in_a_spreadsheet(client_of: Callable[..., APIClient]) -> None:
    some()
    ended(name='=HYPERLINK("x")', seconds=1)
    answer = client_of("auditor").get("/api/v1/costs/export/?month=2027-03")
    assert answer.streaming and answer["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert [row["seconds"] for row in rows] == ["60.000000", "120.000000", "90.500000", "1.000000"]
    assert rows[0]["started_at"] == "2027-03-10T12:00:00Z" and rows[0]["cost"] == "1.000000"
    assert rows[3]["name"] == '\'=HYPERLINK("x")' and rows[2]["persona_name"] == "'=Guest"
    assert Entry.objects.filter(event_type="costs.exported").count() == 1
    assert client_of("auditor").get("/api/v1/costs/export/?month=2027-13").status_code == 400


def test_the_page_asks_as_much_at_ten_thousand_conversations_as_at_ten(visitor: Callable[[str], Any]) -> None:
    client, path = visitor("manager"), "/admin/conversations/price/money/?month=2027-03"
    personas = make.persona.create_batch(30)
    Budget.objects.create(name="b", amount=5, currency="EUR")
    running(NOON)

    def more(count: int) -> None:
        Conversation.objects.bulk_create(
            Conversation(
                public_id=f"cv_{count}_{n}", upstream_id=f"c{count}_{n}", state="live", status="ended",
                persona=personas[n % 30], created_by=f"user {n % 20}",
                upstream_created_at=NOON + timedelta(minutes=n), ended_at=NOON + timedelta(minutes=n + 1),
            )
            for n in range(count)
        )  # fmt: skip
        settle_all()

    def asked() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert client.get(path).status_code == 200
        return len(seen)

    more(10)
    few = asked()
    more(10_000)
    running(NOON + timedelta(hours=1))
    assert asked() == few <= 13
    text = client.get(path).content.decode()
    assert "Conversations</dt><dd>10,012</dd>" in text
    assert text.count("<rect") == 31


def test_prices_and_budgets_are_kept_by_page(visitor: Callable[[str], Any], settings: LazySettings) -> None:
    settings.PRICE_PER_MINUTE = None
    manager = visitor("manager")
    new_price, new_budget = "/admin/conversations/price/add/", "/admin/conversations/budget/add/"
    typed = {"name": "Month", "scope": "all", "period": "month", "amount": "50", "warns_at": "80", "stops": "on"}
    assert "No price is in force" in manager.post(new_budget, typed).content.decode()
    assert manager.post(new_price, {"valid_from": "soon", "per_minute": "1"}).status_code == 400
    made = manager.post(new_price, {"valid_from": "2020-01-01", "per_minute": "0.5", "currency": "eur"})
    assert made.status_code == 302 and Price.objects.get().currency == "EUR"
    assert manager.post(new_budget, typed).status_code == 302
    row = Budget.objects.get()
    page = f"/admin/conversations/budget/{row.public_id}/change/"
    assert "50.00 EUR a month" in manager.get(page).content.decode()
    edited = manager.post(f"{page}edit/", {**typed, "amount": "60", "ends": "on"})
    row.refresh_from_db()
    assert edited.status_code == 302 and (row.amount, row.ends) == (60, True)
    assert 'value="60.00"' in manager.get(f"{page}edit/").content.decode()
    for path in (new_price, new_budget, f"{page}edit/"):
        assert visitor("operator").get(path).status_code == 403
    assert manager.get(f"{page}delete/").status_code == 405
    manager.post(f"{page}delete/")
    manager.post(f"/admin/conversations/price/{Price.objects.get().public_id}/change/delete/")
    assert not Price.objects.exists() and not Budget.objects.exists()
    told = [one for one in Entry.objects.order_by("id").values_list("event_type", flat=True) if "." in one]
    assert told[-5:] == ["price.saved", "budget.saved", "budget.saved", "budget.deleted", "price.deleted"]


def test_prices_are_kept_by_api(client_of: Callable[..., APIClient]) -> None:
    client, body = client_of("manager"), {"valid_from": "2027-03-01T00:00:00Z", "per_minute": "0.37"}
    made = client.post("/api/v1/prices/", body, headers={"Idempotency-Key": "p"})
    assert (made.status_code, made.json()["per_minute"], made.json()["currency"]) == (201, "0.370000", "EUR")
    assert client.post("/api/v1/prices/", body, headers={"Idempotency-Key": "p"}).json() == made.json()
    one = f"/api/v1/prices/{made.json()['id']}/"
    assert client.patch(one, {"minimum": "0.2"}).json()["minimum"] == "0.200000"
    assert client.patch(one, {"colour": "red"}).status_code == 400
    assert client.post("/api/v1/prices/", {"per_minute": "1"}).json()["error"]["fields"] == {
        "valid_from": ["Is needed."]
    }
    assert len(client_of("auditor").get("/api/v1/prices/").json()["results"]) == 1
    assert client_of("operator").patch(one, {"minimum": "0"}).status_code == 403
    assert client.delete(one).status_code == 204 and client.get(one).status_code == 404


def test_the_command_tells_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    some()
    Budget.objects.create(name="Day", period="day", amount=5, currency="EUR")
    call_command("costs", "--by", "persona", "--month", "2027-03", "--json")
    whole_ = json.loads(capsys.readouterr().out)
    assert [(one["name"], one["cost"]) for one in whole_["results"]] == [("Host", 3.0), ("=Guest", 1.508333)]
    assert [one["state"] for one in whole_["budgets"]] == ["ok"]
    call_command("costs", "--month", "2027-03")
    assert "2027-03-10\t≈ 1.00 EUR" in capsys.readouterr().out
    call_command("costs", "--csv", "--month", "2027-03")
    assert capsys.readouterr().out.startswith("id,conversation_id,")
    with pytest.raises(CommandError, match="from: Is a day"):
        call_command("costs", "--from", "soon")


def test_what_runs_is_counted_up_to_now(client_of: Callable[..., APIClient]) -> None:
    running(timezone.now() - timedelta(seconds=30))
    [row] = [one for one in client_of("auditor").get("/api/v1/costs/?by=creator").json()["results"] if one["running"]]
    assert 30 <= row["seconds"] < 60 and row["cost"] == pytest.approx(row["seconds"] / 60, abs=0.01)


def test_the_palette_finds_what_an_id_leads_to(visitor: Callable[[str], Any]) -> None:
    price = Price.objects.create(valid_from=NOON, per_minute=1, currency="EUR")
    budget = Budget.objects.create(name="Found", amount=5, currency="EUR")
    for row in (price, budget):
        hits = visitor("auditor").get("/admin/palette/", {"q": row.public_id}).json()["hits"]
        assert any(hit["address"].endswith(f"{row.public_id}/change/") for hit in hits)
