"""The one shape of an error: {"error": {"code", "message", "fields", "upstream", "request_id"}}."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rest_framework.exceptions import APIException

Fields = dict[str, list[str]]


@dataclass(frozen=True)
class Problem:
    """What went wrong. `fields`: name → what is wrong with it; `upstream`: {"status", "body"} where Tavus said no."""

    status: int
    code: str
    message: str
    fields: Fields = field(default_factory=dict)
    upstream: dict[str, Any] | None = None
    retry_after: int | None = None  # seconds
    reference: str | None = None  # the id of the row that says what became of it
    more_headers: dict[str, str] = field(default_factory=dict)

    def body(self, request_id: str | None) -> dict[str, Any]:
        """The answer's body."""
        error: dict[str, Any] = {
            "code": self.code,
            "message": self.message,
            "fields": self.fields,
            "upstream": self.upstream,
            "request_id": request_id,
        }
        if self.reference:
            error["reference"] = self.reference
        return {"error": error}

    def headers(self) -> dict[str, str]:
        """The answer's headers."""
        retry = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return {**self.more_headers, **retry}


class ApiError(APIException):
    """An error that a view raises itself."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message, problem.code)
        self.problem = problem
        self.status_code = problem.status


def refused(status: int, code: str, message: str, **fields: str) -> ApiError:
    """`raise refused(409, "not_joined", "Join the room first.", conversation="…")`."""
    return ApiError(Problem(status, code, message, {name: [words] for name, words in fields.items()}))


def outside(size: int) -> ApiError:
    """416: a Range begins after the end of a file of `size` bytes."""
    words = f"The file has {size:,} bytes, and the Range begins after them."
    headers = {"Content-Range": f"bytes */{size}"}
    return ApiError(Problem(416, "range_not_satisfiable", words, more_headers=headers))
