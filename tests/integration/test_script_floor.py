"""A script while somebody else has the floor, and of somebody whose lines wait for a second person."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conversations.models import Conversation
from conversations.services import speaking
from echoadmin.actors import Actor
from echoadmin.runs import resume_run
from tests import make
from tests.integration.scripted import ANA, World, ask, do, script, spoken

pytestmark = pytest.mark.django_db


@pytest.fixture
def target(db: None) -> Conversation:
    return Conversation.objects.get(pk=make.room().conversation_id)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


@pytest.mark.parametrize("how", ["released", "taken over"])
def test_a_floor_that_somebody_took_pauses_it_and_it_goes_on_when_it_may_speak_again(
    target: Conversation, world: World, how: str
) -> None:
    ben = Actor("ben", user_id=9, role="operator")
    run = ask(script("One.", "Two.", "Three."), target)
    world.at_wait(0, lambda: speaking.take(actor=ben, conversation=target))
    do(run)
    assert run.state == "paused"
    assert run.error.startswith("Line 2 of 3 can't be said now: ben has the floor")
    assert resume_run(run)
    do(run)
    assert run.state == "paused", "ben has it still"
    if how == "released":
        speaking.release(actor=ben, conversation=target)
    else:
        speaking.take(actor=replace(ANA, role="manager"), conversation=target)
    assert resume_run(run)
    do(run)
    assert (run.state, run.error, spoken(target)) == ("done", "", ["One.", "Two.", "Three."])


def test_a_line_of_who_is_reviewed_waits_for_a_second_person_and_a_rejected_one_pauses_it(
    target: Conversation, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("echoadmin.runs.acting.reviewed_now", lambda *who: True)
    ben = Actor("ben", user_id=9, role="operator")
    run = ask(script("One.", "Two.", "Three."), target)
    held: list[str] = []

    def reject() -> None:
        held.extend(target.echoes.filter(state="held").values_list("text", flat=True))
        speaking.reject(actor=ben, echo=target.echoes.get(text="Two."), reason="Not today.")

    world.at_waits({3: lambda: speaking.approve(actor=ben, echo=target.echoes.get(text="One.")), 9: reject})
    do(run)
    assert held == ["Two."], "the third waits until the second was decided on"
    assert run.state == "paused"
    assert "Not today." in run.error
    assert spoken(target) == ["One."]
