"""`/api/v1/entries/{id}/` and `entries/histogram/`: one entry with what was before and after it, and the bars."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from echoadmin.accounts.limits import anywhere
from echoadmin.api.paging import number_of
from echoadmin.api.views import View
from echoadmin.log import reader
from echoadmin.log.api import AUDIO, FILTERS, EntrySerializer, shown, with_audio
from echoadmin.log.chain import instant
from echoadmin.log.histogram import MOST_BARS, histogram
from echoadmin.log.models import Entry

MOST_AROUND = 100


class EntryAround(serializers.Serializer[Any]):
    """An entry with its neighbours, for the OpenAPI document."""

    entry = EntrySerializer()
    before = EntrySerializer(many=True, help_text="Those before it in its stream, oldest first.")
    after = EntrySerializer(many=True, help_text="Those after it in its stream, oldest first.")


class HistogramSerializer(serializers.Serializer[Any]):
    """Bars, for the OpenAPI document."""

    start = serializers.DateTimeField(help_text="Where the first bar begins.")
    step = serializers.IntegerField(help_text="Seconds of one bar.")
    bars = serializers.ListField(child=serializers.IntegerField(), help_text="How many entries happened in each.")
    filtered = serializers.BooleanField(
        help_text="False: bars are kept by one filter, so with several (or with text) they count all that the key sees."
    )


@extend_schema(
    tags=["log"],
    parameters=[OpenApiParameter("around", int, description=f"0 to {MOST_AROUND}, 10 by default."), AUDIO],
    responses=EntryAround,
)
class OneEntry(View):
    """One entry: the permanent address."""

    def get(self, request: Request, entry_id: int) -> Response:
        """With its neighbours in its stream. Samples are left out unless `audio=include`."""
        around = number_of(request.query_params.get("around"), "around", 10) or 0
        if around > MOST_AROUND:
            raise ValidationError({"around": [f"Is a number from 0 to {MOST_AROUND}."]})
        readable = [reader.within(self.limits)] if self.limits else []
        entry = Entry.objects.filter(*readable, pk=entry_id).first() if entry_id < 2**63 else None
        if entry is None:
            raise NotFound(f"There is no entry {entry_id}: it was pruned by age, or never was.")
        before, after = reader.neighbours(entry, around, self.limits)
        rows = shown([*before, entry, *after], audio=with_audio(request.query_params, default=False))
        here = len(before)
        return Response({"entry": rows[here], "before": rows[:here], "after": rows[here + 1 :]})


@extend_schema(
    tags=["log"],
    parameters=[*FILTERS, OpenApiParameter("bars", int, description=f"At most: 1 to {MOST_BARS}, 60 by default.")],
    responses=HistogramSerializer,
)
class Bars(View):
    """How many entries there were when; some seconds behind the log."""

    def get(self, request: Request) -> Response:
        """For the filters' time range, else for the whole log."""
        most = number_of(request.query_params.get("bars"), "bars", 60)
        if most is None or not 1 <= most <= MOST_BARS:
            raise ValidationError({"bars": [f"Is a number from 1 to {MOST_BARS}."]})
        try:
            found = histogram(request.query_params.dict(), most, self.limits)
        except reader.FilterError as error:
            raise ValidationError(error.fields) from None
        return Response(
            {"start": instant(found.start), "step": found.step, "bars": found.bars, "filtered": found.filtered}
        )


urlpatterns = [
    path("entries/histogram/", Bars.as_view(within=anywhere)),
    path("entries/<int:entry_id>/", OneEntry.as_view(within=anywhere)),
]
