"""The duty that hands due deliveries to threads: an address that answers slowly must not hold up the other duties."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from datetime import timedelta

from django.conf import settings
from django.db import connections
from django.utils import timezone

from echoadmin.deliveries.models import Delivery, DeliveryState
from echoadmin.deliveries.sending import attempt, claim
from echoadmin.duties import duty

logger = logging.getLogger(__name__)

AT_ONCE = 8  # attempts in one process
AT_ONE_ADDRESS = 2
LOOKED_AT = 200

_under_way: Counter[int] = Counter()  # by subscription
_lock = threading.Lock()


@duty("deliver_webhooks", every=timedelta(seconds=2))
def deliver_due() -> str | None:
    """Begins an attempt of each delivery that is due, as many as may be under way."""
    due = Delivery.objects.filter(
        state=DeliveryState.WAITING, next_try_at__lte=timezone.now(), subscription__enabled=True
    )
    begun = sum(_begin(delivery) for delivery in due.order_by("next_try_at")[:LOOKED_AT])
    return f"{begun} attempts begun" if begun else None


@duty("forget_deliveries", every=timedelta(hours=1))
def forget_old() -> str | None:
    """What ended DELIVERY_DAYS ago."""
    before = timezone.now() - timedelta(days=settings.DELIVERY_DAYS)
    old = Delivery.objects.filter(ended_at__lt=before).order_by("pk").values_list("pk", flat=True)[:5_000]
    forgotten, _ = Delivery.objects.filter(pk__in=list(old)).delete()
    return f"{forgotten} forgotten" if forgotten else None


def _begin(delivery: Delivery) -> bool:
    number = delivery.subscription_id
    with _lock:
        if _under_way.total() >= AT_ONCE or _under_way[number] >= AT_ONE_ADDRESS:
            return False
        _under_way[number] += 1
    try:
        begun = claim(delivery)
        if begun:
            threading.Thread(target=_do, args=(delivery,), daemon=True, name=str(delivery)).start()
    except BaseException:
        _over(number)
        raise
    if not begun:
        _over(number)
    return begun


def _do(delivery: Delivery) -> None:
    try:
        attempt(delivery)
    except Exception:
        logger.exception("delivery %s: its outcome could not be written; it is tried again", delivery)
    finally:
        connections.close_all()
        _over(delivery.subscription_id)


def _over(number: int) -> None:
    with _lock:
        _under_way[number] -= 1
        if _under_way[number] <= 0:
            del _under_way[number]
