"""Webhooks out, to a real server: signed, tried again until they arrive, and given up in the end."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from echoadmin.actors import Actor
from echoadmin.deliveries import duties, sending, signing, subscribing
from echoadmin.deliveries.connection import Connection
from echoadmin.deliveries.models import Delivery, Subscription
from echoadmin.deliveries.publishing import event_type, publish
from echoadmin.log import reader
from echoadmin.log.models import Entry
from tests.waiting import until
from tests.webhook_receiver import Receiver, receiving

pytestmark = pytest.mark.django_db
ANA = Actor("ana", user_id=5)
TOLD = event_type("test.told", "Told by tests.")


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.DELIVER_TO_PRIVATE_ADDRESSES = True
    with receiving() as made:
        yield made


def subscribed(receiver: Receiver, *event_types: str) -> tuple[Subscription, str]:
    return subscribing.subscribe(actor=ANA, url=receiver.url, event_types=list(event_types))


def told(**data: Any) -> Delivery:
    [delivery] = publish(TOLD, data, ref="al_1")
    return delivery


def attempted(delivery: Delivery) -> Delivery:
    """One attempt, at once."""
    Delivery.objects.filter(pk=delivery.pk).update(next_try_at=timezone.now())
    delivery.refresh_from_db()
    assert sending.claim(delivery)
    sending.attempt(delivery, Connection())
    delivery.refresh_from_db()
    return delivery


def test_it_arrives_signed_and_says_what_happened(receiver: Receiver) -> None:
    _, secret = subscribed(receiver)
    delivery = attempted(told(answer=42))
    [(headers, body)] = receiver.got
    assert (delivery.state, delivery.attempts, delivery.next_try_at) == ("delivered", 1, None)
    assert delivery.tries[0]["status"] == 200 and delivery.tries[0]["answer"] == "thanks"
    sent = json.loads(body)
    assert (sent["type"], sent["data"]) == ("test.told", {"answer": 42})
    assert headers["webhook-id"] == delivery.public_id
    assert headers["content-type"] == "application/json"
    assert headers["host"] == receiver.url.split("/")[2]
    at = int(headers["webhook-timestamp"])
    assert abs(at - time.time()) < 60
    assert headers["webhook-signature"] == signing.signature(secret, delivery.public_id, at, body)


def test_it_is_tried_again_later_and_later_with_the_same_id_and_body(receiver: Receiver) -> None:
    subscribed(receiver)
    receiver.statuses = [500, 302, 429, 200]
    receiver.location = "http://127.0.0.1:1/elsewhere"
    delivery = told()
    pauses = []
    for _ in range(3):
        before = timezone.now()
        assert attempted(delivery).state == "waiting"
        pauses.append((delivery.next_try_at - before).total_seconds())  # type: ignore[operator]
    assert attempted(delivery).state == "delivered"
    assert len({(headers["webhook-id"], body) for headers, body in receiver.got}) == 1
    assert [one["status"] for one in delivery.tries] == [500, 302, 429, 200]
    for pause, expected in zip(pauses, sending.PAUSES, strict=False):
        assert 0.9 * expected <= pause <= 1.1 * expected + 5


def test_in_the_end_it_is_given_up_and_the_subscription_is_switched_off(receiver: Receiver) -> None:
    subscription, _ = subscribed(receiver)
    receiver.statuses = [503]
    delivery, other = told(), told()
    for _ in sending.PAUSES:
        assert attempted(delivery).state == "waiting"
    assert attempted(delivery).state == "failed"
    subscription.refresh_from_db()
    assert (subscription.enabled, bool(subscription.disabled_reason)) == (False, True)
    other.refresh_from_db()
    assert other.state == "failed"
    assert publish(TOLD, {}) == []
    entry = Entry.objects.get(event_type="subscription.switched_off")
    assert (entry.is_error, reader.message(entry)["id"]) == (True, subscription.public_id)
    assert subscribing.again(actor=ANA, delivery=delivery)
    subscribing.change(actor=ANA, subscription=subscription, enabled=True)
    receiver.statuses = [200]
    assert attempted(delivery).state == "delivered"
    assert not subscribing.again(actor=ANA, delivery=delivery)


def test_an_address_that_says_it_is_gone_is_believed(receiver: Receiver) -> None:
    subscription, _ = subscribed(receiver)
    receiver.statuses = [410]
    assert attempted(told()).state == "failed"
    subscription.refresh_from_db()
    assert subscription.enabled is False


def test_nobody_there_and_a_name_that_turned_inwards_are_errors_in_words(receiver: Receiver, settings: Any) -> None:
    subscription, _ = subscribed(receiver)
    Subscription.objects.filter(pk=subscription.pk).update(url="http://127.0.0.1:1/")
    first = attempted(told())
    assert first.state == "waiting" and "Connect" in first.tries[0]["error"] and first.tries[0]["status"] is None
    settings.DELIVER_TO_PRIVATE_ADDRESSES = False
    Subscription.objects.filter(pk=subscription.pk).update(url=receiver.url)
    second = attempted(told())
    assert "DELIVER_TO_PRIVATE_ADDRESSES" in second.tries[0]["error"]
    assert receiver.got == []


def test_a_secret_that_cannot_be_read_any_more_is_told(receiver: Receiver, settings: Any) -> None:
    subscribed(receiver)
    settings.SECRET_KEY = "another key than the one that it was sealed with"
    delivery = attempted(told())
    assert delivery.state == "waiting" and "ECHOADMIN_SECRET_KEY" in delivery.tries[0]["error"]


def test_only_what_was_asked_for_is_told(receiver: Receiver) -> None:
    subscribed(receiver, "ping")
    assert publish(TOLD, {}) == []
    everything, _ = subscribed(receiver)
    [delivery] = publish(TOLD, {})
    assert delivery.subscription_id == everything.pk


def test_while_a_secret_is_changed_both_count(receiver: Receiver) -> None:
    subscription, old = subscribed(receiver)
    new = subscribing.rotate(actor=ANA, subscription=subscription)
    attempted(told())
    [(headers, body)] = receiver.got
    at, name = int(headers["webhook-timestamp"]), headers["webhook-id"]
    expected = [signing.signature(secret, name, at, body) for secret in (new, old)]
    assert headers["webhook-signature"].split() == expected
    Subscription.objects.update(old_secret_until=timezone.now() - timedelta(seconds=1))
    attempted(told())
    assert len(receiver.got[1][0]["webhook-signature"].split()) == 1


def test_no_secret_lies_in_the_database_or_in_the_log(receiver: Receiver) -> None:
    subscription, secret = subscribed(receiver)
    assert secret not in str(Subscription.objects.values().get(pk=subscription.pk))
    said = str([reader.message(entry) for entry in Entry.objects.filter(event_type__startswith="subscription.")])
    assert subscription.public_id in said and secret not in said


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"url": "http://127.0.0.1/"}, "url"),
        ({"url": 5}, "url"),
        ({"url": "https://x.example/" + "a" * 2000}, "url"),
        ({"event_types": ["nothing.like.it"]}, "event_types"),
        ({"event_types": "ping"}, "event_types"),
        ({"description": "x" * 201}, "description"),
        ({"enabled": "yes"}, "enabled"),
    ],
)
def test_what_cannot_be_subscribed_is_named(
    receiver: Receiver, settings: Any, changes: dict[str, Any], field: str
) -> None:
    subscription, _ = subscribed(receiver)
    settings.DELIVER_TO_PRIVATE_ADDRESSES = False
    with pytest.raises(ValidationError) as refusal:
        subscribing.change(actor=ANA, subscription=subscription, **changes)
    assert list(refusal.value.message_dict) == [field]


def test_only_one_process_makes_an_attempt(receiver: Receiver) -> None:
    subscribed(receiver)
    delivery = told()
    same = Delivery.objects.get(pk=delivery.pk)
    assert sending.claim(delivery)
    assert not sending.claim(same)
    same.refresh_from_db()
    assert not sending.claim(same)  # its lease lasts
    Delivery.objects.update(next_try_at=timezone.now() - timedelta(seconds=1))  # the process died
    same.refresh_from_db()
    assert sending.claim(same)


@pytest.mark.django_db(transaction=True)
def test_a_slow_address_holds_up_neither_the_duty_nor_the_others(receiver: Receiver, settings: Any) -> None:
    with receiving() as quick:
        subscribed(receiver)
        receiver.hold.clear()
        for _ in range(5):
            publish(TOLD, {})
        began = time.monotonic()
        duties.deliver_due()
        until(lambda: len(receiver.got) == duties.AT_ONE_ADDRESS, "the slow one is asked")
        Subscription.objects.update(event_types=["ping"])
        subscribing.subscribe(actor=ANA, url=quick.url, event_types=[TOLD])
        [wanted] = publish(TOLD, {})
        duties.deliver_due()
        until(lambda: Delivery.objects.get(pk=wanted.pk).state == "delivered", "the quick one has it")
        assert time.monotonic() - began < 15
        assert len(receiver.got) == duties.AT_ONE_ADDRESS
        receiver.hold.set()

        def arrived() -> bool:
            duties.deliver_due()
            return Delivery.objects.filter(state="delivered").count() == 6

        until(arrived, "all have arrived")
        until(lambda: not duties._under_way, "nothing is under way")


def test_what_ended_long_ago_is_forgotten(receiver: Receiver, settings: Any) -> None:
    subscribed(receiver)
    old = attempted(told())
    young = attempted(told())
    Delivery.objects.filter(pk=old.pk).update(ended_at=timezone.now() - timedelta(days=settings.DELIVERY_DAYS + 1))
    assert duties.forget_old() == "1 forgotten"
    assert [row.pk for row in Delivery.objects.all()] == [young.pk]
