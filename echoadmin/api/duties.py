"""`/api/v1/duties/`: what the console does again and again, and how it went last."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers

from echoadmin.api.paging import Pages
from echoadmin.api.views import View
from echoadmin.duties import Duty


class DutySerializer(serializers.Serializer[Any]):
    """A duty."""

    name = serializers.CharField()
    state = serializers.CharField(source="standing", help_text="running, failed (its last run), due or waiting.")
    every = serializers.SerializerMethodField()
    next_run_at = serializers.DateTimeField()
    holder = serializers.CharField(help_text="The worker that is at it now.")
    lease_until = serializers.DateTimeField(allow_null=True, help_text="Until when it is the holder's alone.")
    last_run_at = serializers.DateTimeField(allow_null=True)
    last_seconds = serializers.FloatField(allow_null=True)
    last_result = serializers.CharField()
    last_error = serializers.CharField()
    runs = serializers.IntegerField(help_text="So far.")
    errors = serializers.IntegerField(help_text="How many of those failed.")  # type: ignore[assignment]

    def get_every(self, row: Duty) -> float:
        """Seconds."""
        return row.every.total_seconds()


@extend_schema(tags=["operations"])
class DutyList(View, generics.ListAPIView[Duty]):
    """All duties."""

    queryset = Duty.objects.order_by("-id")
    serializer_class = DutySerializer
    pagination_class = Pages
