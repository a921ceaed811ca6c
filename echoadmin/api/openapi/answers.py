"""Which error codes an operation can answer with, and how the document says so."""

from __future__ import annotations

from collections import defaultdict
from http import HTTPStatus
from typing import Any

from echoadmin.api.catalogue import ABOUT_BODIES, ABOUT_KEYS, ANYWHERE, CODES, Code

WITH_BODY = ("POST", "PUT", "PATCH")
EXAMPLE_ID = "5f0c2a9be4d14c0f9d3f0a6a5f1c7e21"

ERROR = {
    "type": "object",
    "description": "What went wrong. `code` is for programs; more codes may come.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "fields", "upstream", "request_id"],
            "properties": {
                "code": {"type": "string", "description": "See docs/errors.md."},
                "message": {"type": "string", "description": "For people; may change."},
                "fields": {
                    "type": "object",
                    "additionalProperties": {"type": "array", "items": {"type": "string"}},
                    "description": "Name → what is wrong with it.",
                },
                "upstream": {
                    "type": ["object", "null"],
                    "properties": {"status": {"type": ["integer", "null"]}, "body": {"type": "string"}},
                    "description": "Tavus's own words.",
                },
                "request_id": {"type": ["string", "null"], "description": "Also in X-Request-Id and in the log."},
                "reference": {"type": "string", "description": "The row that tells what became of it."},
            },
        }
    },
}

HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-Id": {
        "description": "The request's id; the caller's own where it sent one.",
        "schema": {"type": "string"},
    },
    "RateLimit-Policy": {
        "description": 'How much may be sent: `"default";q=6000;w=60` is 6,000 requests in 60 s.',
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": 'What is left of it: `"default";r=5999;t=60` is 5,999 requests in the next 60 s.',
        "schema": {"type": "string"},
    },
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}},
    "ETag": {"description": "Of this answer; send it as If-None-Match.", "schema": {"type": "string"}},
    "Idempotent-Replayed": {"description": "`true`: the first request's answer.", "schema": {"type": "string"}},
    "Content-Range": {"description": "Which bytes, of how many.", "schema": {"type": "string"}},
    "Allow": {"description": "The methods that there are.", "schema": {"type": "string"}},
    "WWW-Authenticate": {"description": "How to say who one is.", "schema": {"type": "string"}},
}
ALWAYS = ("X-Request-Id", "RateLimit-Policy", "RateLimit")
BY_STATUS = {401: ("WWW-Authenticate",), 416: ("Content-Range",), 429: ("Retry-After",), 503: ("Retry-After",)}


def codes_of(view: Any, method: str, *, ids: bool) -> set[str]:
    """The codes that `method` of a view can answer with. ids: whether its address holds any.

    A view names those of its own in `codes`, by method; what every address can answer is not repeated there.
    """
    found = {*ANYWHERE, *view.codes.get(method, ())}
    if ids:
        found.add("not_found")
    if method in WITH_BODY:
        found.update(ABOUT_BODIES)
    if takes_key(view, method):
        found.update(ABOUT_KEYS)
    return found


def takes_key(view: Any, method: str) -> bool:
    """Whether it takes an Idempotency-Key: every POST of ours does."""
    return method == "POST" and hasattr(view, "answer_for")


def error_responses(codes: set[str]) -> dict[str, Any]:
    """The document's `responses` for these codes, by status."""
    by_status: dict[int, list[Code]] = defaultdict(list)
    for name in sorted(codes):
        by_status[CODES[name].status].append(CODES[name])
    return {str(status): _response(status, by_status[status]) for status in sorted(by_status)}


def header_refs(*names: str) -> dict[str, Any]:
    """By reference to the document's components."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def example_of(code: Code) -> dict[str, Any]:
    """An error as it is answered."""
    upstream = {"status": code.status, "body": '{"message": "…"}'} if code.name.startswith("upstream_") else None
    fields = {"name": [code.meaning]} if code.name == "invalid" else {}
    error: dict[str, Any] = {
        "code": code.name,
        "message": f"{code.meaning} {code.way_out}",
        "fields": fields,
        "upstream": upstream,
        "request_id": EXAMPLE_ID,
    }
    if code.name == "upstream_answer_lost":
        error["reference"] = "cv_3kq8rm5dw2hs"
    return {"error": error}


def _response(status: int, codes: list[Code]) -> dict[str, Any]:
    told = "\n".join(f"* `{code.name}`: {code.meaning} {code.way_out}" for code in codes)
    return {
        "description": f"{HTTPStatus(status).phrase}.\n\n{told}",
        "headers": header_refs(*ALWAYS, *BY_STATUS.get(status, ())),
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/Error"},
                "examples": {code.name: {"$ref": f"#/components/examples/{code.name}"} for code in codes},
            }
        },
        "x-codes": [code.name for code in codes],
    }
