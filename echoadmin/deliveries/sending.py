"""Sending: one attempt, and what comes of it."""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from echoadmin import __version__
from echoadmin.accounts.recording import record
from echoadmin.actors import SYSTEM
from echoadmin.deliveries import signing
from echoadmin.deliveries.addresses import BadAddress, Target, resolve
from echoadmin.deliveries.connection import Connection
from echoadmin.deliveries.models import Delivery, DeliveryState, Subscription
from echoadmin.deliveries.publishing import event_type, publish
from echoadmin.sealed import Unreadable, unseal
from echoadmin.tavus.wire import storable

logger = logging.getLogger(__name__)

# Seconds after each failed attempt: about three days in all, as Standard Webhooks recommends.
PAUSES = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
LONGEST_WAIT = 86_400.0  # seconds that a Retry-After may ask for
LEASE = timedelta(seconds=60)  # of one attempt: longer than it can take
WHOLE = 20.0  # seconds
ANSWER_BYTES = 1_000
GONE = 410
ASKS_TO_WAIT = (429, 503)
TRIES_KEPT = 20
SWITCHED_OFF = event_type("subscription.switched_off", "The console gave up on an address of somebody's.")


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one attempt. `status` None: there was no answer, and `error` says why. `wait`: seconds that the
    other side asks for."""

    status: int | None
    error: str = ""
    answer: str = ""
    wait: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether it arrived: any 2xx. A redirect is not followed, and is none."""
        return self.status is not None and 200 <= self.status < 300


def claim(delivery: Delivery) -> bool:
    """Take a due delivery for one attempt; False when another was faster."""
    free = Delivery.objects.filter(pk=delivery.pk, state=DeliveryState.WAITING, attempts=delivery.attempts)
    now = timezone.now()
    if not free.filter(next_try_at__lte=now).update(attempts=delivery.attempts + 1, next_try_at=now + LEASE):
        return False
    delivery.attempts += 1
    return True


def attempt(delivery: Delivery, connection: Connection) -> Attempt:
    """One attempt of a claimed delivery, and its outcome written. Call it outside of transactions."""
    subscription = Subscription.objects.get(pk=delivery.subscription_id)
    began = time.monotonic()
    found = _post(subscription, delivery, connection)
    seconds = round(time.monotonic() - began, 3)
    told = {"at": timezone.now().isoformat(), "status": found.status, "seconds": seconds}
    told |= {"error": found.error, "answer": found.answer}
    _settle(delivery, subscription, found, told)
    return found


def _post(subscription: Subscription, delivery: Delivery, connection: Connection) -> Attempt:
    body = delivery.body.encode()
    try:
        known = secrets_of(subscription)
        target = resolve(subscription.url)
    except (BadAddress, Unreadable) as error:
        return Attempt(None, str(error))
    sent = {
        **signing.headers(known, delivery.public_id, int(time.time()), body),
        "Content-Type": "application/json",
        "User-Agent": f"echoadmin/{__version__}",
        "Host": target.authority,
    }
    return _send(connection, target, body, sent)


def _send(connection: Connection, target: Target, body: bytes, sent: dict[str, str]) -> Attempt:
    extensions = {"sni_hostname": target.host}  # the certificate has to be the name's, not the address's
    try:
        client = connection.to(target)
        with client.stream("POST", target.url, content=body, headers=sent, extensions=extensions) as response:
            wait = _wanted_wait(response) if response.status_code in ASKS_TO_WAIT else 0.0
            return Attempt(response.status_code, "", _answer(response), wait)
    except httpx.HTTPError as error:
        return Attempt(None, f"{type(error).__name__}: {error}"[:300])


def _answer(response: httpx.Response) -> str:
    """The first words of the answer; a server that goes on for ever is left."""
    until = time.monotonic() + WHOLE
    data = b""
    try:
        for block in response.iter_raw():
            data += block
            if len(data) >= ANSWER_BYTES or time.monotonic() > until:
                break
    except httpx.HTTPError as error:  # the status is what counts
        logger.info("the answer of %s broke off: %s", response.url.host, error)
    return str(storable(data[:ANSWER_BYTES].decode("utf-8", "replace")))


def _wanted_wait(response: httpx.Response) -> float:
    """Seconds, from a Retry-After in either of its forms (RFC 9110, 10.2.3); 0 where there is none to be read."""
    given = response.headers.get("retry-after", "").strip()
    if given.isascii() and given.isdigit():
        return min(float(given[:9]), LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(given)
        seconds = (until - datetime.now(until.tzinfo)).total_seconds()
    except (ValueError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), LONGEST_WAIT)


def secrets_of(subscription: Subscription) -> list[str]:
    """The secret, and the one before it while that still counts. Raises Unreadable."""
    known = [unseal(subscription.sealed_secret)]
    until = subscription.old_secret_until
    if subscription.sealed_old_secret and until is not None and until > timezone.now():
        known.append(unseal(subscription.sealed_old_secret))
    return known


def _settle(delivery: Delivery, subscription: Subscription, found: Attempt, told: dict[str, Any]) -> None:
    now = timezone.now()
    changes: dict[str, Any] = {"tries": [*delivery.tries, told][-TRIES_KEPT:]}
    if found.ok:
        changes |= {"state": DeliveryState.DELIVERED, "ended_at": now, "next_try_at": None}
    elif found.status == GONE or delivery.attempts > len(PAUSES):
        changes |= {"state": DeliveryState.FAILED, "ended_at": now, "next_try_at": None}
    else:
        pause = max(PAUSES[delivery.attempts - 1] * random.uniform(0.9, 1.1), found.wait)
        changes["next_try_at"] = now + timedelta(seconds=pause)
    mine = Delivery.objects.filter(pk=delivery.pk, state=DeliveryState.WAITING, attempts=delivery.attempts)
    mine.update(**changes)
    _judge(subscription, found, now)


def _judge(subscription: Subscription, found: Attempt, now: datetime) -> None:
    """One delivery that can't be taken is its own trouble; an address that takes nothing for days is dead."""
    same = Subscription.objects.filter(pk=subscription.pk)
    since = subscription.failing_since
    if found.ok:
        if since is not None:
            same.update(failing_since=None)
    elif found.status == GONE:
        switch_off(subscription, "It answered 410: it is gone.")
    elif since is None:
        same.filter(failing_since=None).update(failing_since=now)
    elif now - since >= timedelta(days=settings.DELIVERY_DEAD_DAYS):
        switch_off(subscription, f"Nothing has arrived for {settings.DELIVERY_DEAD_DAYS:g} days.")


def switch_off(subscription: Subscription, why: str) -> None:
    """Nothing more is sent there until somebody switches it on again; what waits has failed. The others are told."""
    with transaction.atomic():
        on = Subscription.objects.filter(pk=subscription.pk, enabled=True)
        if not on.update(enabled=False, disabled_reason=why):
            return
        waiting = Delivery.objects.filter(subscription=subscription, state=DeliveryState.WAITING)
        waiting.update(state=DeliveryState.FAILED, ended_at=timezone.now(), next_try_at=None)
        facts = {"id": subscription.public_id, "reason": why}
        publish(SWITCHED_OFF, facts, ref=subscription.public_id)
        record("subscription.switched_off", SYSTEM, facts, is_error=True)
