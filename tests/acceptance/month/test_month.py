"""A simulated month: what the console says that conversations cost is what Tavus bills, whatever went wrong meanwhile.

Two days by default; `make month` lives through all thirty (MONTH_DAYS=30). MONTH_SEED draws another month.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.utils import timezone
from rest_framework.test import APIClient

from conversations.models import Conversation
from conversations.models.price import read_rates
from conversations.money import keeping
from conversations.money.spending import costs, unsettled_in, whole
from echoadmin import clock
from echoadmin.accounts.keys import create_key
from echoadmin.actors import SYSTEM, Actor
from echoadmin.alerts.models import Alert
from echoadmin.duties import Duty
from echoadmin.env import Policy
from echoadmin.log.models import Entry
from tests import make
from tests.acceptance.month.acts import BODY, KINDS, PATIENT, Acts
from tests.acceptance.month.world import LOOK, World, at, postman
from tests.twin_process import running_twin

DAYS = int(os.environ.get("MONTH_DAYS", "2"))
SEED = int(os.environ.get("MONTH_SEED", "1"))
A_DAY = 9  # conversations; each kind once, in an order drawn by chance
GRACE = 10.0  # minutes
SETTLES = timedelta(minutes=3)
PRICES = ((at(0), "0.37"), (at(DAYS - 1, 12 * 3600 + 300), "0.52"))  # the second in the middle of the last day's work
MILLISECOND = Decimal("0.001")

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120 + 60 * DAYS)]


@pytest.fixture
def world(tmp_path: Path, settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A console and a twin at the first of a month."""
    file = tmp_path / "clock"
    clock.set_ahead(file, 0)
    monkeypatch.setenv(clock.SETTING, str(file))
    monkeypatch.setattr(timezone, "now", clock.now)
    settings.ORPHANS = {name: Policy(ends=True, minutes=GRACE) for name in ("overdue", "stranger", "nobody")}
    settings.TAVUS_API_KEY, settings.PRICE_PER_MINUTE = "tvsk-month-0123456789", None
    with clock.driven(file), running_twin(tmp_path / "twin") as twin, postman(SEED) as mail:
        settings.TAVUS_API_URL, settings.PUBLIC_URL = twin.url, mail.url
        _, key = create_key(user=make.user("manager", "ana"), label="month", actor=SYSTEM)
        api = APIClient()
        api.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
        world = World(file, twin, mail, api)
        world.begin(at(0))
        yield world


def test_a_month_with_faults_costs_what_tavus_bills(world: World) -> None:
    chance = random.Random(SEED)
    who = Actor(name="ana", source="command")
    for since, price in PRICES:
        keeping.save_price(actor=who, valid_from=since, per_minute=price, currency="EUR")
    acts = Acts(world, chance)
    for day in range(DAYS):
        for kind in _order(chance):
            acts.live_until(timezone.now() + timedelta(seconds=chance.uniform(30, 900)))
            acts.begin(kind)
            if chance.random() < 0.3:  # reads and lists fail now and then
                world.twin.fault("status", method="GET", path="/v2/conversations", status=500, count=2)
        acts.live_until(timezone.now() + timedelta(hours=1))
        world.twin.request("DELETE", "/twin/faults")
        acts.live_until(at(day + 1, 12 * 3600))
    check_bill(world)
    check_policies(world)
    check_sums(world)
    check_budget(world, who)
    told = f"webhooks lost {world.mail.lost}, twice {world.mail.doubled}"
    print(f"{len(world.bill())} conversations, {world.looks} looks, {told}")


def _order(chance: random.Random) -> list[str]:
    return chance.sample([*KINDS, *chance.choices(KINDS, k=max(0, A_DAY - len(KINDS)))], A_DAY)


def check_bill(world: World) -> None:
    """Every conversation of the bill is known here, once, and cost what it says."""
    bill = world.bill()
    assert len(bill) >= DAYS * A_DAY and not any(row["active"] for row in bill)
    ours = {row.upstream_id: row for row in Conversation.objects.exclude(upstream_id=None)}
    assert set(ours) == {row["conversation_id"] for row in bill}
    for row in bill:
        here = ours[row["conversation_id"]]
        assert here.settled_seconds is not None, here
        assert abs(here.settled_seconds - Decimal(str(row["seconds"]))) <= MILLISECOND, (here.ended_at_source, row)
        assert abs((here.cost or 0) - cost_of(row["from"], row["to"])) < MILLISECOND
        assert (here.currency, here.ended_at_source) == ("EUR", "updated_at")
    killed = [row for row in ours.values() if row.created_by == "killed"]
    assert len(killed) >= DAYS, "consoles died, and their conversations were found"
    split = [row for row in bill if row["from"] < PRICES[1][0].timestamp() < row["to"]]
    assert split, "one ran while the price changed"
    assert world.mail.lost and world.mail.doubled


def cost_of(begun: float, ended: float) -> Decimal:
    """Reckoned here, by the second price from its moment on."""
    change = PRICES[1][0].timestamp()
    before, after = max(0.0, min(ended, change) - begun), max(0.0, ended - max(begun, change))
    return (Decimal(repr(before)) * Decimal(PRICES[0][1]) + Decimal(repr(after)) * Decimal(PRICES[1][1])) / 60


def check_policies(world: World) -> None:
    """None outlives its policy by more than one look, and one more for each time that Tavus failed to end it."""
    reasons = Counter[str]()
    for row in Conversation.objects.exclude(upstream_id=None):
        assert row.ended_at is not None
        overdue = "longest time" in row.ended_reason
        begun = row.started_at + (timedelta(seconds=row.max_call_duration or 0) if overdue else SETTLES)
        failed = Entry.objects.filter(
            conversation_ref=row.public_id, event_type="conversation.end_failed", is_error=True
        )
        most = begun + timedelta(minutes=GRACE) + LOOK * (1 + failed.count()) + timedelta(seconds=5)
        assert row.ended_at <= most, (row.ended_reason, row.ended_at - row.started_at)
        if row.ended_reason.startswith("orphan guard"):
            assert row.ended_reason.endswith("(end_conversation_endpoint_hit)")
            assert _ended_by_the_console(row)
        reasons[row.ended_reason.split(",")[0]] += 1
    guarded = {reason for reason in reasons if reason.startswith("orphan guard")}
    assert len(guarded) == 3, reasons
    assert Alert.objects.filter(rule_name__startswith="Orphan").count() >= DAYS * 3


def _ended_by_the_console(row: Conversation) -> bool:
    asked = Entry.objects.filter(conversation_ref=row.public_id, event_type="conversation.end_asked", actor="system")
    return any("orphan guard" in json.loads(one.body)["because"] for one in asked)


def check_sums(world: World) -> None:
    """By day, by persona, and all together: the same as the bill."""
    days = (at(0).date(), at(DAYS + 1).date())
    running = unsettled_in(*days)
    assert not running
    bill = sum((Decimal(str(row["seconds"])) for row in world.bill()), Decimal(0))
    for by in ("day", "persona", "creator", "month"):
        [total] = whole(costs(by, *days, read_rates(), running))
        assert abs(total.seconds - bill) < MILLISECOND * total.conversations
        assert total.conversations == len(world.bill())
    told = world.api.get(f"/api/v1/costs/?by=day&from={days[0]}&to={days[1]}").json()
    by_day = Counter[str]()
    for row in world.bill():
        by_day[datetime.fromtimestamp(row["from"], UTC).date().isoformat()] += row["seconds"]
    assert {row["key"]: pytest.approx(row["seconds"], abs=0.02) for row in told["results"]} == dict(by_day)
    failed = [one.last_error for one in Duty.objects.exclude(last_error="")]
    assert not failed, failed


def check_budget(world: World, who: Actor) -> None:
    """A budget stops the next create, says so, and the next day lets it through again."""
    keeping.save_budget(actor=who, name="A day", amount="1.60", period="day", warns_at=50)
    made, before = list[Any](), len(world.bill())
    asked = {**BODY, "properties": {**PATIENT, "max_call_duration": 90}}
    while (answer := world.api.post("/api/v1/conversations/", asked)).status_code == 201:
        made.append(answer.json()["id"])
        world.wait(100)
        assert len(made) < 10
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (402, "budget_reached"), error
    assert "A day" in error["message"] and "wait until" in error["message"]
    assert made and len(world.bill()) == before + len(made), "the refused one never reached Tavus"
    world.wait(60)
    assert Alert.objects.filter(rule_name__startswith="Budget A day").exists()
    world.wait_until(at((timezone.now() - at(0)).days + 1, 60))
    assert world.api.post("/api/v1/conversations/", asked).status_code == 201
