"""Who may do what: every address, page and socket, asked by a stranger, by each role, and by a key of each scope.

The table is in `rest.txt` and `pages.txt`, a row for each method of each address: the least role that may, `anybody`,
or `nobody`. An address that has no row fails here; decide who may, and write it down.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import channel_layers
from django.conf import LazySettings
from django.test import Client

from conversations.live import consumers, looks, websocket_urlpatterns
from echoadmin.accounts.keys import create_key
from echoadmin.accounts.roles import ROLES, SCOPES
from tests import make
from tests.integration.api.test_live import Line
from tests.integration.permissions.asking import ANYBODY, SHELL, Address, Asker, World, addresses, ask, askers

FOLDER = Path(__file__).parent
NOBODY = "nobody"
ASKERS = ("stranger", *ROLES, *(f"{scope} key" for scope in SCOPES))
WITHIN = {"own": 404, "all": 200, "-": 403}  # what a limited key is told where nothing is its own


@dataclass(frozen=True)
class Row:
    """One method of one address. within: what it is to a limited key: own, all (it shows its own), or - (closed)."""

    method: str
    route: str
    least: str
    within: str


def table(name: str) -> Iterator[Row]:
    for line in (FOLDER / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            least, within, method, route = line.split(maxsplit=3)
            assert least in (ANYBODY, NOBODY, *ROLES) and within in WITHIN, line
            yield Row(method, route, least, within)


REST, PAGES = tuple(table("rest.txt")), tuple(table("pages.txt"))


@pytest.fixture
def quiet(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing outside is asked, and nobody is waited for. Each request is undone by the transaction that it is in:
    that upstream is called in none is another test's."""
    monkeypatch.setattr("echoadmin.upstream.connection", SimpleNamespace(in_atomic_block=False))
    settings.TAVUS_API_URL = "http://127.0.0.1:9"
    settings.INTERRUPT_DEADLINE = 0.01


def asked(found: list[Address]) -> set[tuple[str, str]]:
    return {(method, address.route) for address in found for method in address.methods}


def test_every_address_has_a_row_and_every_row_an_address() -> None:
    pages = asked([address for address in addresses() if address.is_page])
    rest = asked([address for address in addresses() if not address.is_page])
    for rows, there in ((REST, rest), (PAGES, pages)):
        told = [(row.method, row.route) for row in rows]
        assert len(told) == len(set(told)), "a row is there twice"
        assert set(told) == there, f"without a row: {there - set(told)}; without an address: {set(told) - there}"


def judged(rows: tuple[Row, ...], who: str) -> str:
    """What is not as the table has it, a line each."""
    world, asker, wrong = World(), askers()[who], []
    for row in rows:
        status = ask(world, asker, row.route, row.method)
        may = row.least != NOBODY and asker.may(row.least)
        if (status not in (401, 403)) != may or (status >= 500 and status not in (502, 503, 504)):
            wrong.append(f"{row.method} {row.route} is for {row.least}; {who} got {status}")
    return "\n".join(wrong)


@pytest.mark.django_db
@pytest.mark.parametrize("who", ASKERS)
def test_the_api_lets_do_what_one_may_and_nothing_else(quiet: None, who: str) -> None:
    wrong = judged(REST, who)
    assert not wrong, wrong


@pytest.mark.django_db
@pytest.mark.timeout(400)
@pytest.mark.parametrize("who", ["stranger", *ROLES, "manage key"])
def test_pages_let_do_what_one_may_and_nothing_else(quiet: None, who: str) -> None:
    """A key opens no page: to pages its bearer is a stranger."""
    rows = tuple(Row(row.method, row.route, row.least, row.within) for row in PAGES)
    if who.endswith(" key"):
        rows = tuple(Row(row.method, row.route, ANYBODY if row.least == ANYBODY else NOBODY, "-") for row in PAGES)
    wrong = judged(rows, who)
    assert not wrong, wrong


@pytest.mark.django_db
def test_a_limited_key_is_kept_to_its_own_at_every_address(quiet: None) -> None:
    """It is an admin's, has every scope, and is limited to a conversation that no address here is about."""
    world, boss = World(), askers()["admin"].user
    assert boss is not None
    limits = {"conversations": [make.conversation().public_id]}
    text = create_key(user=boss, label="limited", actor=SHELL, **limits)[1]
    asker = Asker("limited key", lambda least: True, account=boss, headers={"Authorization": f"Bearer {text}"})
    wrong = []
    for row in REST:
        if row.least in (ANYBODY, "admin"):
            continue
        status = ask(world, asker, row.route, row.method)
        expected = {"own": (404,), "-": (403,)}.get(row.within)
        if status not in expected if expected else status in (401, 403):
            wrong.append(f"{row.method} {row.route} is {row.within} to a limited key, which got {status}")
    assert not wrong, "\n".join(wrong)


SOCKETS = {
    "ws/v1/conversations/<str:any_id>/": ("auditor", "operator"),  # to read, to speak
    "ws/v1/log/": ("auditor", NOBODY),
}


def test_every_socket_has_a_row() -> None:
    assert {str(route.pattern) for route in websocket_urlpatterns} == set(SOCKETS)


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers.LiveConsumer, "look_every", 0.1)
    monkeypatch.setattr(looks, "SHORTEST", 0.01)
    monkeypatch.setattr(channel_layers, "backends", {})


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("who", ASKERS)
@pytest.mark.parametrize("route", SOCKETS)
async def test_sockets_let_read_and_speak_who_may(live: None, route: str, who: str) -> None:
    path, headers, asker = await sync_to_async(_ready)(route, who)
    reads, speaks = SOCKETS[route]
    line = Line(path, headers)
    assert await line.connect()
    told = await _first(line)
    assert (told["type"] != "websocket.close") == asker.may(reads), told
    if not asker.may(reads):
        assert told["code"] in (4401, 4403)
        return
    if speaks != NOBODY:
        await line.send_to('{"type": "echo", "ref": "mine", "text": "Hello."}')
        answer = await _answer(line)
        assert ('"ack"' in answer) == asker.may(speaks), answer
        assert ('"forbidden"' in answer) != asker.may(speaks), answer
    await line.send_input({"type": "websocket.disconnect", "code": 1000})
    await line.wait()


def _ready(route: str, who: str) -> tuple[str, dict[str, str], Asker]:
    asker = askers()[who]
    headers = {name.lower(): value for name, value in asker.headers.items()}
    if asker.user is not None:
        client: Client = asker.client()
        headers["cookie"] = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    return World().path(route, asker), headers, asker


async def _first(line: Line) -> dict[str, Any]:
    message: dict[str, Any] = await line.receive_output(10)
    return message


async def _answer(line: Line) -> str:
    while True:
        text = (await line.receive_output(10))["text"]
        if '"ref":"mine"' in text:
            return str(text)
