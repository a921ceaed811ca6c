"""`conversations/{id}/drift/`."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from conversations.api.conversations import plain
from conversations.services.mirrored import CONVERSATION
from echoadmin.api.catalogue import UPSTREAM
from echoadmin.api.views import View
from echoadmin.mirror.drift import compare
from personas.api import drift_answer
from personas.serializers import DriftSerializer


@extend_schema(tags=["conversations"])
class ConversationDrift(View):
    """How a conversation differs from what Tavus has, field by field; asks Tavus now."""

    codes = {"GET": UPSTREAM}

    @extend_schema(responses=DriftSerializer)
    def get(self, request: Request, any_id: str) -> Response:
        """To look at: a conversation can't be changed at Tavus, and `sync/` takes over what it says."""
        row = plain(any_id)
        return drift_answer(compare(CONVERSATION, row, actor=self.actor()), row)
