"""Webhooks out, to a real server: signed, tried again until they arrive, and given up in the end."""

from __future__ import annotations

import dataclasses
import json
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from echoadmin.actors import Actor
from echoadmin.deliveries import duties, sending, signing, subscribing
from echoadmin.deliveries.addresses import Target
from echoadmin.deliveries.connection import Connection
from echoadmin.deliveries.models import Delivery, Subscription
from echoadmin.deliveries.publishing import Event, event_type, publish, publish_all, wanting
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


@pytest.mark.parametrize(
    ("given", "least", "most"),
    [
        ("120", 119, 125),
        ("999999999", 86_390, 86_401),
        (None, 3_500, 3_605),  # a date, an hour from now
        ("soon", 4, 6),
        ("-5", 4, 6),
    ],
)
def test_a_retry_after_is_waited_for(receiver: Receiver, given: str | None, least: float, most: float) -> None:
    subscribed(receiver)
    in_an_hour = format_datetime(timezone.now() + timedelta(hours=1), usegmt=False)
    receiver.statuses, receiver.headers = [429], {"Retry-After": given or in_an_hour}
    delivery = attempted(told())
    assert delivery.next_try_at is not None
    assert least <= (delivery.next_try_at - timezone.now()).total_seconds() <= most


def test_a_subscription_to_a_family_a_conversation_or_a_persona_is_told_of_that_alone(receiver: Receiver) -> None:
    family, _ = subscribed(receiver, "test.*", "ping")
    one, _ = subscribing.subscribe(actor=ANA, url=receiver.url, conversation="cv_1", persona="")
    persona, _ = subscribing.subscribe(actor=ANA, url=receiver.url, persona="pe_1")

    def wanted_by(**of: str) -> list[int]:
        return [delivery.subscription_id for delivery in publish_all([Event(TOLD, {}, **of)], wanting())]

    assert wanted_by() == [family.pk]
    assert wanted_by(conversation="cv_1", persona="pe_2") == [family.pk, one.pk]
    assert wanted_by(conversation="cv_2", persona="pe_1") == [family.pk, persona.pk]
    assert publish_all([Event("tester.told", {})], wanting()) == []


@pytest.mark.django_db(transaction=True)
def test_what_is_told_of_one_thing_arrives_in_its_order_also_when_one_is_tried_twice(receiver: Receiver) -> None:
    subscribed(receiver)
    receiver.statuses = [200, 500, 200]
    for number in range(4):
        publish(TOLD, {"number": number}, ref="echo-1")
    others = [publish(TOLD, {"number": -1}, ref=f"echo-{number + 2}")[0] for number in range(3)]

    def turn() -> None:
        duties.deliver_due()
        until(lambda: not duties._under_way, "the turn is over")

    until(lambda: turn() or Delivery.objects.filter(state="delivered").count() >= 3, "what can go has gone")
    waiting = Delivery.objects.filter(state="waiting", ref="echo-1")
    if waiting.exists():  # the one that failed is waited for, for the length of its first pause
        held = waiting.order_by("id").first()
        assert held is not None and held.attempts == 1
        assert all(row.attempts == 0 for row in waiting.exclude(pk=held.pk))
        waiting.filter(pk=held.pk).update(next_try_at=timezone.now())
    until(lambda: turn() or not Delivery.objects.filter(state="waiting").exists(), "all have arrived")
    arrived = [json.loads(body)["data"]["number"] for _, body in receiver.got]
    assert [number for number in dict.fromkeys(arrived) if number >= 0] == [0, 1, 2, 3]
    assert {row.pk for row in others} <= set(Delivery.objects.filter(state="delivered").values_list("pk", flat=True))


@pytest.mark.django_db(transaction=True)
def test_one_that_fails_again_and_again_holds_the_later_ones_up_no_longer(receiver: Receiver) -> None:
    subscribed(receiver)
    first, second = (publish(TOLD, {"number": number}, ref="echo-1")[0] for number in range(2))
    later = timezone.now() + timedelta(minutes=5)
    Delivery.objects.filter(pk=first.pk).update(attempts=1, next_try_at=later)
    assert duties.next_due(first.subscription_id) is None
    Delivery.objects.filter(pk=first.pk).update(attempts=2)
    assert duties.next_due(first.subscription_id) == second


def test_the_connection_is_kept_for_the_address_and_name_that_was_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    with Connection() as connection:
        judged = Target("http://93.184.216.34:80/a", "hook.example", "hook.example")
        client = connection.to(judged)
        assert connection.to(dataclasses.replace(judged, url="http://93.184.216.34:80/b")) is client
        assert client.follow_redirects is False and client.trust_env is False
        assert connection.to(dataclasses.replace(judged, host="other.example", authority="other.example")) is not client
        assert client.is_closed


def test_a_name_is_looked_up_once_and_the_connection_goes_where_that_led(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that says something else a moment later (DNS rebinding) helps nobody."""
    subscription, _ = subscribed(receiver)
    port = receiver.url.split(":")[2].split("/")[0]
    Subscription.objects.filter(pk=subscription.pk).update(url=f"http://hook.example:{port}/hook")
    asked: list[str] = []
    real = socket.getaddrinfo

    def look_up(host: Any, *rest: Any, **more: Any) -> Any:
        if host != "hook.example":
            return real(host, *rest, **more)
        asked.append(host)
        answer = "127.0.0.1" if len(asked) == 1 else "10.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answer, int(port)))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    assert attempted(told()).state == "delivered"
    assert asked == ["hook.example"]
    assert receiver.got[0][0]["host"] == f"hook.example:{port}"


def test_a_redirect_to_an_address_within_is_not_followed(receiver: Receiver) -> None:
    with receiving() as within:
        subscribed(receiver)
        receiver.statuses, receiver.location = [307], within.url
        delivery = attempted(told())
        assert (delivery.state, delivery.tries[0]["status"]) == ("waiting", 307)
        assert within.got == []


def failing_for(subscription: Subscription, **since: float) -> None:
    """Nothing has arrived for so long."""
    Subscription.objects.filter(pk=subscription.pk).update(failing_since=timezone.now() - timedelta(**since))


def test_one_that_cannot_be_taken_is_given_up_while_others_arrive(receiver: Receiver) -> None:
    subscription, _ = subscribed(receiver)
    receiver.statuses = [*[500] * (len(sending.PAUSES) + 1), 200]
    delivery, other = told(), told()
    for _ in sending.PAUSES:
        assert attempted(delivery).state == "waiting"
    assert attempted(delivery).state == "failed"
    assert attempted(other).state == "delivered"
    subscription.refresh_from_db()
    assert (subscription.enabled, subscription.failing_since) == (True, None)


def test_an_address_that_takes_nothing_for_days_is_switched_off_and_others_are_told(
    receiver: Receiver, settings: Any
) -> None:
    subscription, _ = subscribed(receiver)
    receiver.statuses = [503]
    delivery, other = told(), told()
    failing_for(subscription, days=settings.DELIVERY_DEAD_DAYS, minutes=-1)
    assert attempted(delivery).state == "waiting"
    watcher, _ = subscribed(receiver, "subscription.*")
    failing_for(subscription, days=settings.DELIVERY_DEAD_DAYS)
    assert attempted(delivery).state == "failed"
    [news] = Delivery.objects.filter(subscription=watcher)
    assert json.loads(news.body)["data"]["id"] == subscription.public_id
    watcher.delete()
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
        ({"event_types": ["nothing.*"]}, "event_types"),
        ({"conversation": "c123"}, "conversation"),
        ({"persona": ["pe_1"]}, "persona"),
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
