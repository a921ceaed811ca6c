"""A log that is written, pruned and erased all the while verifies at every moment."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from django.db import close_old_connections, connections
from django.utils import timezone
from pytest_django import Settings

from echoadmin.actors import Actor
from echoadmin.log.keeping import pruning
from echoadmin.log.keeping.erasing import Target, erase
from echoadmin.log.keeping.holds import OnHold, place_hold
from echoadmin.log.models import Entry, Pruned
from echoadmin.log.proof import checkpoints, rows
from echoadmin.log.proof.verifying import Scope, verify
from echoadmin.log.writer import Unit, Writer, append
from tests.integration.log.drafts import draft

PCM = b"\1\2\3\4" * 300
AUDIO = {"properties": {"audio": base64.b64encode(PCM).decode()}}
STREAMS = [f"cv_{n}" for n in range(4)]


def in_thread(work: Callable[[int], None], over: threading.Event, errors: list[BaseException]) -> threading.Thread:
    """Does `work` again and again in a thread of its own until `over`; what it raises is kept."""

    def go() -> None:
        turn = 0
        try:
            while not over.is_set():
                work(turn)
                turn += 1
        except BaseException as error:  # noqa: BLE001 - the test fails with it
            errors.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=go)
    thread.start()
    return thread


def test_it_verifies_while_others_write_prune_erase_and_sign(
    writer: Writer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "PAUSE", 0.0)
    settings.LOG_KEEP_DAYS = {"presence": 1.0}
    old = timezone.now() - timedelta(days=2)

    def write(turn: int) -> None:
        stream = STREAMS[turn % len(STREAMS)]
        beats = [draft(stream, family="presence", at=old)] * 20
        words = [
            draft(stream, sender=f"s{turn % 7}", said="Hello"),
            draft(stream, sender="s1", message=AUDIO, samples=PCM),
        ]
        writer.put(Unit(beats + words)).result(20)

    def prune(turn: int) -> None:
        pruning.prune()

    def forget(turn: int) -> None:
        erase(target=Target("sender", f"s{turn % 7}"), actor=Actor("ana"), reason="asked")

    def sign(turn: int) -> None:
        checkpoints.make_checkpoints()

    write(0)
    over, errors = threading.Event(), []  # type: ignore[var-annotated]
    threads = [in_thread(work, over, errors) for work in (write, prune, forget, sign)]
    try:
        found = [finding for _ in range(12) for finding in verify()]
    finally:
        over.set()
        for thread in threads:
            thread.join(60)
    assert errors == []
    assert [str(finding) for finding in found] == []
    assert verify() == []
    assert Pruned.objects.exists() and Entry.objects.filter(erased_at__isnull=False).exists()


@pytest.mark.django_db
def test_an_erasure_in_each_of_two_looks_is_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each between the rows' columns and their samples, as it was seen once in a busy log."""
    append([draft("cv_1", sender=name, message=AUDIO, samples=PCM) for name in ("s1", "s2")])
    to_erase, hash_ = ["s2", "s1"], rows._hash

    def erase_first(stream: int, found: Sequence[rows.Row]) -> None:
        if to_erase and found:
            erase(target=Target("sender", to_erase.pop()), actor=Actor("ana"), reason="asked")
        hash_(stream, found)

    monkeypatch.setattr(rows, "_hash", erase_first)
    assert verify(Scope("cv_1")) == []
    assert not to_erase


@pytest.mark.django_db(transaction=True)
def test_a_hold_that_is_placed_while_it_is_erased_stops_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("echoadmin.log.keeping.erasing.BATCH", 2)
    append([draft("cv_1") for _ in range(10)])

    def hold_from_outside() -> None:
        place_hold(conversation="cv_1", actor=Actor("ben"), reason="case 12")
        close_old_connections()
        connections.close_all()

    def after_a_batch(done: object) -> None:
        thread = threading.Thread(target=hold_from_outside)
        thread.start()
        thread.join(20)

    with pytest.raises(OnHold):
        erase(target=Target("conversation", "cv_1"), actor=Actor("ana"), reason="asked", progress=after_a_batch)
    assert Entry.objects.filter(erased_at__isnull=False).count() == 2
    assert verify() == []
