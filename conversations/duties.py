"""This app's duties: sync, resolve what is unknown, look for orphans."""

from __future__ import annotations

from datetime import timedelta

from conversations import gaps
from conversations.services import mirroring
from conversations.services.orphans import look_for_orphans
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
    found = look_for_orphans(actor=SYSTEM)
    return f"nobody wants {', '.join(row.public_id for row in found)}" if found else None


@duty("find_gaps", every=timedelta(seconds=10), at_rest=True)
def _find_gaps() -> str | None:
    looked = gaps.find_new(safe_head(), seconds=2.0)
    return f"looked at {looked} conversations" if looked else None
