"""This process's TavusClient, and the entry that each of its HTTP attempts leaves in the log."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, cast

from django.conf import settings
from django.db import connection
from prometheus_client import Histogram

from echoadmin import tracing
from echoadmin.actors import SYSTEM, Actor
from echoadmin.log.models import Kind, Stream
from echoadmin.log.writer import Draft, append
from echoadmin.log_lines import about
from echoadmin.request_threads import pause
from echoadmin.tavus.client import TavusClient
from echoadmin.tavus.exchange import Exchange
from echoadmin.tavus.wire import Vocabulary

TOOK = Histogram(
    "echoadmin_upstream_seconds", "HTTP attempts at Tavus's API, of this process.", ["operation", "status"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)  # fmt: skip


class CallInTransaction(RuntimeError):
    """Upstream was to be called while a database transaction is open: it would be held for as long as the vendor
    likes."""


@dataclass(frozen=True, slots=True)
class Calling:
    """Whom and what the calls of this context belong to. conversation, persona: our public ids."""

    actor: Actor = SYSTEM
    conversation: str | None = None
    persona: str | None = None


_calling: ContextVar[Calling] = ContextVar("calling", default=Calling())  # noqa: B039 - frozen
_clients: dict[tuple[str, str, str], TavusClient] = {}
_lock = threading.Lock()


@contextmanager
def calling(
    *, actor: Actor | None = None, conversation: str | None = None, persona: str | None = None
) -> Iterator[None]:
    """Calls inside are logged as this actor's, about this conversation and persona; what isn't given stays as
    outside."""
    outside = _calling.get()
    inside = Calling(actor or outside.actor, conversation or outside.conversation, persona or outside.persona)
    token = _calling.set(inside)
    try:
        with about(conversation=inside.conversation, request_id=inside.actor.request_id):
            yield
    finally:
        _calling.reset(token)


def client() -> TavusClient:
    """The client for the configured upstream, one per process. Raises CallInTransaction inside a database
    transaction."""
    if connection.in_atomic_block:
        raise CallInTransaction("Commit first: upstream is never called inside a database transaction.")
    wanted = (settings.TAVUS_API_URL, settings.TAVUS_API_KEY, settings.TAVUS_VOCABULARY)
    with _lock:
        if wanted not in _clients:
            url, key, vocabulary = wanted
            _clients[wanted] = TavusClient(url, key, cast(Vocabulary, vocabulary), observer=log_exchange, waiting=pause)
        return _clients[wanted]


def log_exchange(exchange: Exchange) -> None:
    """One `upstream` entry for one HTTP attempt, in the conversation's stream or the account's."""
    about = _calling.get()
    operation = f"{exchange.method} {_route(exchange.path)}"
    TOOK.labels(operation, str(exchange.status or "none")).observe(exchange.seconds)
    tracing.call(operation, exchange.status, exchange.started_at, exchange.seconds)
    failed = exchange.error is not None or (exchange.status or 0) >= 400
    append(
        [
            Draft(
                stream=about.conversation or Stream.ACCOUNT,
                kind=Kind.UPSTREAM,
                event_type=operation,
                at=exchange.started_at,
                conversation_ref=about.conversation,
                persona_ref=about.persona,
                actor=about.actor.name,
                api_key_ref=about.actor.api_key_ref,
                request_id=about.actor.request_id,
                is_error=failed,
                message=_message(exchange),
            )
        ]
    )


def _route(path: str) -> str:
    """`/v2/conversations/c123/end` → `/v2/conversations/{id}/end`: what entries are filtered by."""
    parts = path.split("/")
    return "/".join([*parts[:3], *["{id}" for _ in parts[3:4]], *parts[4:]])


def _message(exchange: Exchange) -> dict[str, Any]:
    return {
        "method": exchange.method,
        "path": exchange.path,
        "query": exchange.query,
        "request": exchange.request_body,
        "status": exchange.status,
        "response": _folded(exchange),
        "error": exchange.error,
        "seconds": round(exchange.seconds, 6),
        "attempt": exchange.attempt,
    }


def _folded(exchange: Exchange) -> Any:
    """A list's rows are kept as their ids: a sync every few minutes would otherwise be most of the log, and rows are
    mirrored."""
    body = exchange.response_body
    if exchange.method != "GET" or not isinstance(body, dict) or not isinstance(body.get("data"), list):
        return body
    if len(exchange.path.strip("/").split("/")) != 2:
        return body
    return {**body, "data": [_id_of(row) for row in body["data"]]}


def _id_of(row: Any) -> Any:
    if not isinstance(row, dict):
        return row
    names = ("conversation_id", "persona_id", "pal_id", "replica_id", "face_id")  # a conversation's row names all three
    return next((row[name] for name in names if row.get(name)), None)
