"""This app's duties: sync, resolve what is unknown, guard what runs, and keep the accounts."""

from __future__ import annotations

from datetime import timedelta
from time import monotonic

from conversations import gaps
from conversations.changes.telling import tell_changes
from conversations.money.settling import settle_all
from conversations.money.watching import watch_budgets
from conversations.services import mirroring
from conversations.services.orphans import guard
from conversations.slots.creating import serve_queue
from conversations.webhooks import processing
from echoadmin.actors import SYSTEM
from echoadmin.duties import duty
from echoadmin.log.heads import safe_head


@duty("look_where_asked", every=timedelta(seconds=5))
def _look_where_asked() -> str | None:
    looked = mirroring.look_where_asked(actor=SYSTEM)
    return f"{looked} looked at" if looked else None


@duty("sync_active_conversations", every=timedelta(minutes=5))
def _sync_active_conversations() -> str:
    return str(mirroring.sync_conversations(actor=SYSTEM, status="active"))


@duty("sync_conversations", every=timedelta(hours=1))
def _sync_conversations() -> str:
    mirroring.resolve_unknown(actor=SYSTEM)
    return str(mirroring.sync_conversations(actor=SYSTEM))


@duty("resolve_unknown_conversations", every=timedelta(minutes=1))
def _resolve_unknown() -> str | None:
    found = mirroring.resolve_unknown(actor=SYSTEM, younger_than=timedelta(hours=1))  # then hourly
    return f"found {', '.join(row.public_id for row in found)}" if found else None


@duty("look_for_orphans", every=timedelta(minutes=1))
def _look_for_orphans() -> str | None:
    return str(guard(actor=SYSTEM)) or None


@duty("serve_slot_queue", every=timedelta(seconds=5))
def _serve_slot_queue() -> str | None:
    ended = serve_queue(actor=SYSTEM)
    return ", ".join(f"{row.public_id} {row.state}" for row in ended) or None


@duty("settle_costs", every=timedelta(seconds=15))
def _settle_costs() -> str | None:
    settled = settle_all()
    return f"{settled} conversations settled" if settled else None


@duty("watch_budgets", every=timedelta(seconds=30))
def _watch_budgets() -> str | None:
    told = watch_budgets(actor=SYSTEM)
    return "; ".join(f"{one.budget.name} is {one.state}" for one in told) or None


@duty("tell_changes", every=timedelta(seconds=1))
def _tell_changes() -> str | None:
    until = monotonic() + 3.0  # so that the other duties get their turns
    told = 0
    while count := tell_changes():
        told += count
        if monotonic() > until:
            break
    return f"{told} told" if told else None


@duty("process_webhooks", every=timedelta(seconds=2))
def _process_webhooks() -> str | None:
    processed = processing.process_due(seconds=5.0)
    return f"{processed} processed" if processed else None


@duty("forget_webhooks", every=timedelta(hours=1))
def _forget_webhooks() -> str | None:
    forgotten = processing.forget_old()
    return f"{forgotten} forgotten" if forgotten else None


@duty("find_gaps", every=timedelta(seconds=10), at_rest=True)
def _find_gaps() -> str | None:
    looked = gaps.find_new(safe_head(), seconds=2.0)
    return f"looked at {looked} conversations" if looked else None
