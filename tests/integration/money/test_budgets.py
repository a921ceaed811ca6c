"""Budgets: what counts, what is warned of, and what is refused, also when twenty ask at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.exceptions import ValidationError
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from conversations.models import Budget, Conversation
from conversations.models.budget import period_of
from conversations.models.price import read_rates
from conversations.money import keeping
from conversations.money.budgets import BudgetReached, standings
from conversations.money.settling import settle_all
from conversations.money.watching import watch_budgets
from conversations.services import mirroring
from conversations.services.orphans import guard
from echoadmin.accounts.keys import create_key
from echoadmin.actors import SYSTEM, Actor
from echoadmin.alerts.models import Alert
from echoadmin.log.models import Entry
from tests import make
from tests.integration.money.spent import ended, running
from tests.twin_process import TwinProcess

ANA = Actor(name="ana", source="rest", user_id=7)
BODY = {"replica_id": "re8e740a42", "persona_id": "pipecat0"}
Find = Callable[..., list[Entry]]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _a_minute_costs_one_euro(settings: LazySettings) -> None:
    settings.PRICE_PER_MINUTE, settings.CURRENCY = 1.0, "EUR"


def budget(amount: str = "3", **more: Any) -> Budget:
    return keeping.save_budget(actor=ANA, amount=amount, **{"name": "All", **more})


def standing(row: Budget) -> Any:
    [found] = standings([row], read_rates())
    return found


def test_ended_running_and_asked_for_count_each_at_what_it_takes_at_least() -> None:
    now = timezone.now()
    begun = max(period_of("day", now)[0], now - timedelta(minutes=10))
    ended(begun, seconds=90, persona=None)
    running(now - timedelta(seconds=1), max_call_duration=600)
    asked = {"status": "", "upstream_id": None, "upstream_created_at": None}
    make.conversation(state="reserved", max_call_duration=120, **asked)
    make.conversation(state="rejected", **asked)
    make.conversation(test_mode=True)
    row = budget(period="month", amount="100")
    as_reckoned = standing(row)
    assert settle_all() == 1
    for found in (as_reckoned, standing(row)):
        assert found.spent == pytest.approx(Decimal("3.5"), abs=Decimal("0.01"))
        assert found.still == pytest.approx(Decimal("10"), abs=Decimal("0.1")), (
            "of the one that runs, and the one asked for"
        )
        assert found.running == 2


def test_each_scope_counts_its_own() -> None:
    user = make.user("manager", "ben")
    persona = make.persona()
    key, _ = create_key(user=user, label="tts", actor=SYSTEM)
    mine = running(timezone.now(), created_by_user=user.pk, created_by_key=key.prefix, persona=persona)
    running(timezone.now(), created_by_user=None)
    assert standing(budget(name="a")).running == 2
    assert standing(budget(name="b", scope="user", of="ben")).running == 1
    assert standing(budget(name="c", scope="persona", of=persona.public_id)).running == 1
    assert standing(budget(name="k", scope="key", of=key.prefix)).running == 1
    Conversation.objects.filter(pk=mine.pk).update(status="ended", ended_at=mine.started_at + timedelta(seconds=30))
    settle_all()
    assert standing(budget(name="d", scope="user", of="ben")).spent == Decimal("0.5")
    assert standing(budget(name="e", scope="persona", of=str(persona.upstream_id))).spent == Decimal("0.5")


def test_what_began_in_another_period_counts_not() -> None:
    since = period_of("day", timezone.now())[0]
    ended(since - timedelta(minutes=30), seconds=3000)
    settle_all()
    assert standing(budget(period="day")).spent == 0


def test_the_next_create_is_refused_before_tavus_is_asked_and_leaves_no_row(twin: TwinProcess, entries: Find) -> None:
    row = budget("2.50")
    before = len(twin.get("/twin/bill")["conversations"])
    for _ in range(2):
        mirroring.create_conversation(actor=ANA, body=BODY)
    with pytest.raises(BudgetReached) as caught:
        mirroring.create_conversation(actor=ANA, body=BODY)
    assert (caught.value.code, caught.value.status) == ("budget_reached", 402)
    assert all(words in caught.value.message for words in ("'All'", "0.50 of 2.50 EUR", row.public_id, "wait until"))
    assert len(twin.get("/twin/bill")["conversations"]) == before + 2
    assert Conversation.objects.count() == 2
    assert [one.is_error for one in entries(event_type="budget.refused")] == [True]
    mirroring.create_conversation(actor=ANA, body={**BODY, "test_mode": True})  # costs nothing


def test_one_that_only_warns_stops_nothing(twin: TwinProcess) -> None:
    budget("0.01", stops=False)
    assert mirroring.create_conversation(actor=ANA, body=BODY).is_active


def test_twenty_that_ask_at_once_do_not_pass_together(twin: TwinProcess) -> None:
    budget("3.40")
    together, before = Barrier(20), len(twin.get("/twin/bill")["conversations"])

    def ask(_: int) -> str:
        try:
            together.wait(30)
            mirroring.create_conversation(actor=ANA, body=BODY)
            return "made"
        except BudgetReached:
            return "refused"
        finally:
            connections.close_all()

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(ask, range(20)))
    assert sorted(answers) == ["made"] * 3 + ["refused"] * 17
    assert len(twin.get("/twin/bill")["conversations"]) == before + 3


def test_it_warns_once_in_a_period_and_once_more_when_it_is_reached(entries: Find) -> None:
    row = budget("4", warns_at=40)
    running(timezone.now())
    assert watch_budgets(actor=SYSTEM) == []
    running(timezone.now())
    assert [one.state for one in watch_budgets(actor=SYSTEM)] == ["warned"]
    assert watch_budgets(actor=SYSTEM) == []
    make.conversation.create_batch(2, upstream_created_at=timezone.now())
    assert [one.state for one in watch_budgets(actor=SYSTEM)] == ["reached"]
    assert watch_budgets(actor=SYSTEM) == []
    assert [one.rule_name for one in Alert.objects.order_by("id")] == [
        "Budget All is spent to 50 %",
        "Budget All is reached",
    ]
    told = entries(kind="operator", event_type="budget.reached")
    assert [one.pk for one in told] == [Alert.objects.order_by("-id")[0].first_entry]
    next_period = standing(row).until + timedelta(minutes=1)
    assert [one.state for one in watch_budgets(actor=SYSTEM, now=next_period)] == []


def test_it_ends_what_runs_only_where_it_says_so(twin: TwinProcess, entries: Find) -> None:
    row = mirroring.create_conversation(actor=ANA, body=BODY)
    kept = budget("1.00", name="Kept")
    Conversation.objects.update(upstream_created_at=timezone.now() - timedelta(seconds=70))
    if period_of("month", timezone.now())[0] > timezone.now() - timedelta(seconds=80):
        pytest.skip("a month begins just now")
    assert guard(actor=SYSTEM).ended == []
    keeping.save_budget(actor=ANA, budget=kept, name="Kept", amount="1.00", ends=True)
    assert guard(actor=SYSTEM).ended == [row]
    row.refresh_from_db()
    assert row.ended_reason == "budget: Kept is reached (end_conversation_endpoint_hit)"
    assert [one.actor for one in entries(event_type="conversation.end_asked")] == ["system"]
    assert twin.room(str(row.upstream_id))["status"] == "ended"


def test_without_a_price_there_is_no_budget(settings: LazySettings) -> None:
    settings.PRICE_PER_MINUTE = None
    with pytest.raises(ValidationError, match="No price"):
        budget()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""), ("amount", "0"), ("amount", "a lot"), ("scope", "everybody"), ("period", "year"),
        ("warns_at", 0), ("warns_at", "80"), ("stops", "yes"),
    ],
)  # fmt: skip
def test_what_is_no_budget_is_refused_by_its_field(field: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        budget(**{field: value})
    assert list(caught.value.message_dict) == [field]
    with pytest.raises(ValidationError) as caught:
        budget(scope="persona", of="pe_nobody")
    assert list(caught.value.message_dict) == ["of"]


def test_a_hundred_budgets_ask_as_much_as_one() -> None:
    budget(name="one")
    ended(seconds=60)

    def asked() -> int:
        with CaptureQueriesContext(connection) as seen:
            standings(Budget.objects.select_related("persona", "user", "key"), ())
        return len(seen)

    few = asked()
    for n in range(20):
        budget(name=f"b{n}", period="day" if n % 2 else "month")
    running(timezone.now())
    assert asked() == few == 3


def test_the_api_refuses_with_402_and_start_talking_says_it_on_the_page(
    twin: TwinProcess, client_of: Callable[..., APIClient], visitor: Callable[[str], Any]
) -> None:
    client = client_of("manager")
    made = client.post("/api/v1/budgets/", {"name": "Tight", "amount": "0.50"})
    assert made.status_code == 201, made.content
    assert (made.json()["state"], made.json()["left"], made.json()["scope"]) == ("reached", "0.500000", "all")
    refused = client.post("/api/v1/conversations/", BODY, headers={"Idempotency-Key": "one"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (402, "budget_reached")
    looked = client.post("/api/v1/conversations/?dry_run=true", BODY).json()
    assert [one["name"] for one in looked["checks"] if one["blocks"] and one["name"] != "worker"] == ["budget"]
    browser = visitor("manager")
    page = browser.post("/admin/conversations/conversation/start/", {"token": "t1"}, follow=True)
    assert "The budget &#x27;Tight&#x27;" in page.content.decode()
    assert "Budget reached" in page.content.decode(), "and among what needs somebody"
    assert not Conversation.objects.exists()
    one = made.json()["id"]
    assert client.patch(f"/api/v1/budgets/{one}/", {"amount": "50"}).json()["state"] == "ok"
    assert client.post("/api/v1/conversations/", BODY, headers={"Idempotency-Key": "one"}).status_code == 201
    assert client.delete(f"/api/v1/budgets/{one}/").status_code == 204
    assert client_of("operator").post("/api/v1/budgets/", {"name": "x", "amount": "1"}).status_code == 403
