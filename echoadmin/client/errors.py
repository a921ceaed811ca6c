"""What goes wrong: the console said no, or nothing."""

from __future__ import annotations

from typing import Any

import httpx


class ClientError(Exception):
    """Any of these."""


class ApiError(ClientError):
    """The console's own answer: `code` is one of its documented codes, `fields` says what is wrong with which field.

    `upstream` is {"status", "body"} where Tavus said no, `request_id` finds the request in the console's log,
    `reference` names the row that says what became of it, `retry_after` (s) says when to ask again.
    """

    def __init__(self, status: int, error: dict[str, Any], retry_after: float | None = None) -> None:
        self.status = status
        self.code = str(error.get("code", "unknown"))
        self.message = str(error.get("message", ""))
        self.fields: dict[str, list[str]] = error.get("fields") or {}
        self.upstream: dict[str, Any] | None = error.get("upstream")
        self.request_id: str | None = error.get("request_id")
        self.reference: str | None = error.get("reference")
        self.retry_after = retry_after
        super().__init__(f"{status} {self.code}: {self.message} (request {self.request_id})")


class NoAnswer(ClientError):
    """No answer came: whether it was done is not known, unless it was a POST that is sent again with `key`."""

    def __init__(self, what: str, error: Exception, key: str | None) -> None:
        self.key = key
        again = f" Send it again with idempotency_key={key!r}: it is done once." if key else ""
        super().__init__(f"{what}: no answer, {error!r}.{again}")


class TookTooLong(ClientError):
    """What was waited for did not happen in time; `last` is how it was at the last look."""

    def __init__(self, what: str, seconds: float, last: Any) -> None:
        self.last = last
        super().__init__(f"{what} did not happen within {seconds:g} s")


def error_of(response: httpx.Response) -> ApiError:
    """The error that an answer is, also one that a proxy gave in the console's place."""
    try:
        error = response.json()["error"]
    except (ValueError, KeyError, TypeError):
        error = None
    if not isinstance(error, dict):
        words = error if isinstance(error, str) else response.text[:300]
        error = {"code": "unknown", "message": words, "request_id": response.headers.get("X-Request-Id")}
    return ApiError(response.status_code, error, _seconds(response.headers.get("Retry-After")))


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isascii() and text.isdigit() else None
