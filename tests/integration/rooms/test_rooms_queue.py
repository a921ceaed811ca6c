"""What the twin hears of a queue that was edited, moved, held and approved."""

from __future__ import annotations

from dataclasses import replace

from conversations.models import Echo
from conversations.services import speaking
from tests.integration.rooms.driving import ANA, InRoom, tone

BEN = replace(ANA, name="ben", reviewed=True)


def test_what_was_changed_is_heard_as_it_was_changed(room: InRoom) -> None:
    long = room.until_state(room.play(tone(6.0), pacing="realtime"), "sending")
    first, second, third = room.say("First."), room.say("Second."), room.say("Third.")
    held = speaking.speak_text(actor=BEN, conversation=room.conversation, text="Held.")
    never = speaking.speak_text(actor=BEN, conversation=room.conversation, text="Never.")
    speaking.move(actor=ANA, echo=third, before=first.inference_id)
    speaking.edit(actor=ANA, echo=second, text="Second, edited.")
    room.until_state(long, "spoken")
    for echo in (third, first, second):
        room.until_state(echo, "spoken")
    assert room.words_sent() == ["Third.", "First.", "Second, edited."]
    assert Echo.objects.get(pk=held.pk).state == "held"
    speaking.reject(actor=ANA, echo=never)
    speaking.approve(actor=ANA, echo=held, text="Approved.")
    room.until_state(held, "spoken")
    assert room.words_sent()[-1] == "Approved."
    assert "Never." not in room.words_sent()
    room.agree()
