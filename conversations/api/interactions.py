"""`/api/v1/interactions/catalogue/`: what can be sent under a conversation's `interactions/`."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from conversations.interactions.catalogue import KINDS, LIMIT, catalogue
from echoadmin.api.views import View


class FieldSerializer(serializers.Serializer[Any]):
    """A property of an interaction."""

    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    help = serializers.CharField()
    kind = serializers.CharField(help_text=f"{', '.join(KINDS)}; more may come.")
    required = serializers.BooleanField()  # type: ignore[assignment]
    choices = serializers.ListField(child=serializers.CharField())
    longest = serializers.IntegerField(allow_null=True, help_text="Characters.")


class OfferSerializer(serializers.Serializer[Any]):
    """An interaction that can be sent."""

    event_type = serializers.CharField()
    title = serializers.CharField()
    about = serializers.CharField()
    in_echo_mode = serializers.BooleanField(help_text="Whether it has effect in echo mode.")
    echo_words = serializers.CharField()
    fields = FieldSerializer(many=True)  # type: ignore[assignment]


class CatalogueSerializer(serializers.Serializer[Any]):
    """All of them."""

    limit = serializers.IntegerField(help_text="Bytes of JSON that a whole message may have.")
    results = OfferSerializer(many=True)


class Catalogue(View):
    """Every interaction that can be sent, its fields, and whether it has effect in echo mode."""

    @extend_schema(tags=["echoes"], responses=CatalogueSerializer)
    def get(self, request: Request) -> Response:
        """The same for every conversation. Another `event_type` than these is sent as it is given."""
        return Response({"limit": LIMIT, "results": catalogue()})
