"""One claims while others edit, move, cancel and decide: nothing is said twice, nor in words that were replaced before,
nor in an order that was changed before, nor without a second person's word."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest
from django.db import connections, transaction

from conversations import outbox
from conversations.models import Echo, EchoState, Room
from conversations.outbox import Tenure
from conversations.refusals import ChangedMeanwhile, Refusal
from conversations.services import speaking
from echoadmin.actors import Actor
from echoadmin.log.models import Entry
from tests import make
from tests.integration.rooms.driving import ANA

pytestmark = pytest.mark.django_db(transaction=True)
LINES = 40
Decide = Callable[[Echo], None]
REVIEWED = Actor(name="ana", source="rest", reviewed=True)
BEN = Actor(name="ben", source="rest")
CAROL = Actor(name="carol", source="rest")


@pytest.fixture
def tenure() -> Tenure:
    make.room(epoch=1)
    room = Room.objects.get()
    assert room.worker is not None
    return Tenure(room.pk, room.conversation_id, room.worker.pk, room.epoch)


def queue(tenure: Tenure, count: int, actor: Actor = ANA) -> list[Echo]:
    conversation = Room.objects.get(pk=tenure.room_id).conversation
    return [speaking.speak_text(actor=actor, conversation=conversation, text=f"Line {n}.") for n in range(count)]


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


class Senders:
    """Say what is queued until `over`, each in its way; `said` is the order of their commits."""

    def __init__(self, tenure: Tenure) -> None:
        self.tenure = tenure
        self.said: list[Echo] = []
        self.over = threading.Event()
        self.turn = threading.Event()  # set by who changes something: between a look and its claim, that happened
        self._commits = threading.Lock()

    def by_look(self) -> None:
        """Look, let another have a turn, claim what was read: as for audio, and for each text that no bell told of."""
        self._until_over(lambda: outbox.next_echo(self.tenure.conversation_id), self._claim_read)

    def by_bell(self) -> None:
        """Look and claim in one transaction."""
        self._until_over(lambda: outbox.next_echo(self.tenure.conversation_id), self._claim_next)

    def _until_over(self, look: Callable[[], Echo | None], claim: Callable[[Echo], Echo | None]) -> None:
        while True:
            last = self.over.is_set()  # before the look: what was changed until then is seen by it
            first = look()
            if first is None:
                if last:
                    return
                self.over.wait(0.002)
                continue
            if not last:
                self.turn.clear()
                self.turn.wait(0.02)
            with self._commits:
                claimed = claim(first)
                self.said += [claimed] if claimed else []

    def _claim_read(self, first: Echo) -> Echo | None:
        with transaction.atomic():
            return first if outbox.claim_echo(self.tenure, first.pk, revision=first.revision, chunks=1) else None

    def _claim_next(self, _: Echo) -> Echo | None:
        with transaction.atomic():
            return outbox.claim_next_text(self.tenure)


def test_moves_against_two_senders(tenure: Tenure) -> None:
    echoes = queue(tenure, LINES)
    senders = Senders(tenure)
    acknowledged: list[tuple[int, int]] = []  # the first of each was put before the second, which waited then
    to_move = {echo.pk: echo for echo in echoes[LINES // 2 :]}

    def move() -> None:
        while to_move:
            first = outbox.next_echo(tenure.conversation_id)
            if first is None or first.pk in to_move:
                break
            pk, echo = to_move.popitem()
            with suppress(ChangedMeanwhile):
                speaking.move(actor=ANA, echo=echo, before=first.inference_id)
                acknowledged.append((pk, first.pk))
            senders.turn.set()
        senders.over.set()

    together(senders.by_look, senders.by_bell, move)
    told = [echo.pk for echo in senders.said]
    assert sorted(told) == sorted(echo.pk for echo in echoes), "each once"
    assert [(one, other) for one, other in acknowledged if told.index(one) > told.index(other)] == []
    assert acknowledged, "the race was one"


def decided_by_two(echoes: list[Echo], senders: Senders, one: Decide, other: Decide) -> tuple[set[int], set[int]]:
    """Both try each line at the same moment, as it was seen; whose was acknowledged."""
    done: tuple[set[int], set[int]] = (set(), set())
    meet = threading.Barrier(2)
    left = threading.Semaphore(0)

    def each(decide: Decide, mine: set[int]) -> None:
        try:
            for echo in echoes:
                meet.wait(20)
                with suppress(ChangedMeanwhile):
                    decide(echo)
                    mine.add(echo.pk)
                senders.turn.set()
        except BaseException:
            meet.abort()
            raise
        finally:
            left.release()

    def end() -> None:
        left.acquire()
        left.acquire()
        senders.over.set()

    together(lambda: each(one, done[0]), lambda: each(other, done[1]), end, senders.by_look, senders.by_bell)
    return done


def test_of_approve_and_reject_exactly_one_wins(tenure: Tenure) -> None:
    echoes, senders = queue(tenure, LINES, REVIEWED), Senders(tenure)
    approved, rejected = decided_by_two(
        echoes,
        senders,
        lambda echo: void(speaking.approve(actor=BEN, echo=echo, revision=echo.revision)),
        lambda echo: void(speaking.reject(actor=CAROL, echo=echo, reason="No.", revision=echo.revision)),
    )
    assert approved | rejected == {echo.pk for echo in echoes}
    assert approved & rejected == set()
    assert sorted(echo.pk for echo in senders.said) == sorted(approved), (
        "what was approved is said once, the others never"
    )
    assert set(Echo.objects.filter(state=EchoState.REJECTED).values_list("pk", flat=True)) == rejected
    told = Entry.objects.filter(event_type__in=["echo.approved", "echo.rejected"])
    assert sorted(json.loads(entry.body or "{}")["inference_id"] for entry in told) == sorted(
        echo.inference_id for echo in echoes
    )


def test_what_its_author_edited_is_not_said_on_an_approval_of_the_old_words(tenure: Tenure) -> None:
    echoes, senders = queue(tenure, LINES, REVIEWED), Senders(tenure)
    approved, edited = decided_by_two(
        echoes,
        senders,
        lambda echo: void(speaking.approve(actor=BEN, echo=echo, revision=echo.revision)),
        lambda echo: void(speaking.edit(actor=REVIEWED, echo=echo, text="Unseen.", revision=echo.revision)),
    )
    assert approved | edited == {echo.pk for echo in echoes}
    words = {echo.pk: echo.text for echo in echoes if echo.pk not in edited}
    assert {echo.pk: echo.text for echo in senders.said} == words, "as they were seen"
    assert len(senders.said) == len(words), "each once"
    held = Echo.objects.filter(state=EchoState.HELD, text="Unseen.", decided_by="")
    assert set(held.values_list("pk", flat=True)) == edited, "they wait for a second person again"


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
