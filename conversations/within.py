"""Conversations within what a key is limited to."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from rest_framework.request import Request

from conversations.models import Conversation
from echoadmin.actors import Limits
from echoadmin.api.views import find


def readable(limits: Limits | None) -> Q:
    """The conversations that are seen under these limits; every one under none."""
    if limits is None:
        return Q()
    return Q(persona__public_id__in=limits.personas) | Q(public_id__in=limits.conversations)


def its_conversation(limits: Limits, request: Request, names: dict[str, Any]) -> None:
    """The conversation in the address, with a key that it is within the limits of. Raises NotFound, as for none."""
    find(Conversation.objects.filter(readable(limits)).order_by(), names["any_id"].replace("\0", ""))
