"""`/api/v1/entries/` and `messages/`: the log over REST, and what a conversation's lists are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.http import QueryDict
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from echoadmin.accounts.limits import anywhere
from echoadmin.api.openapi.filters import parameters_of
from echoadmin.api.paging import limit_of, number_of
from echoadmin.api.views import View
from echoadmin.log import reader
from echoadmin.log.models import Entry, Kind

LARGEST_TAIL = 1000


class EntrySerializer(serializers.Serializer[Any]):
    """One entry of the log, for the OpenAPI document."""

    id = serializers.IntegerField()
    n = serializers.IntegerField(help_text="Its number in its stream: gapless, from 1.")
    at = serializers.DateTimeField()
    kind = serializers.ChoiceField(Kind.choices)
    direction = serializers.CharField(allow_null=True, help_text="in, out or null.")
    event_type = serializers.CharField()
    sender = serializers.CharField(allow_null=True)
    sender_name = serializers.CharField(allow_null=True)
    inference_id = serializers.CharField(allow_null=True)
    echo = serializers.IntegerField(allow_null=True)
    conversation = serializers.CharField(allow_null=True, help_text="Our id.")
    conversation_id = serializers.CharField(allow_null=True, help_text="Tavus's.")
    actor = serializers.CharField(allow_null=True)
    seq = serializers.IntegerField(allow_null=True)
    is_error = serializers.BooleanField()
    message = serializers.JSONField(allow_null=True, help_text="As on the wire.")


class EntryPage(serializers.Serializer[Any]):
    """A page of entries, for the OpenAPI document."""

    results = EntrySerializer(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


FILTERS = parameters_of(reader.EntryFilter)
PAGING = [
    OpenApiParameter("cursor", str, description="From `next` or `previous`."),
    OpenApiParameter("limit", int, description="1 to 200, 50 by default."),
    OpenApiParameter("order", str, enum=["newest", "oldest"], description="newest by default."),
]
AUDIO = OpenApiParameter("audio", str, enum=["include", "exclude"], description="Whether samples come with messages.")
TAIL = [
    OpenApiParameter("after", int, description="Entries with a higher `n`, oldest first; 0 by default."),
    OpenApiParameter("limit", int, description=f"1 to {LARGEST_TAIL:,}, 100 by default."),
]


_upstream_ids: list[reader.UpstreamIds] = []


def use_upstream_ids(ask: reader.UpstreamIds) -> None:
    """The log knows no conversations: who does says here how to get Tavus's ids of them by ours."""
    _upstream_ids[:] = [ask]


def shown(entries: Sequence[Entry], *, audio: bool) -> list[dict[str, Any]]:
    """Entries as the API and the WebSocket show them."""
    return reader.as_dicts(entries, _upstream_ids[0] if _upstream_ids else lambda refs: {}, audio)


@extend_schema_view(get=extend_schema(operation_id="entries_list"))
@extend_schema(tags=["log"], parameters=[*FILTERS, *PAGING, AUDIO], responses=EntryPage)
class Entries(View):
    """Every kind of entry, across conversations, newest first."""

    kind: ClassVar[str | None] = None
    shows = EntrySerializer

    def get(self, request: Request) -> Response:
        """A page. Samples are left out unless `audio=include`."""
        params = request.query_params
        wanted = {**params.dict(), **({"kind": self.kind} if self.kind else {})}
        limit, newest = limit_of(params.get("limit")), _order(params) == "newest"
        try:
            page = reader.page(reader.filtered(wanted, self.limits), params.get("cursor") or None, limit, newest)
        except reader.FilterError as error:
            raise ValidationError(error.fields) from None
        except reader.CursorError as error:
            raise ValidationError({"cursor": [str(error)]}) from None
        rows = shown(page.rows, audio=with_audio(params, default=False))
        return Response({"results": rows, "next": _link(request, page.next), "previous": _link(request, page.previous)})


@extend_schema_view(get=extend_schema(operation_id="messages_list"))
@extend_schema(tags=["log"])
class Messages(Entries):
    """App messages alone."""

    kind = Kind.APP_MESSAGE


def stream_page(request: Request, stream: str, kind: str | None, *, audio: bool) -> Response:
    """A conversation's entries with `n` above `?after=`, oldest first; `next` while a page is full."""
    params = request.query_params
    limit = limit_of(params.get("limit"), LARGEST_TAIL, 100)
    after = number_of(params.get("after"), "after", 0) or 0
    filters = {name: params[name] for name in reader.FILTERS if params.get(name)}
    if kind:
        filters["kind"] = kind
    try:
        rows: list[Entry] = reader.tail(stream, after, limit, **filters)
    except reader.FilterError as error:
        raise ValidationError(error.fields) from None
    beyond = _with(request, after=str(rows[-1].n)) if len(rows) == limit else None
    results = shown(rows, audio=with_audio(params, default=audio))
    return Response({"results": results, "next": beyond, "previous": None})


def with_audio(params: QueryDict, *, default: bool) -> bool:
    """Whether samples are wanted. Raises ValidationError."""
    asked = params.get("audio") or ("include" if default else "exclude")
    if asked not in ("include", "exclude"):
        raise ValidationError({"audio": ["Is include or exclude."]})
    return asked == "include"


def _order(params: QueryDict) -> str:
    order = params.get("order") or "newest"
    if order not in ("newest", "oldest"):
        raise ValidationError({"order": ["Is newest or oldest."]})
    return order


def _link(request: Request, cursor: str | None) -> str | None:
    return None if cursor is None else _with(request, cursor=cursor)


def _with(request: Request, **changed: str) -> str:
    params = request.query_params.copy()
    for name, value in changed.items():
        params[name] = value
    return str(request.build_absolute_uri(f"{request.path}?{params.urlencode()}"))


urlpatterns = [
    path("entries/", Entries.as_view(within=anywhere)),
    path("messages/", Messages.as_view(within=anywhere)),
]
