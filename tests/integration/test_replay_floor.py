"""A replay while somebody else has the floor, and of somebody whose lines wait for a second person."""

from __future__ import annotations

import pytest

from conversations.models import Conversation, Room
from conversations.services import speaking
from echoadmin.actors import Actor
from echoadmin.runs import resume_run
from tests import make
from tests.integration.replayed import World, ask, do, said, world_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def source(db: None) -> Conversation:
    return Conversation.objects.get(pk=make.conversation(status="ended").pk)


@pytest.fixture
def target(db: None) -> Conversation:
    return Conversation.objects.get(pk=make.room().conversation_id)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return world_of(monkeypatch)


def test_a_floor_that_somebody_took_stops_it_and_it_goes_on_when_it_is_free(
    source: Conversation, target: Conversation, world: World
) -> None:
    said(source, "One.", "Two.", "Three.")
    run = ask(**{"from": source.public_id, "to": target.public_id})
    taken = {"floor_user_id": 9, "floor_name": "ben"}
    world.at_wait(0, lambda: Room.objects.filter(conversation=target).update(**taken))
    do(run)
    assert run.state == "failed"
    assert run.error.startswith("ben has the floor") and "before line 2 of 3" in run.error
    Room.objects.filter(conversation=target).update(floor_user_id=None, floor_name="")
    assert resume_run(run)
    do(run)
    assert (run.state, [text for _, text in world.handed]) == ("done", ["One.", "Two.", "Three."])


def test_lines_of_who_is_reviewed_wait_for_a_second_person(
    source: Conversation, target: Conversation, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("echoadmin.runs.acting.reviewed_now", lambda *who: True)
    said(source, "One.", "Two.")
    run = ask(**{"from": source.public_id, "to": target.public_id})

    def decide() -> None:
        ben = Actor("ben", user_id=9, role="operator")
        one, two = target.echoes.order_by("position")
        speaking.approve(actor=ben, echo=one)
        speaking.reject(actor=ben, echo=two, reason="Not today.")

    world.at_wait(2, decide)
    do(run)
    assert run.state == "done"
    assert list(target.echoes.order_by("position").values_list("state", flat=True)) == ["spoken", "rejected"]
