"""Start talking and the steps of an empty console: what is made, once, by whom; the home page's own JSON."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from conversations.home.numbers import last_day, percentile
from conversations.models import Conversation, Room
from personas.models import Persona, Replica
from tests import make
from tests.twin_process import TwinProcess

Visitor = Callable[[str | None], Client]
HOME, STATE = "/admin/", "/admin/home/state/"
START = "/admin/conversations/conversation/start/"

pytestmark = pytest.mark.django_db(transaction=True)


def token(client: Client) -> str:
    return str(client.get(HOME).context["start_token"])


def test_one_button_makes_persona_conversation_and_join(visitor: Visitor, twin: TwinProcess) -> None:
    manager = visitor("manager")
    answer = manager.post(START, {"token": token(manager)})
    made = Conversation.objects.get()
    assert answer["Location"] == f"/admin/conversations/conversation/{made.public_id}/change/"
    assert Replica.objects.exists(), "the replicas were synced, since none was known"
    assert made.persona is not None and made.persona.is_echo and made.persona.persona_type == "user"
    assert twin.get(f"/v2/conversations/{made.upstream_id}")["persona_id"] == made.persona.upstream_id
    assert Room.objects.get(conversation=made).wanted == "joined"


def test_sent_twice_it_makes_one_and_a_fresh_one_uses_the_same_persona(visitor: Visitor, twin: TwinProcess) -> None:
    manager = visitor("manager")
    form = {"token": token(manager)}
    first, second = manager.post(START, form), manager.post(START, form)
    assert first["Location"] == second["Location"]
    assert Conversation.objects.count() == 1
    manager.post(START, {"token": token(manager)})
    assert Conversation.objects.count() == 2
    assert Persona.objects.filter(persona_type="user").count() == 1


def test_an_own_persona_whose_replica_is_not_ready_gets_one_that_is(visitor: Visitor, twin: TwinProcess) -> None:
    manager = visitor("manager")
    manager.post("/admin/personas/replica/sync/")
    manager.post("/admin/conversations/conversation/start/persona/", {"token": token(manager)})
    persona = Persona.objects.get(persona_type="user")
    Persona.objects.update(default_replica_id="")
    manager.post(START, {"token": token(manager)})
    made = Conversation.objects.get()
    assert made.persona == persona
    assert made.upstream_replica_id != ""


def test_what_upstream_refuses_is_told_at_home_and_nothing_runs(visitor: Visitor, twin: TwinProcess) -> None:
    manager = visitor("manager")
    twin.fault("status", status=402, path="/v2/conversations")
    answer = manager.post(START, {"token": token(manager)}, follow=True)
    assert answer.redirect_chain[-1][0] == HOME
    assert not Conversation.objects.filter(state="live").exists()
    assert [str(message) for message in answer.context["messages"]] != []


@pytest.mark.parametrize("path", ["", "persona/", "conversation/"])
def test_who_may_press_and_that_it_is_no_link(path: str, visitor: Visitor, twin: TwinProcess) -> None:
    for role in ("auditor", "operator"):
        assert visitor(role).post(f"{START}{path}", {"token": "t"}).status_code == 403
        assert "Start talking" not in visitor(role).get(HOME).content.decode().split('id="home"')[1]
    assert visitor("admin").get(f"{START}{path}").status_code == 405
    assert not Conversation.objects.exists() and not Persona.objects.exists()


def test_the_price_is_said_on_the_button(visitor: Visitor, settings: LazySettings) -> None:
    settings.PRICE_PER_MINUTE = 0.5
    assert "≈ 0.50 USD a minute" in visitor("manager").get(HOME).content.decode()
    settings.PRICE_PER_MINUTE = None
    assert "billed by the minute" in visitor("manager").get(HOME).content.decode()


def test_the_three_steps_one_after_the_other(visitor: Visitor, twin: TwinProcess) -> None:
    manager = visitor("manager")
    for done in range(3):
        page = manager.get(HOME)
        steps = page.context["steps"]
        assert [step["done"] for step in steps] == [n < done for n in range(3)]
        press = next(step["action"] for step in steps if not step["done"])
        manager.post(press, {"token": token(manager) + str(done)})
    room = Room.objects.get()
    assert room.wanted == "joined"
    assert manager.get(HOME).context["steps"][2]["address"].endswith(f"{room.conversation.public_id}/change/")
    make.echo(conversation=room.conversation)
    assert manager.get(HOME).context["steps"] == []


# --- the home page's JSON ----------------------------------------------------------------------------------------


def asked(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as seen:
        assert client.get(path).status_code == 200
    return len(seen)


def test_home_asks_as_much_for_many_rows_as_for_few(visitor: Visitor) -> None:
    client = visitor("admin")

    def more(count: int) -> None:
        for room in make.room.create_batch(count):
            make.echo(conversation=room.conversation, state="speaking")
            make.echo.create_batch(2, conversation=room.conversation, state="queued")
            make.echo(conversation=room.conversation, state="held")
            make.echo(conversation=room.conversation, state="unconfirmed")

    more(2)
    few = {path: asked(client, path) for path in (HOME, STATE)}
    more(14)
    assert {path: asked(client, path) for path in (HOME, STATE)} == few
    assert few[STATE] <= 24


def test_its_parts_tell_what_is_being_said(visitor: Visitor) -> None:
    room = make.room(conversation=make.conversation(name="Tour"))
    make.echo(conversation=room.conversation, state="speaking", text="Around <the> world.")
    make.echo(conversation=room.conversation, state="queued")
    told = visitor("auditor").get(STATE).json()
    live = told["parts"]["live"]
    assert "Around &lt;the&gt; world." in live and "queue 1" in live and "2 in room" in live
    assert told["live"] == 1
    assert visitor(None).get(STATE).status_code == 403


def test_what_needs_somebody_has_the_buttons_of_ones_role(visitor: Visitor) -> None:
    orphan = make.conversation(orphan_since=timezone.now() - timedelta(minutes=14))
    lost = make.room(state="lost", error="The network is away.", tries=3)
    echo = make.echo(conversation=make.room().conversation, state="unconfirmed")

    def buttons(role: str) -> set[str]:
        return set(re.findall(r'formaction="([^"]+)"', visitor(role).get(STATE).json()["parts"]["needs"]))

    base = "/admin/conversations/conversation"
    end, join = f"{base}/{orphan.public_id}/change/end/", f"{base}/{orphan.public_id}/change/join/"
    again = f"{base}/{echo.conversation.public_id}/change/echoes/{echo.inference_id}/again/"
    operators = {join, f"{base}/{lost.conversation.public_id}/change/join/", again}
    assert buttons("auditor") == set()
    assert buttons("operator") == operators
    assert buttons("manager") == operators | {end}


def test_the_numbers_are_those_of_the_last_day(settings: LazySettings) -> None:
    settings.PRICE_PER_MINUTE = 0.5
    now = timezone.now()
    old = now - timedelta(hours=30)
    make.conversation(status="ended", upstream_created_at=old, ended_at=now - timedelta(hours=23, minutes=50))
    row = make.conversation(
        status="ended", upstream_created_at=now - timedelta(minutes=90), ended_at=now - timedelta(minutes=60)
    )
    make.conversation(status="ended", upstream_created_at=old, ended_at=old + timedelta(hours=1))
    make.conversation(test_mode=True)
    for n in range(20):
        at = now - timedelta(hours=n % 3)
        make.echo(conversation=row, queued_at=at, speaking_at=at + timedelta(seconds=0.1 * (n + 1)))
    make.echo(conversation=row, queued_at=old, speaking_at=old + timedelta(seconds=50))
    tiles = {one["name"]: one["value"] for one in last_day()["numbers"]}
    assert tiles["Minutes"] == "40"
    assert tiles["Money"] in ("≈ 20.00 USD", "≈ 19.99 USD"), "the day goes on while the rows are made"
    assert tiles["Echoes"] == "20"
    assert (tiles["Queue to sound, p50"], tiles["p95"]) == ("1 s", "1.9 s")


def test_only_the_newest_echoes_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conversations.home.numbers.NEWEST_ECHOES", 5)
    make.echo.create_batch(8)
    told = last_day()
    assert told["only_newest"] == 5
    assert told["states"] == [{"state": "spoken", "count": "5"}]


def test_percentiles() -> None:
    values: list[Any] = [float(n) for n in range(1, 101)]
    assert (percentile(values, 50), percentile(values, 95), percentile([], 50)) == (50, 95, None)
    assert percentile([3.0], 95) == 3.0
