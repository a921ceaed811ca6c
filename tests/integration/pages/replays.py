"""What the tests of replay pages share: conversations to say again and to speak into, and what the form sends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from conversations.models import Conversation, Echo
from tests import make

RUNS = "/admin/echoadmin/run/"
BEGAN = timezone.now() - timedelta(minutes=5)


def source() -> Conversation:
    """One that has ended."""
    return Conversation.objects.get(pk=make.conversation(status="ended", name="Morning news").pk)


def target() -> Conversation:
    """One whose room is joined."""
    return Conversation.objects.get(pk=make.room(conversation=make.conversation(name="Rehearsal")).conversation_id)


def said(conversation: Conversation, *texts: str, **columns: Any) -> list[Echo]:
    made = []
    for k, text in enumerate(texts):
        at = BEGAN + timedelta(seconds=4 * k)
        row = make.echo(conversation=conversation, text=text, position=k, queued_at=at, **{"sending_at": at, **columns})
        made.append(Echo.objects.get(pk=row.pk))
    return made


def page_of(conversation: Conversation, query: str = "") -> str:
    return f"/admin/conversations/conversation/{conversation.public_id}/change/replay/{query}"


def form(target: Conversation, *picked: Echo, **more: Any) -> dict[str, Any]:
    """What the page sends: the words of every echo too, as a browser without scripts does."""
    texts = {f"text-{echo.pk}": echo.text for echo in picked}
    return {"to": target.public_id, "speed": "1", "echoes": [echo.pk for echo in picked], **texts, **more}
