"""An echo that is edited after a sender has read it, and before it is claimed: the edit wins."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models import F

from conversations import outbox
from conversations.models import Echo, EchoState
from conversations.outbox import Tenure
from echoadmin.log import clips
from tests.integration.rooms.driving import RATE, InRoom, tone


def edit(echo: Echo, **columns: Any) -> None:
    changed = Echo.objects.filter(pk=echo.pk, state=EchoState.QUEUED).update(revision=F("revision") + 1, **columns)
    assert changed == 1


@pytest.fixture
def edited_once(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What to change of the first echo that a sender's look finds, right after that look."""
    changes: list[dict[str, Any]] = []
    look = outbox.next_echo

    def and_edit(conversation_id: int) -> Echo | None:
        echo = look(conversation_id)
        if echo is not None and changes:
            edit(echo, **changes.pop())
        return echo

    monkeypatch.setattr(outbox, "next_echo", and_edit)
    monkeypatch.setattr(outbox, "claim_next_text", lambda tenure: None)  # else nothing lies between look and claim
    return changes


def test_a_text_that_was_edited_after_it_was_read_is_said_as_edited(
    room: InRoom, edited_once: list[dict[str, Any]]
) -> None:
    edited_once.append({"text": "New words."})
    echo = room.until_state(room.say("Old words."), "spoken")
    assert not edited_once
    assert (echo.text, echo.revision, echo.chunks) == ("New words.", 1, 1)
    assert room.words_sent() == ["New words."]
    assert [entry.said for entry in room.entries(direction="out")] == ["New words."]
    room.until_state(room.say("And on."), "spoken")
    room.agree()


def test_a_clip_that_was_changed_after_it_was_read_is_said_as_changed(
    room: InRoom, edited_once: list[dict[str, Any]]
) -> None:
    other = tone(1.0, start=100_000)
    clip = clips.new_clip(RATE)
    clips.append_samples(clip.pk, other)
    edited_once.append({"clip_id": clip.pk})
    echo = room.until_state(room.play(tone(1.0)), "spoken")
    assert not edited_once
    assert room.pcm_sent(echo) == other
    room.agree()


def test_no_claim_takes_words_that_are_not_the_latest(room: InRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    row = room.row
    assert row.worker is not None
    tenure = Tenure(row.pk, room.conversation.pk, row.worker.pk, row.epoch)
    with monkeypatch.context() as patch:
        patch.setattr(outbox, "next_echo", lambda conversation_id: None)  # the worker finds nothing to say
        read = room.say("Old words.")
        edit(read, text="New words.")
        assert not outbox.claim_echo(tenure, read.pk, revision=read.revision, chunks=1)
        patch.setattr(outbox, "next_echo", lambda conversation_id: read)
        assert outbox.claim_next_text(tenure) is None
        echo = Echo.objects.get(pk=read.pk)
        assert (echo.state, echo.chunks, echo.sending_at) == ("queued", 0, None)
    room.until_state(echo, "spoken")
    assert room.words_sent() == ["New words."]
