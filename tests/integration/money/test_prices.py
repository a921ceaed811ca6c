"""What a span of time costs: by whom the price was set, when it changed, and nothing rounded."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.exceptions import ValidationError

from conversations.models import Conversation, Price
from conversations.models.price import cost_between, rate_at, read_rates
from conversations.money import keeping
from conversations.money.settling import settle_all
from conversations.services import mirroring
from echoadmin.actors import SYSTEM, Actor
from echoadmin.log.models import Entry
from tests.integration.money.spent import NOON, ended
from tests.twin_process import TwinProcess

ANA = Actor(name="ana", source="rest", user_id=7)
Find = Callable[..., list[Entry]]
pytestmark = pytest.mark.django_db(transaction=True)


def price(since: datetime, per_minute: str, **more: Any) -> Price:
    return keeping.save_price(actor=ANA, valid_from=since, per_minute=per_minute, **{"currency": "EUR", **more})


def test_the_setting_holds_before_the_first_row(settings: LazySettings) -> None:
    settings.PRICE_PER_MINUTE, settings.CURRENCY = 0.37, "EUR"
    price(NOON, "0.60")
    assert cost_between(NOON - timedelta(minutes=10), NOON) == Decimal("3.7")
    assert cost_between(NOON, NOON + timedelta(minutes=10)) == Decimal("6")
    settings.PRICE_PER_MINUTE = None
    assert cost_between(NOON - timedelta(minutes=10), NOON) is None, "none was in force when it began"


def test_a_span_is_split_to_the_microsecond_where_the_price_changes(settings: LazySettings) -> None:
    settings.PRICE_PER_MINUTE = None
    price(NOON - timedelta(days=1), "0.30")
    price(NOON, "0.60")
    price(NOON + timedelta(seconds=90), "1.20")
    begun, over = NOON - timedelta(seconds=30, microseconds=500_000), NOON + timedelta(seconds=100)
    expected = Decimal("30.5") * Decimal("0.005") + 90 * Decimal("0.01") + 10 * Decimal("0.02")
    assert cost_between(begun, over) == expected.quantize(Decimal("0.000001"))


def test_a_minimum_is_that_of_the_price_at_the_beginning(settings: LazySettings) -> None:
    settings.PRICE_PER_MINUTE = None
    price(NOON - timedelta(days=1), "0.60", minimum="1.5")
    price(NOON, "0.60", minimum="9")
    assert cost_between(NOON - timedelta(seconds=60), NOON + timedelta(seconds=60)) == Decimal("1.5")
    assert cost_between(NOON - timedelta(seconds=60), NOON + timedelta(seconds=540)) == Decimal("6")


def test_another_currency_is_for_conversations_that_begin_under_it(settings: LazySettings) -> None:
    settings.PRICE_PER_MINUTE = None
    price(NOON - timedelta(days=1), "0.60")
    price(NOON, "6", currency="SEK")
    assert cost_between(NOON - timedelta(minutes=1), NOON + timedelta(minutes=1)) == Decimal("1.2")
    later = rate_at(NOON, read_rates())
    assert later is not None and later.currency == "SEK"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("valid_from", "yesterday"), ("valid_from", "2027-13-01"), ("per_minute", "-1"), ("per_minute", "NaN"),
        ("per_minute", True), ("minimum", "much"), ("currency", "E"), ("currency", "EUR; DROP"),
    ],
)  # fmt: skip
def test_what_is_no_price_is_refused_by_its_field(field: str, value: Any) -> None:
    given: dict[str, Any] = {"valid_from": "2027-03-01", "per_minute": "0.37", "currency": "EUR"}
    with pytest.raises(ValidationError) as caught:
        keeping.save_price(actor=ANA, **given | {field: value})
    assert list(caught.value.message_dict) == [field]
    assert not Price.objects.exists()


def test_two_prices_from_one_moment_are_refused() -> None:
    price(NOON, "0.37")
    with pytest.raises(ValidationError, match="already"):
        price(NOON, "0.38")


def test_a_price_in_the_past_reckons_anew_what_ended_since_and_the_log_has_it(
    entries: Find, settings: LazySettings
) -> None:
    settings.PRICE_PER_MINUTE, settings.CURRENCY = 0.30, "EUR"
    before, after = ended(NOON - timedelta(hours=2)), ended(NOON - timedelta(minutes=5))
    assert settle_all() == 2
    row = price(NOON, "0.60")
    assert settle_all() == 1
    before.refresh_from_db(), after.refresh_from_db()
    assert (before.settled_cost, after.settled_cost) == (Decimal("3"), Decimal("4.5"))
    keeping.save_price(actor=ANA, price=row, valid_from=NOON, per_minute="0.90", currency="EUR")
    after.refresh_from_db()
    assert after.settled_seconds is None and after.cost == Decimal("6"), "shown right before it is settled, too"
    keeping.delete_price(actor=ANA, price=row)
    settle_all()
    after.refresh_from_db()
    assert after.settled_cost == Decimal("3")
    told = [(one.event_type, json.loads(one.body)["reckoned_again"], one.actor) for one in entries(kind="operator")]
    assert told == [("price.saved", 1, "ana"), ("price.saved", 1, "ana"), ("price.deleted", 0, "ana")]


def test_what_is_settled_needs_no_price_table_and_settles_once() -> None:
    price(NOON - timedelta(days=1), "0.60")
    row = ended(seconds=61.25)
    assert (settle_all(), settle_all()) == (1, 0)
    row.refresh_from_db()
    assert (row.settled_seconds, row.settled_cost) == (Decimal("61.25"), Decimal("0.6125"))
    assert (row.settled_currency, row.settled_day) == ("EUR", NOON.date())
    assert (row.seconds, row.exact_seconds, row.cost) == (61, Decimal("61.25"), Decimal("0.6125"))


class TestEnd:
    """When a conversation ended: what Tavus bills by."""

    def make(self) -> Conversation:
        body = {"replica_id": "re8e740a42", "persona_id": "pipecat0"}
        return mirroring.create_conversation(actor=ANA, body=body)

    def test_it_is_the_one_that_the_bill_has_and_not_the_shutdown_event_s(self, twin: TwinProcess) -> None:
        row = mirroring.end_conversation(actor=ANA, conversation=self.make())
        [billed] = [one for one in twin.get("/twin/bill")["conversations"] if one["conversation_id"] == row.upstream_id]
        assert row.ended_at is not None and row.ended_at_source == "updated_at"
        assert row.ended_at.timestamp() == pytest.approx(billed["to"], abs=1e-5)
        assert float(row.exact_seconds) == pytest.approx(billed["to"] - billed["from"], abs=1e-5)
        shut_down = next(one for one in row.payload["events"] if one["event_type"] == "system.shutdown")
        assert datetime.fromisoformat(shut_down["timestamp"]) > row.ended_at

    def test_the_earliest_that_was_ever_told_stays_and_a_later_one_moves_nothing(self, twin: TwinProcess) -> None:
        row = mirroring.end_conversation(actor=ANA, conversation=self.make())
        known = row.ended_at
        settle_all()
        assert known is not None
        for told, source in (({"updated_at": "2030-01-01T00:00:00Z"}, "updated_at"), ({}, "updated_at")):
            take(row, told)
            assert (row.ended_at, row.ended_at_source) == (known, source)
            assert row.settled_seconds is not None
        event = {"event_type": "system.shutdown", "timestamp": "2026-01-01T00:00:00Z", "properties": {"reason": "x"}}
        take(row, {"events": [event]})
        assert (row.ended_at, row.ended_at_source) == (datetime(2026, 1, 1, tzinfo=UTC), "event")
        assert row.settled_seconds is None, "it is to be reckoned anew"

    def test_without_upstream_s_word_this_console_s_clock_stands_in_and_is_named(self, twin: TwinProcess) -> None:
        row = self.make()
        take(row, {"status": "ended"})
        assert row.ended_at is not None and row.ended_at_source == "console"
        take(row, {"updated_at": "2030-01-01T00:00:00Z"})
        assert (row.ended_at.year, row.ended_at_source) == (2030, "updated_at"), "upstream's own word is better"

    def test_a_conversation_that_is_gone_has_ended_as_this_console_saw_it(self, twin: TwinProcess) -> None:
        row = self.make()
        twin.request("DELETE", f"/v2/conversations/{row.upstream_id}")
        mirroring.sync_conversation(actor=SYSTEM, conversation=row)
        assert (row.state, row.ended_at_source) == ("gone", "console")


def take(row: Conversation, told: dict[str, Any]) -> None:
    from conversations.services.mirrored import take_conversation

    row.refresh_from_db()
    take_conversation(row, {"conversation_id": row.upstream_id, **told})
    row.save()
