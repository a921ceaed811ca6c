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
    every = serializers.SerializerMethodField()
    next_run_at = serializers.DateTimeField()
    holder = serializers.CharField(help_text="The worker that is at it now.")
    last_run_at = serializers.DateTimeField(allow_null=True)
    last_seconds = serializers.FloatField(allow_null=True)
    last_result = serializers.CharField()
    last_error = serializers.CharField()

    def get_every(self, row: Duty) -> float:
        """Seconds."""
        return row.every.total_seconds()


@extend_schema(tags=["operations"])
class DutyList(View, generics.ListAPIView[Duty]):
    """All duties."""

    queryset = Duty.objects.order_by("-id")
    serializer_class = DutySerializer
    pagination_class = Pages
