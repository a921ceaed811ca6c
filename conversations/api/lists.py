"""The lists beside: a conversation's messages and entries, and the workers."""

from __future__ import annotations

from django.db.models import Count, Q, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response

from conversations.api.conversations import one
from conversations.models import RoomState, Worker
from conversations.serializers import WorkerSerializer
from echoadmin.api.paging import Pages
from echoadmin.api.views import View
from echoadmin.log.api import AUDIO, FILTERS, TAIL, EntryPage, stream_page
from echoadmin.log.models import Kind


@extend_schema(tags=["log"], parameters=[*TAIL, *FILTERS, AUDIO], responses=EntryPage)
class ConversationMessages(View):
    """A conversation's app messages in order, samples included."""

    def get(self, request: Request, any_id: str) -> Response:
        """Those with `n` above `?after=`; ask again with the last `n`."""
        return stream_page(request, one(any_id).public_id, Kind.APP_MESSAGE, audio=True)


@extend_schema(tags=["log"], parameters=[*TAIL, *FILTERS, AUDIO], responses=EntryPage)
class ConversationEntries(View):
    """All that happened in a conversation, in order."""

    def get(self, request: Request, any_id: str) -> Response:
        """Those with `n` above `?after=`; ask again with the last `n`."""
        return stream_page(request, one(any_id).public_id, None, audio=False)


@extend_schema(tags=["operations"])
class WorkerList(View, generics.ListAPIView[Worker]):
    """The processes that hold rooms, newest first."""

    serializer_class = WorkerSerializer
    pagination_class = Pages
    filter_backends = []
    queryset = Worker.objects.none()

    def get_queryset(self) -> QuerySet[Worker]:
        """With the number of rooms that each holds."""
        held = Count("rooms", filter=~Q(rooms__state=RoomState.IDLE))
        return Worker.objects.annotate(held=held).order_by("-id")
