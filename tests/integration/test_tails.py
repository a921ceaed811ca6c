"""What a conversation's WebSocket tells of echoes at its first look."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from conversations.live.tails import ConversationTail
from tests import make

pytestmark = pytest.mark.django_db


def test_an_echo_that_ended_while_the_page_was_on_its_way_is_told() -> None:
    conversation = make.room().conversation
    now = timezone.now()
    long_ago = make.echo(conversation=conversation, state="spoken", ended_at=now - timedelta(hours=1), position=1)
    lately = make.echo(conversation=conversation, state="spoken", ended_at=now - timedelta(seconds=5), position=2)
    waiting = make.echo(conversation=conversation, state="queued", position=3)
    tail = ConversationTail(conversation, 0, audio=False)
    told, _ = tail.look()
    ids = [one["echo"]["inference_id"] for one in told if one["type"] == "echo"]
    assert ids == [lately.inference_id, waiting.inference_id]
    assert long_ago.inference_id not in ids
    assert [one for one in tail.look()[0] if one["type"] == "echo"] == [], "once"
