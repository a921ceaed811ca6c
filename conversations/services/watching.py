"""The address by which a person's browser enters a conversation's room."""

from __future__ import annotations

from urllib.parse import urlencode

from django.conf import settings

from conversations.models import Conversation
from conversations.refusals import ConversationOver, Refusal
from conversations.rooms.urls import check_room_url
from conversations.services.rooms import operator_draft
from echoadmin.actors import Actor
from echoadmin.log.writer import append


def room_address(*, actor: Actor, conversation: Conversation) -> str:
    """The room's URL, a private room's with its meeting token (`?t=`, docs.tavus.io, private rooms): a secret that
    goes to the browser that asked, and nowhere else. Who asked stands in the log, as `room.watched`.

    Raises ConversationOver, and Refusal where this console shows no rooms or the room is on no domain of Daily's.
    """
    if not settings.FRAME_SOURCES:
        raise Refusal("room", "This console shows no Daily room in its pages: the stage itself shows what is said.")
    if not conversation.is_active:
        raise ConversationOver("conversation", "It has ended, and its room with it. Its transcript stays here.")
    check_room_url(conversation.conversation_url)
    token = conversation.meeting_token
    append([operator_draft(actor, conversation, "room.watched", private=bool(token))])
    return conversation.conversation_url + (f"?{urlencode({'t': token})}" if token else "")
