"""What an ended conversation came to is written beside it, so that a sum of ten thousand is one query."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from conversations.models import Conversation
from conversations.models.price import Rates, currency_of, read_rates, seconds_between
from echoadmin.mirror.models import MirrorState

BATCH = 500
COLUMNS = ("settled_seconds", "settled_cost", "settled_currency", "settled_day")


def unsettled() -> QuerySet[Conversation]:
    """What costs, or has cost, and is not written down yet: what runs, and what has just ended."""
    there = (MirrorState.LIVE, MirrorState.GONE)
    return Conversation.objects.filter(settled_seconds=None, test_mode=False, state__in=there).exclude(upstream_id=None)


def settle_all() -> int:
    """Write down what ended conversations came to; returns how many."""
    done = 0
    while settled := _settle_some(read_rates()):
        done += settled
    return done


@transaction.atomic
def _settle_some(rates: Rates) -> int:
    """Locked: a look that moves the end waits, and then asks for it again."""
    ended = unsettled().select_for_update(no_key=True).exclude(ended_at=None).order_by("id")
    rows = list(ended[:BATCH])
    for row in rows:
        row.settled_cost = row.reckoned_cost(rates)
        row.settled_currency = currency_of(row.started_at, rates)
        row.settled_day = row.started_at.date()
        row.settled_seconds = seconds_between(row.started_at, row.billed_until)
    Conversation.objects.bulk_update(rows, COLUMNS, batch_size=100)
    return len(rows)


def reckon_again(changed: Iterable[datetime]) -> int:
    """Prices changed from these times on: what was written down for later is to be reckoned anew; returns how many."""
    later = Conversation.objects.filter(settled_seconds__isnull=False, ended_at__gte=min(changed))
    return later.update(settled_seconds=None)
