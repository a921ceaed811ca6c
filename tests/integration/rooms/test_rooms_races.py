"""One claims while others edit, move and cancel: nothing is said twice, nor in words that were replaced before."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

import pytest
from django.db import connections, transaction

from conversations import outbox
from conversations.models import Echo, Room
from conversations.outbox import Tenure
from conversations.refusals import ChangedMeanwhile, Refusal
from conversations.services import speaking
from tests import make
from tests.integration.rooms.driving import ANA

pytestmark = pytest.mark.django_db(transaction=True)
LINES = 40


@pytest.fixture
def tenure() -> Tenure:
    make.room(epoch=1)
    room = Room.objects.get()
    assert room.worker is not None
    return Tenure(room.pk, room.conversation_id, room.worker.pk, room.epoch)


def queue(tenure: Tenure, count: int) -> list[Echo]:
    conversation = Room.objects.get(pk=tenure.room_id).conversation
    return [speaking.speak_text(actor=ANA, conversation=conversation, text=f"Line {n}.") for n in range(count)]


def together(*works: Callable[[], None]) -> None:
    """Each in a thread and with a connection of its own, at once; what one raises fails the test."""
    errors: list[BaseException] = []
    begin = threading.Barrier(len(works))

    def go(work: Callable[[], None]) -> None:
        try:
            begin.wait(20)
            work()
        except BaseException as error:  # noqa: BLE001 - the test fails with it
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=go, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []


def claim_all(tenure: Tenure, said: list[Echo], done: threading.Event | None = None) -> Callable[[], None]:
    """As a sender does: look, claim what was read, until nothing waits. Others get a turn in between: `done`."""

    def work() -> None:
        while (first := outbox.next_echo(tenure.conversation_id)) is not None:
            if done is not None:
                done.clear()
                done.wait(0.05)  # all the others may have ended
            with transaction.atomic():
                claimed = outbox.claim_echo(tenure, first.pk, revision=first.revision, chunks=1)
            if claimed:
                said.append(first)

    return work


def test_edits_and_cancels_against_two_senders(tenure: Tenure) -> None:
    echoes = queue(tenure, LINES)
    said: list[Echo] = []
    acknowledged: dict[int, str] = {}
    cancelled: set[int] = set()

    done = threading.Event()

    def edit() -> None:
        for again in range(2 * LINES):
            echo = outbox.next_echo(tenure.conversation_id)  # what a sender is about to claim
            with suppress(ChangedMeanwhile):
                if echo is not None:
                    words = f"Edited {again}."
                    speaking.edit(actor=ANA, echo=echo, text=words)
                    acknowledged[echo.pk] = words
            done.set()

    def cancel() -> None:
        for echo in echoes[::3]:
            with suppress(Refusal):
                speaking.cancel(actor=ANA, echo=echo)
                cancelled.add(echo.pk)

    together(claim_all(tenure, said, done), claim_all(tenure, said, done), edit, cancel)
    told = [echo.pk for echo in said]
    assert len(told) == len(set(told)), "nothing is said twice"
    assert not cancelled & set(told)
    assert cancelled | set(told) == {echo.pk for echo in echoes}
    assert {echo.pk: echo.text for echo in said if echo.pk in acknowledged} == {
        pk: words for pk, words in acknowledged.items() if pk in set(told)
    }
    assert acknowledged, "the race was one"


def test_moves_against_two_senders(tenure: Tenure) -> None:
    echoes = queue(tenure, LINES)
    said: list[Echo] = []
    moved: list[tuple[int, int]] = []

    def move() -> None:
        for echo in reversed(echoes):
            with suppress(ChangedMeanwhile):
                speaking.move(actor=ANA, echo=echo, position=1)
                moved.append((echo.pk, len(said)))

    together(claim_all(tenure, said), claim_all(tenure, said), move)
    told = [echo.pk for echo in said]
    assert sorted(told) == sorted(echo.pk for echo in echoes), "each once"
    assert moved, "the race was one"


def test_what_was_read_first_is_not_said_before_what_was_moved_before_it(tenure: Tenure) -> None:
    first, second, third = queue(tenure, 3)
    read = outbox.next_echo(tenure.conversation_id)
    assert read is not None and read.pk == first.pk
    together(lambda: void(speaking.move(actor=ANA, echo=third, before=first.inference_id)))
    with transaction.atomic():
        assert not outbox.claim_echo(tenure, read.pk, revision=read.revision, chunks=1)
    said: list[Echo] = []
    claim_all(tenure, said)()
    assert [echo.text for echo in said] == ["Line 2.", "Line 0.", "Line 1."]
    assert second.pk == said[-1].pk


def void(_: object) -> None:
    """For a lambda that returns nothing."""
