"""What Tavus can answer instead of an answer, by name; and one row of a table about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from echoadmin.twin import refusals

Fault = dict[str, Any]


def status(code: int, body: Any = "", **more: Any) -> Fault:
    return {"kind": "status", "status": code, "body": body, **more}


def refused(refusal: refusals.Refusal) -> Fault:
    return status(refusal.status, refusal.body)


WAIT = {"Retry-After": "1"}
FAULTS: dict[str, Fault] = {
    "401": refused(refusals.unauthorised()),
    "402": refused(refusals.out_of_credits()),
    "400-concurrency": refused(refusals.too_many_conversations()),
    "404": status(404, {"message": "Not Found"}),
    "409": refused(refusals.maker_changes()),
    "422": status(422, {"message": "Unprocessable"}),
    "429-wait-1s": status(429, {"message": "Too Many Requests"}, headers=WAIT),
    "429-wait-10s": status(429, {"message": "Too Many Requests"}, headers={"Retry-After": "10"}),
    "429-wait-an-hour": status(429, {"message": "Too Many Requests"}, headers={"Retry-After": "3600"}),
    "429-bare": status(429, {"message": "Too Many Requests"}),
    "500": status(500, {"message": "Internal Server Error"}),
    "502-html": {"kind": "html", "status": 502},
    "redirect-302": status(302, headers={"Location": "https://elsewhere.example/"}),
    "redirect-307": status(307, headers={"Location": "https://elsewhere.example/"}),
    "empty-body": status(200),
    "half-a-body": {"kind": "half"},
    "wrong-shape": status(200, {"data": "none"}),
    "slow-1s": {"kind": "delay", "seconds": 1},
    "slow-60s": {"kind": "delay", "seconds": 60},
    "cut": {"kind": "cut"},
}
SLOW = ("429-wait-10s", "slow-60s")
AFTER = {"when": "after"}  # the work is done, and then it goes wrong


def fault(name: str) -> Fault:
    """By its name; one that ends in -after comes after the work."""
    plain = name.removesuffix("-after")
    return FAULTS[plain] | (AFTER if plain != name else {})


@dataclass(frozen=True)
class Asked:
    """One row: the fault's name, our answer (status, code), what the page says, what is true.

    state: the row's, for a create. calls: how often upstream was asked, for a read. done: whether upstream did it.
    """

    fault: str
    status: int
    code: str
    says: str
    state: str = ""
    done: bool = False
    calls: int = 1

    @property
    def id(self) -> str:
        return self.fault


def table(*rows: Asked) -> Any:
    """The rows as pytest's parameters; those in which something takes its real time are slow."""
    slow = pytest.mark.slow_fault, pytest.mark.timeout(240)
    marked = [pytest.param(row, id=row.id, marks=slow if row.fault in SLOW else ()) for row in rows]
    return pytest.mark.parametrize("row", marked)
