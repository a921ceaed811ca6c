"""The log, scripts and runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from echoadmin.client.calls import Call, Pages, Until, at, file, get, given, pages, post, tail
from echoadmin.client.shapes import (
    Entry,
    Run,
    Script,
)

RUN_ENDED = ("done", "failed", "stopped")


def entries(conversation_id: str, *, after: int = 0, limit: int | None = None, **filters: Any) -> Pages[Entry]:
    """A conversation's log with `n` above `after`, oldest first, to its end as of now; `limit` is of a page."""
    return pages(at("conversations", conversation_id, "entries"), after=after, limit=limit, **filters)


def messages(conversation_id: str, *, after: int = 0, limit: int | None = None, **filters: Any) -> Pages[Entry]:
    """The app messages alone, samples included."""
    return pages(at("conversations", conversation_id, "messages"), after=after, limit=limit, **filters)


def follow(conversation_id: str, *, after: int = 0, every: float = 1.0, **filters: Any) -> Pages[Entry]:
    """The entries, and then those that come, without an end; it looks every so many seconds."""
    return tail(at("conversations", conversation_id, "entries"), after, every, **filters)


def all_entries(**filters: Any) -> Pages[Entry]:
    """The log across conversations, newest first; filters: kind, event_type, conversation, said, …"""
    return pages("entries/", **filters)


def scripts() -> Pages[Script]:
    """Scripts, newest first."""
    return pages("scripts/")


def script(script_id: str) -> Call[Script]:
    """One script."""
    return get(at("scripts", script_id))


def create_script(
    name: str,
    lines: Iterable[str | Mapping[str, Any]],
    variables: Mapping[str, str] | None = None,
    *,
    idempotency_key: str | None = None,
) -> Call[Script]:
    """A new script of texts, or of lines as {"text", "pause", "wait"}."""
    whole = [{"text": line} if isinstance(line, str) else dict(line) for line in lines]
    body = {"name": name, "lines": whole, **given(variables=variables)}
    return post("scripts/", body, key=idempotency_key)


def run_script(
    script_id: str,
    conversation_id: str,
    variables: Mapping[str, str] | None = None,
    *,
    idempotency_key: str | None = None,
) -> Call[Run]:
    """Say a script in a conversation; the run begins within seconds."""
    body = {"conversation": conversation_id, **given(variables=variables)}
    return post(at("scripts", script_id, "run"), body, key=idempotency_key)


def runs(**filters: Any) -> Pages[Run]:
    """Runs, newest first; filters: kind, state, conversation, actor."""
    return pages("runs/", **filters)


def run(run_id: str) -> Call[Run]:
    """One run, as it is now."""
    return get(at("runs", run_id))


def start_run(kind: str, params: Mapping[str, Any] | None = None, *, idempotency_key: str | None = None) -> Call[Run]:
    """An export, a verification or a replay; a worker begins within seconds."""
    return post("runs/", {"kind": kind, "params": dict(params or {})}, key=idempotency_key)


def export(
    *,
    format: Literal["ndjson", "csv", "zip"] = "ndjson",
    filters: Mapping[str, str] | None = None,
    idempotency_key: str | None = None,
) -> Call[Run]:
    """Have a file made of the log, by the filters of `entries/`; it is there once the run is done (`run_file`)."""
    return start_run("export", {"format": format, "filters": dict(filters or {})}, idempotency_key=idempotency_key)


def stop_run(run_id: str, *, idempotency_key: str | None = None) -> Call[Run]:
    """What is done stays done."""
    return post(at("runs", run_id, "stop"), key=idempotency_key)


def pause_run(run_id: str, *, idempotency_key: str | None = None) -> Call[Run]:
    """Let it wait where it is."""
    return post(at("runs", run_id, "pause"), key=idempotency_key)


def resume_run(run_id: str, *, idempotency_key: str | None = None) -> Call[Run]:
    """Let one that was stopped, paused or failed go on from where it was."""
    return post(at("runs", run_id, "resume"), key=idempotency_key)


def run_file(run_id: str) -> Pages[bytes]:
    """The file of a run that is done, in pieces."""
    return file(at("runs", run_id, "file"))


def until_run_ended(run_id: str, *, seconds: float = 3600.0) -> Until[Run]:
    """Until a run is done, failed or stopped. Raises TookTooLong."""
    return Until(run(run_id), lambda found: found["state"] in RUN_ENDED, f"the end of run {run_id}", seconds)
