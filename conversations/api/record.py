"""`gaps/` and `timeline/`: what is known to be missing, and all that happened on one clock."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from conversations import gaps
from conversations.api.conversations import one
from conversations.models import Conversation, Gap, GapKind
from conversations.serializers import ConversationSerializer
from conversations.timeline import timeline
from conversations.within import readable
from echoadmin.accounts.recording import record
from echoadmin.api.openapi.filters import parameters_of
from echoadmin.api.paging import Pages, limit_of, number_of
from echoadmin.api.shaping import Asked, Reference
from echoadmin.api.views import View
from echoadmin.streaming import AnyAccept, streamed

FILES = {"csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson"}
BLOCK = 500


class GapSerializer(serializers.Serializer[Any]):
    """Where the record of a conversation is known to be incomplete."""

    id = serializers.IntegerField()
    kind = serializers.ChoiceField(GapKind.choices)
    conversation = Reference(to=ConversationSerializer, row="conversation", help_text="Our id.")
    conversation_id = serializers.CharField(source="conversation.upstream_id", allow_null=True, help_text="Tavus's.")
    n = serializers.IntegerField(help_text="The number of the entry where it shows.")
    first_n = serializers.IntegerField(allow_null=True, help_text="The first entry that is concerned.")
    last_n = serializers.IntegerField(allow_null=True)
    from_at = serializers.DateTimeField()
    to_at = serializers.DateTimeField(allow_null=True, help_text="null: it lasts.")
    seconds = serializers.FloatField(allow_null=True)
    count = serializers.IntegerField(allow_null=True, help_text="Of messages, or entries.")
    first_seq = serializers.IntegerField(allow_null=True)
    last_seq = serializers.IntegerField(allow_null=True)
    sender = serializers.CharField()
    reason = serializers.CharField(
        help_text="not_joined, before_join, left, room_lost, worker_lost, worker_stopped, handed_over, not_in_room, "
        "dropped, lost, stored_late, interrupted, …; more may come."
    )
    expected = serializers.BooleanField(help_text="Nobody wanted it otherwise: before the first join, after a leave.")


class GapFilter(filters.FilterSet):
    """Filters of gaps."""

    kind = filters.ChoiceFilter(choices=GapKind.choices, label="what kind of gap")
    expected = filters.BooleanFilter(label="whether nobody wanted it otherwise")
    conversation = filters.CharFilter(field_name="conversation__public_id", max_length=64, label="our id")
    at_after = filters.IsoDateTimeFilter(
        field_name="from_at", lookup_expr="gte", label="begins then or later (ISO 8601)"
    )
    at_before = filters.IsoDateTimeFilter(field_name="from_at", lookup_expr="lt", label="begins before (ISO 8601)")

    class Meta:
        model = Gap
        fields: list[str] = []


class OldestFirst(Pages):
    """In the order in which they show."""

    ordering = ("n", "id")  # type: ignore[assignment]


@extend_schema(tags=["log"])
class ConversationGaps(View, generics.ListAPIView[Gap]):
    """A conversation's gaps, in the order in which they show, as its entries are now."""

    serializer_class = GapSerializer
    pagination_class = OldestFirst
    filter_backends = [filters.DjangoFilterBackend]
    filterset_class = GapFilter
    queryset = Gap.objects.none()

    def get_queryset(self) -> QuerySet[Gap]:
        """Looked for just now."""
        return gaps.gaps_of(one(self.kwargs["any_id"])).select_related(*_beside(self.asked))


@extend_schema(tags=["log"])
class AllGaps(View, generics.ListAPIView[Gap]):
    """The gaps of all conversations, newest first, found within seconds.

    Those that nobody minds are left out unless `expected` is given (`expected=any`: both).
    """

    content_negotiation_class = AnyAccept
    serializer_class = GapSerializer
    pagination_class = Pages
    queryset = Gap.objects.none()

    def get_queryset(self) -> QuerySet[Gap]:
        """Newest first. Raises ValidationError."""
        params = self.request.query_params.dict()
        if params.setdefault("expected", "false") == "any":
            del params["expected"]
        wanted = GapFilter(params, queryset=self._seen().select_related(*_beside(self.asked)).order_by("-id"))
        if not wanted.is_valid():
            raise ValidationError({name: [str(word) for word in words] for name, words in wanted.errors.items()})
        found: QuerySet[Gap] = wanted.qs
        return found

    def _seen(self) -> QuerySet[Gap]:
        if self.limits is None:
            return Gap.objects.all()
        return Gap.objects.filter(conversation__in=Conversation.objects.filter(readable(self.limits)).order_by())

    @extend_schema(
        parameters=[
            OpenApiParameter("format", str, enum=["json", *FILES], description="All that fit as a file; json: a page."),
            *parameters_of(GapFilter),
        ],
        responses={
            (200, "application/json"): GapSerializer(many=True),
            (200, "text/csv"): OpenApiTypes.BINARY,
            (200, "application/x-ndjson"): OpenApiTypes.BINARY,
        },
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        """A page, or a file."""
        kind = request.query_params.get("format")
        if not kind or kind == "json":
            return self.list(request, *args, **kwargs)
        if kind not in FILES:
            raise ValidationError({"format": [f"Is json, {' or '.join(FILES)}."]})
        return self.file(request, kind)

    def file(self, request: Request, kind: str) -> HttpResponseBase:
        """All that fit, newest first."""
        found = self.get_queryset()
        filters_ = {name: value for name, value in request.query_params.dict().items() if name != "format"}
        record("log.exported", self.actor(), {"what": "gaps", "format": kind, "filters": filters_})
        headers = {"Content-Type": FILES[kind], "Content-Disposition": f'attachment; filename="gaps.{kind}"'}
        return streamed(request._request, _file(found, kind), 200, headers)


def _beside(asked: Asked) -> tuple[str, ...]:
    more = ("conversation__persona", "conversation__replica", "conversation__room__worker")
    return ("conversation", *(more if "conversation" in asked.expand else ()))


def _file(found: QuerySet[Gap], kind: str) -> Iterator[bytes]:
    names = list(GapSerializer().fields)
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, names)
    if kind == "csv":
        table.writeheader()
    below: int | None = None
    while rows := list((found if below is None else found.filter(id__lt=below))[:BLOCK]):
        shown = [dict(row) for row in GapSerializer(rows, many=True).data]
        if kind == "csv":
            table.writerows([{name: _safe(value) for name, value in row.items()} for row in shown])
        else:
            text.writelines(json.dumps(row) + "\n" for row in shown)
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
        below = rows[-1].pk
    yield text.getvalue().encode()


def _safe(value: Any) -> Any:
    """No spreadsheet is to compute it: a sender's name comes from outside."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


@extend_schema(
    tags=["log"],
    parameters=[
        OpenApiParameter("after", int, description="Entries with a higher `n`; 0 by default."),
        OpenApiParameter("limit", int, description="Entries, 1 to 1,000; 200 by default."),
    ],
    responses=OpenApiTypes.OBJECT,
)
class ConversationTimeline(View):
    """All that happened in a conversation on one clock, what belongs to an echo together, with gaps where they are."""

    def get(self, request: Request, any_id: str) -> Response:
        """`results` are items with a `type`: entry, echo, heartbeats, gap, filled_in; more may come."""
        after = number_of(request.query_params.get("after"), "after", 0) or 0
        limit = limit_of(request.query_params.get("limit"), 1000, 200)
        page = timeline(one(any_id), after, limit)
        query = request.query_params.copy()
        query["after"] = str(page.next)
        beyond = None if page.next is None else request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
        return Response({"results": page.items, "next": beyond, "previous": None})
