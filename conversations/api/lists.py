"""The lists beside: a conversation's messages and entries."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from conversations.api.conversations import one
from echoadmin.api.views import View
from echoadmin.log.api import AUDIO, FILTERS, TAIL, EntryPage, EntrySerializer, stream_page
from echoadmin.log.models import Kind


@extend_schema(tags=["log"], parameters=[*TAIL, *FILTERS, AUDIO], responses=EntryPage)
class ConversationMessages(View):
    """A conversation's app messages in order, samples included."""

    shows = EntrySerializer

    def get(self, request: Request, any_id: str) -> Response:
        """Those with `n` above `?after=`; ask again with the last `n`."""
        return stream_page(request, one(any_id).public_id, Kind.APP_MESSAGE, audio=True)


@extend_schema(tags=["log"], parameters=[*TAIL, *FILTERS, AUDIO], responses=EntryPage)
class ConversationEntries(View):
    """All that happened in a conversation, in order."""

    shows = EntrySerializer

    def get(self, request: Request, any_id: str) -> Response:
        """Those with `n` above `?after=`; ask again with the last `n`."""
        return stream_page(request, one(any_id).public_id, None, audio=False)
