"""`/api/v1/costs/`: what conversations came to, by persona, conversation, key, user, day or month; and as CSV."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from conversations.models import Conversation
from conversations.models.price import read_rates
from conversations.money.asking import days_of, month_asked
from conversations.money.rows import costly, csv_of, facts
from conversations.money.spending import costs, unsettled_in
from echoadmin.accounts.recording import record
from echoadmin.api.paging import Pages
from echoadmin.api.views import View
from echoadmin.streaming import AnyAccept, streamed

TAG = ["money"]
MOST = 1000  # rows of one answer that is not paged
BY = ("persona", "conversation", "key", "user", "creator", "day", "month")
PERIOD = [
    OpenApiParameter("by", str, enum=list(BY), description="day by default."),
    OpenApiParameter("from", OpenApiTypes.DATE, description="The first day (UTC); the month's by default."),
    OpenApiParameter("to", OpenApiTypes.DATE, description="The last day, included; today by default."),
]


class CostSerializer(serializers.Serializer[Any]):
    """What so many conversations came to; a conversation belongs to the day (UTC) in which it began."""

    key = serializers.CharField(help_text="A persona's id, a key's prefix, a user's id, a creator, a day or a month.")
    name = serializers.CharField()
    conversations = serializers.IntegerField()
    running = serializers.IntegerField(help_text="Of those, how many cost more by the second.")
    seconds = serializers.FloatField(help_text="By Tavus's own times.")
    cost = serializers.FloatField(allow_null=True, help_text="Up to now; null where no price was in force.")
    currency = serializers.CharField(help_text="Of different currencies each has a row of its own.")


class ConversationCostSerializer(serializers.Serializer[Any]):
    """What one conversation came to."""

    id = serializers.CharField()
    conversation_id = serializers.CharField(help_text="Tavus's.")
    name = serializers.CharField()
    persona = serializers.CharField(allow_null=True)
    persona_name = serializers.CharField()
    created_by = serializers.CharField()
    key = serializers.CharField(help_text="The prefix of the API key that made it, or empty.")
    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    ended_at_source = serializers.CharField(
        help_text="updated_at or event: as Tavus told. console: Tavus told none, and this console's clock stands in."
    )
    ended_reason = serializers.CharField()
    seconds = serializers.FloatField()
    cost = serializers.FloatField(allow_null=True)
    currency = serializers.CharField()


class CostsSerializer(serializers.Serializer[Any]):
    """Costs of some days. `next` and `previous` are null unless `by=conversation`, whose results are of the second
    kind."""

    results = CostSerializer(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


@extend_schema(tags=TAG, parameters=PERIOD, responses=CostsSerializer)
class Costs(View, generics.GenericAPIView[Conversation]):
    """What conversations of some days came to, up to now."""

    shaped = False  # its rows are of different kinds
    pagination_class = Pages
    filter_backends = []
    serializer_class = CostsSerializer
    queryset = Conversation.objects.none()

    def get(self, request: Request) -> Response:
        """By day in order, by anything else the dearest first, the first 1,000; by conversation the newest first, in
        pages."""
        asked = request.query_params.dict()
        by, days = asked.get("by") or "day", days_of(asked)
        if by not in BY:
            raise ValidationError({"by": [f"Is one of {', '.join(BY)}."]})
        if by == "conversation":
            return self._paged(costly(days))
        found = costs(by, *days, read_rates(), unsettled_in(*days))[:MOST]
        return Response({"results": CostSerializer(found, many=True).data, "next": None, "previous": None})

    def _paged(self, rows: QuerySet[Conversation]) -> Response:
        rates = read_rates()
        told = [facts(row, rates) for row in self.paginate_queryset(rows) or []]
        return self.get_paginated_response(ConversationCostSerializer(told, many=True).data)


@extend_schema(
    tags=TAG,
    parameters=[OpenApiParameter("month", str, description="Such as 2026-11; this one by default.")],
    responses={(200, "text/csv"): OpenApiTypes.BINARY},
)
class CostsExport(View):
    """A month's conversations as CSV, oldest first."""

    content_negotiation_class = AnyAccept

    def get(self, request: Request) -> HttpResponseBase:
        """Streamed; leaves an entry of who took it."""
        days = month_asked(request.query_params.get("month", ""))
        record("costs.exported", self.actor(), {"month": f"{days[0]:%Y-%m}"})
        name = f"costs-{days[0]:%Y-%m}.csv"
        headers = {
            "Content-Type": "text/csv; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
        }
        return streamed(request._request, csv_of(days, read_rates()), 200, headers)
