"""Rules on saved views: each entry is looked at once, and what belongs together is one alert."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from echoadmin.actors import Actor
from echoadmin.alerts import evaluating, keeping
from echoadmin.alerts.evaluating import evaluate, evaluate_all
from echoadmin.alerts.models import Alert, Rule
from echoadmin.deliveries.models import Delivery, Subscription
from echoadmin.log import reader
from echoadmin.log.index.following import catch_up
from echoadmin.log.models import Entry
from echoadmin.log.search import SEARCH
from echoadmin.log.writer import append
from tests.integration.log.drafts import draft

pytestmark = pytest.mark.django_db
ANA = Actor("ana", user_id=5, role="operator")
NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def _every_entry_is_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one transaction there are no stragglers to wait for."""
    newest = lambda: Entry.objects.order_by("-id").values_list("id", flat=True).first() or 0  # noqa: E731
    monkeypatch.setattr(evaluating, "safe_head", newest)


def rule(threshold: int = 1, window: int = 300, **filters: Any) -> Rule:
    view = keeping.save_view(actor=ANA, name=f"View {filters}", filters=filters, shared=True)
    made = keeping.save_rule(actor=ANA, view=view, name="Rule", threshold=threshold, window=window)
    evaluate(made)  # it begins here
    made.refresh_from_db()
    return made


def look(made: Rule) -> int:
    return evaluate(Rule.objects.select_related("view").get(pk=made.pk))


def test_an_entry_that_the_view_shows_raises_an_alert_and_tells_who_wants_to_know() -> None:
    append([draft(is_error=True)])
    made = rule(is_error="true")
    Subscription.objects.create(url="https://x.example/", sealed_secret="", created_by="ana")
    append([draft(), draft(is_error=True, event_type="POST /v2/conversations"), draft(is_error=True)])
    assert look(made) == 1
    [alert] = Alert.objects.all()
    ids = list(Entry.objects.filter(is_error=True).order_by("id").values_list("id", flat=True))
    assert (alert.count, alert.first_entry, alert.last_entry) == (2, ids[1], ids[2])
    assert (alert.event_type, alert.conversation_ref, alert.rule_name) == ("POST /v2/conversations", "cv_1", "Rule")
    [delivery] = Delivery.objects.all()
    assert (delivery.event_type, delivery.ref) == ("alert.raised", alert.public_id)
    assert alert.public_id in delivery.body and "Hello" not in delivery.body


def test_what_comes_soon_after_is_counted_and_what_comes_later_or_elsewhere_is_another() -> None:
    made = rule(is_error="true", window=60)
    append([draft(is_error=True, at=NOW)])
    assert look(made) == 1
    append([draft(is_error=True, at=NOW + timedelta(seconds=30)), draft("cv_2", is_error=True, at=NOW)])
    assert look(made) == 1
    append([draft(is_error=True, at=NOW + timedelta(seconds=200))])
    assert look(made) == 1
    counts = [(alert.conversation_ref, alert.count) for alert in Alert.objects.order_by("id")]
    assert counts == [("cv_1", 2), ("cv_2", 1), ("cv_1", 1)]


def test_after_it_was_acknowledged_the_next_one_is_new() -> None:
    made = rule(is_error="true")
    for _ in range(2):
        append([draft(is_error=True)])
        look(made)
    assert keeping.acknowledge(actor=ANA, alerts=Alert.objects.all()) == 1
    assert keeping.acknowledge(actor=ANA, alerts=Alert.objects.all()) == 0
    append([draft(is_error=True)])
    look(made)
    told = [(alert.count, alert.acknowledged_by) for alert in Alert.objects.order_by("id")]
    assert told == [(2, "ana"), (1, "")]
    assert Entry.objects.filter(event_type="alert.acknowledged").count() == 1


def test_each_entry_is_looked_at_once_whatever_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluating, "BATCH", 3)
    made = rule(is_error="true")
    append([draft(is_error=True) for _ in range(8)])
    stale = Rule.objects.select_related("view").get(pk=made.pk)
    look(made)
    assert evaluate(stale) == 0  # another process had the same in hand
    assert look(made) == 0
    assert [alert.count for alert in Alert.objects.all()] == [8]


def test_a_threshold_counts_within_its_window_over_all_conversations() -> None:
    made = rule(threshold=3, window=60, is_error="true")
    append([draft(is_error=True, at=NOW - timedelta(seconds=500)), draft(is_error=True, at=NOW)])
    assert look(made) == 0
    append([draft("cv_2", is_error=True, at=NOW + timedelta(seconds=1))])
    assert look(made) == 0
    append([draft("cv_3", is_error=True, at=NOW + timedelta(seconds=2))])
    assert look(made) == 1
    append([draft(is_error=True, at=NOW + timedelta(seconds=3))])
    assert look(made) == 0
    [alert] = Alert.objects.all()
    assert (alert.count, alert.conversation_ref) == (4, "")


def test_an_alerts_times_hold_all_of_it_even_what_was_stored_out_of_order() -> None:
    made = rule(is_error="true")
    at = [NOW, NOW - timedelta(seconds=3), NOW - timedelta(seconds=1), NOW - timedelta(seconds=7)]
    append([draft(is_error=True, at=one) for one in at[:3]])
    assert look(made) == 1
    [alert] = Alert.objects.all()
    assert (alert.first_at, alert.last_at) == (at[1], at[0])
    append([draft(is_error=True, at=at[3])])
    assert look(made) == 0
    alert.refresh_from_db()
    assert (alert.first_at, alert.last_at, alert.count) == (at[3], at[0], 4)


def test_a_rule_on_one_conversation_goes_by_its_numbers() -> None:
    append([draft("cv_2", is_error=True)])
    made = rule(conversation="cv_2", is_error="true")
    append([draft("cv_2"), draft("cv_1", is_error=True), draft("cv_2", is_error=True)])
    assert look(made) == 1
    assert Alert.objects.get().count == 1


def test_a_word_that_was_said_is_found_once_it_is_indexed() -> None:
    made = rule(text="lobster")
    append([draft(said="A lobster, please."), draft(said="Nothing.")])
    assert look(made) == 0
    catch_up(SEARCH, Entry.objects.latest("id").pk)
    assert look(made) == 1
    append([draft(said="Lobster again.")])
    look(made)
    catch_up(SEARCH, Entry.objects.latest("id").pk)
    assert look(made) == 0
    assert Alert.objects.get().count == 2


def test_another_filter_and_being_switched_on_again_begin_with_what_comes_next() -> None:
    made = rule(is_error="true")
    append([draft(kind="webhook")])
    keeping.save_view(actor=ANA, name="Webhooks", filters={"kind": "webhook"}, view=made.view)
    assert look(made) == 0
    append([draft(kind="webhook")])
    assert look(made) == 1
    keeping.save_rule(actor=ANA, view=made.view, name="Rule", rule=made, enabled=False)
    append([draft(kind="webhook")])
    assert evaluate_all(5) == 0
    fresh = Rule.objects.select_related("view").get(pk=made.pk)
    keeping.save_rule(actor=ANA, view=made.view, name="Rule", rule=fresh, enabled=True)
    Alert.objects.all().delete()
    assert evaluate_all(5) == 0
    append([draft(kind="webhook")])
    assert evaluate_all(5) == 1


def test_a_rule_that_cannot_look_says_so_and_the_others_go_on() -> None:
    broken, good = rule(is_error="true"), rule(kind="webhook")
    type(broken.view).objects.filter(pk=broken.view.pk).update(filters={"kind": "nope"})
    append([draft(kind="webhook")])
    assert evaluate_all(5) == 1
    broken.refresh_from_db()
    good.refresh_from_db()
    assert "kind" in broken.error and broken.looked_at is not None
    assert good.error == ""


def test_taking_a_rule_away_keeps_its_alerts() -> None:
    made = rule(is_error="true")
    append([draft(is_error=True)])
    look(made)
    keeping.delete_view(actor=ANA, view=made.view)
    [alert] = Alert.objects.all()
    assert (alert.rule, alert.rule_name) == (None, "Rule")
    assert reader.message(Entry.objects.get(event_type="view.deleted"))["name"] == made.view.name
