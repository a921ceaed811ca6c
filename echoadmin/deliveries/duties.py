"""The duty that has threads go through what is due: an address that answers slowly must not hold up the others."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from datetime import timedelta

from django.conf import settings
from django.db import connections
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from echoadmin.deliveries.connection import Connection
from echoadmin.deliveries.models import Delivery, DeliveryState, Subscription
from echoadmin.deliveries.sending import attempt, claim
from echoadmin.duties import duty

logger = logging.getLogger(__name__)

AT_ONCE = 16  # attempts in one process
AT_ONE_ADDRESS = 4

_under_way: Counter[int] = Counter()  # threads, by subscription
_lock = threading.Lock()


@duty("deliver_webhooks", every=timedelta(seconds=1))
def deliver_due() -> str | None:
    """Begins threads for each subscription that something is due to, as many as it needs and may have."""
    theirs = due().filter(subscription=OuterRef("pk"))
    wanted = Subscription.objects.filter(Exists(theirs), enabled=True).order_by("?")
    begun = sum(_begin(number) for number in wanted.values_list("pk", flat=True))
    return f"{begun} threads begun" if begun else None


@duty("forget_deliveries", every=timedelta(hours=1))
def forget_old() -> str | None:
    """What ended DELIVERY_DAYS ago."""
    before = timezone.now() - timedelta(days=settings.DELIVERY_DAYS)
    old = Delivery.objects.filter(ended_at__lt=before).order_by("pk").values_list("pk", flat=True)[:5_000]
    forgotten, _ = Delivery.objects.filter(pk__in=list(old)).delete()
    return f"{forgotten} forgotten" if forgotten else None


def due() -> QuerySet[Delivery]:
    """What waits, and may be tried now."""
    return Delivery.objects.filter(
        state=DeliveryState.WAITING, next_try_at__lte=timezone.now(), subscription__enabled=True
    )


def next_due(number: int) -> Delivery | None:
    """A subscription's oldest due delivery of which nothing earlier about the same thing is still to be tried.

    So an echo's states arrive in their order, also when one has to be tried twice; one that fails again is not waited
    for: what it tells can be hours old when it arrives.
    """
    earlier = Delivery.objects.filter(
        state=DeliveryState.WAITING,
        attempts__lte=1,
        subscription=OuterRef("subscription"),
        ref=OuterRef("ref"),
        id__lt=OuterRef("id"),
    )
    return due().filter(Q(ref="") | ~Exists(earlier), subscription=number).order_by("id").first()


def _begin(number: int) -> int:
    """Threads for one subscription: one for each of its due deliveries, with those under way AT_ONE_ADDRESS."""
    wanted = due().filter(subscription=number)[:AT_ONE_ADDRESS].count()
    begun = 0
    while _under_way[number] < wanted and _take(number):
        try:
            threading.Thread(target=_go_through, args=(number,), daemon=True, name=f"deliveries-{number}").start()
        except BaseException:
            _over(number)
            raise
        begun += 1
    return begun


def _take(number: int) -> bool:
    with _lock:
        if _under_way.total() >= AT_ONCE or _under_way[number] >= AT_ONE_ADDRESS:
            return False
        _under_way[number] += 1
        return True


def _go_through(number: int) -> None:
    """Attempt after attempt until nothing is due; an address that does not answer is left to the next turn."""
    try:
        with Connection() as connection:
            while (delivery := next_due(number)) is not None:
                if claim(delivery) and attempt(delivery, connection).status is None:
                    break
    except Exception:
        logger.exception("deliveries of subscription %s: an outcome could not be written; it is tried again", number)
    finally:
        connections.close_all()
        _over(number)


def _over(number: int) -> None:
    with _lock:
        _under_way[number] -= 1
        if _under_way[number] <= 0:
            del _under_way[number]
