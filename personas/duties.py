"""This app's duties: sync, and find what became of creates whose answer was lost."""

from __future__ import annotations

from datetime import timedelta

from echoadmin.actors import SYSTEM
from echoadmin.duties import duty
from personas import services


@duty("sync_personas", every=timedelta(minutes=15))
def _sync_personas() -> str:
    services.resolve_unknown_personas(actor=SYSTEM)
    return str(services.sync_personas(actor=SYSTEM))


@duty("sync_replicas", every=timedelta(minutes=15))
def _sync_replicas() -> str:
    return str(services.sync_replicas(actor=SYSTEM))


@duty("resolve_unknown_personas", every=timedelta(minutes=1))
def _resolve_unknown() -> str | None:
    found = services.resolve_unknown_personas(actor=SYSTEM, younger_than=timedelta(hours=1))
    return f"found {', '.join(row.public_id for row in found)}" if found else None
