"""`/api/v1/slots/`: how they stand, who holds them, and the queue for the next one."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from conversations.models import SlotRequest
from conversations.slots import queueing
from conversations.slots.standing import holders, slots
from echoadmin.accounts.permissions import Manager
from echoadmin.api.paging import Pages
from echoadmin.api.views import View

TAG = ["money"]
MOST = 1000


class HolderSerializer(serializers.Serializer[Any]):
    """A conversation that holds a slot; ending it (`conversations/{id}/end/`) frees it."""

    id = serializers.CharField(source="public_id")
    conversation_id = serializers.CharField(source="upstream_id", allow_null=True, help_text="Tavus's.")
    name = serializers.CharField()
    state = serializers.CharField()
    created_by = serializers.CharField()
    made_here = serializers.BooleanField(help_text="False: made elsewhere, and not adopted.")
    started_at = serializers.DateTimeField()
    seconds = serializers.IntegerField()
    cost = serializers.FloatField(allow_null=True)
    currency = serializers.CharField()


class SlotsSerializer(serializers.Serializer[Any]):
    """How the slots stand."""

    limit = serializers.IntegerField(allow_null=True, help_text="null: not known.")
    source = serializers.CharField(  # type: ignore[assignment]
        help_text="CONVERSATION_SLOTS, tavus (learned from a refusal) or empty."
    )
    learned = serializers.IntegerField(allow_null=True, help_text="How many ran when Tavus refused one more.")
    learned_at = serializers.DateTimeField(allow_null=True)
    taken = serializers.IntegerField()
    free = serializers.IntegerField(allow_null=True)
    waiting = serializers.IntegerField(help_text="Requests for the next slot.")
    holders = HolderSerializer(many=True, help_text="The longest first, at most 1,000.")


class SlotRequestSerializer(serializers.Serializer[Any]):
    """A create that waits for a slot."""

    id = serializers.CharField(source="public_id")
    state = serializers.CharField(help_text="waiting, creating, created, failed, cancelled or expired; more may come.")
    conversation = serializers.CharField(
        source="conversation_ref", help_text="The id that its conversation has, once it is created."
    )
    requested = serializers.JSONField(help_text="Secrets masked.")
    join = serializers.BooleanField()
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    error = serializers.JSONField(allow_null=True)


@extend_schema(tags=TAG, responses=SlotsSerializer)
class SlotsNow(View):
    """How many conversations may run at once, and which do."""

    def get(self, request: Request) -> Response:
        """As this console knows it; nothing is asked of Tavus."""
        told = slots().facts()
        return Response(SlotsSerializer({**told, "holders": list(holders()[:MOST])}).data)


@extend_schema(tags=TAG)
class SlotRequestList(View, generics.ListAPIView[SlotRequest]):
    """Requests for a slot, newest first. `POST conversations/?when_free=true` makes one."""

    serializer_class = SlotRequestSerializer
    pagination_class = Pages
    filter_backends = []
    queryset = SlotRequest.objects.order_by("-id")


@extend_schema(tags=TAG, responses=SlotRequestSerializer)
class SlotRequestOne(View):
    """One request for a slot."""

    roles = {"DELETE": Manager}
    codes = {"DELETE": ("not_waiting",)}
    shows = SlotRequestSerializer

    def get(self, request: Request, request_id: str) -> Response:
        """As it is now."""
        return self.one(one(request_id))

    @extend_schema(summary="Take a request for a slot back", responses=SlotRequestSerializer)
    def delete(self, request: Request, request_id: str) -> Response:
        """It waits no more; the request stays, cancelled. 409 for one whose turn has come."""
        return Response(SlotRequestSerializer(queueing.cancel(actor=self.actor(), request=one(request_id))).data)


def one(request_id: str) -> SlotRequest:
    """Raises NotFound."""
    row = SlotRequest.objects.filter(public_id=request_id[:32]).first()
    if row is None:
        raise NotFound(f"There is no request {request_id[:80]!r}. They are listed under /api/v1/slots/requests/.")
    return row


urlpatterns = [
    path("slots/", SlotsNow.as_view()),
    path("slots/requests/", SlotRequestList.as_view()),
    path("slots/requests/<str:request_id>/", SlotRequestOne.as_view()),
]
