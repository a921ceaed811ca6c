"""`/api/v1/webhooks/`: what Tavus reported, what became of it, and the secret of the address that it reports to."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from conversations.models import WebhookReceived
from conversations.serializers import ConversationSerializer
from conversations.webhooks import processing, secrets
from echoadmin.accounts.permissions import Admin, Manager
from echoadmin.api.paging import Pages
from echoadmin.api.problems import refused
from echoadmin.api.shaping import OnDemand, Reference
from echoadmin.api.views import View
from echoadmin.idempotency import act_once
from echoadmin.installation import OldWebhookSecret

TAG = ["webhooks in"]


class WebhookSerializer(serializers.Serializer[Any]):
    """A webhook of Tavus's."""

    id = serializers.CharField(source="public_id")
    received_at = serializers.DateTimeField()
    event_type = serializers.CharField()
    conversation = Reference(to=ConversationSerializer, row="conversation", allow_null=True, help_text="Our id.")
    conversation_id = serializers.CharField(source="upstream_id", help_text="Tavus's, as the webhook has it.")
    state = serializers.CharField(help_text="received, processed, failed or ignored; more may come.")
    attempts = serializers.IntegerField(help_text="Looks upstream that were made for it.")
    error = serializers.CharField(help_text="Why it failed, waits or is ignored.")
    next_try_at = serializers.DateTimeField(allow_null=True)
    processed_at = serializers.DateTimeField(allow_null=True, help_text="When it reached its final state.")
    duplicate_of = serializers.CharField(source="duplicate_of.public_id", allow_null=True, default=None)
    by_old_secret = serializers.BooleanField(help_text="It came to an address whose secret was replaced.")
    message = OnDemand(source="body", help_text="As it came, secrets masked. In lists with `?expand=message` only.")


class OldSecretSerializer(serializers.Serializer[Any]):
    """A secret that was replaced."""

    retired_at = serializers.DateTimeField()
    honoured_until = serializers.DateTimeField(help_text="At least.")
    until_ended = serializers.BooleanField(help_text="Longer while a conversation that was made with it lasts.")
    counts = serializers.SerializerMethodField()
    conversations = serializers.SerializerMethodField()
    uses = serializers.IntegerField(help_text="Webhooks that came with it since it was replaced.")
    last_used_at = serializers.DateTimeField(allow_null=True)

    def get_counts(self, row: OldWebhookSecret) -> bool:
        """Whether a webhook that comes with it is taken now."""
        return secrets.still_counts(row)

    def get_conversations(self, row: OldWebhookSecret) -> int:
        """How many that were made with it last."""
        return secrets.conversations_of(row).count()


class SecretSerializer(serializers.Serializer[Any]):
    """The secret in the webhooks' address, without itself."""

    since = serializers.DateTimeField()
    overlap_hours = serializers.FloatField()
    old = OldSecretSerializer(many=True)


class RotateRequest(serializers.Serializer[Any]):
    """For the OpenAPI document."""

    at_once = serializers.BooleanField(required=False, help_text="The old one counts no more: for one that leaked.")


class WebhookFilter(filters.FilterSet):
    """Filters of webhooks."""

    state = filters.CharFilter(max_length=16, label="received, processed, failed or ignored; more may come")
    event_type = filters.CharFilter(max_length=200, label="what happened, in Tavus's word")
    conversation = filters.CharFilter(field_name="conversation__public_id", max_length=64, label="our id")
    at_after = filters.IsoDateTimeFilter(field_name="received_at", lookup_expr="gte", label="came then or later")
    at_before = filters.IsoDateTimeFilter(field_name="received_at", lookup_expr="lt", label="came before")

    class Meta:
        model = WebhookReceived
        fields: list[str] = []


def _rows() -> QuerySet[WebhookReceived]:
    rows = WebhookReceived.objects.select_related("conversation", "duplicate_of")
    return rows.defer("duplicate_of__body")


@extend_schema(tags=TAG)
class WebhookList(View, generics.ListAPIView[WebhookReceived]):
    """What Tavus reported, newest first. Each is also an entry of the log, of the kind `webhook`."""

    serializer_class = WebhookSerializer
    pagination_class = Pages
    filter_backends = [filters.DjangoFilterBackend]
    filterset_class = WebhookFilter
    queryset = WebhookReceived.objects.none()

    def get_queryset(self) -> QuerySet[WebhookReceived]:
        """Newest first; a body can have 8 MB, and is read only where it is asked for."""
        rows = _rows().order_by("-id")
        return rows if "message" in self.asked.expand else rows.defer("body")


@extend_schema(tags=TAG, responses=WebhookSerializer)
class WebhookOne(View):
    """One webhook."""

    shows = WebhookSerializer

    def get(self, request: Request, webhook_id: str) -> Response:
        """As it is now."""
        return self.one(_one(webhook_id))


@extend_schema(tags=TAG, request=None, responses=WebhookSerializer)
class WebhookProcess(View):
    """Asks Tavus anew about what a webhook says, now; many at once are a run of the kind `process_webhooks`."""

    roles = {"POST": Manager}
    codes = {"POST": ("duplicate",)}

    def post(self, request: Request, webhook_id: str) -> Response:
        """What became of it: Tavus's refusal is in its `error`, and it is tried again. 409 for a repeat."""
        row = _one(webhook_id)
        if row.duplicate_of is not None:
            words = f"It repeats {row.duplicate_of.public_id}. Process that one."
            raise refused(409, "duplicate", words, duplicate_of=row.duplicate_of.public_id)
        processing.again(actor=self.actor(), rows=WebhookReceived.objects.filter(pk=row.pk))
        processing.process(_one(webhook_id), actor=self.actor())
        return Response(WebhookSerializer(_one(webhook_id)).data)


@extend_schema(tags=TAG, responses=SecretSerializer)
class WebhookSecret(View):
    """The secret in the address that Tavus reports to: since when, and the old ones that still count."""

    def get(self, request: Request) -> Response:
        """Without any secret."""
        return Response(_secret())


@extend_schema(tags=TAG, request=RotateRequest, responses=SecretSerializer)
class WebhookSecretRotate(View):
    """A new secret for new conversations; the old one counts on for a while, for those that were made with it."""

    roles = {"POST": Admin}

    @act_once
    def post(self, request: Request) -> Response:
        """Without any secret."""
        given = dict(request.data)
        at_once = given.pop("at_once", False)
        if given or not isinstance(at_once, bool):
            raise ValidationError({next(iter(given), "at_once"): ["It takes at_once, true or false."]})
        secrets.rotate(actor=self.actor(), at_once=at_once)
        return Response(_secret())


def _one(webhook_id: str) -> WebhookReceived:
    row = _rows().filter(public_id=webhook_id[:32]).first()
    if row is None:
        raise NotFound(f"There is no webhook {webhook_id[:80]!r}. They are listed under /api/v1/webhooks/.")
    return row


def _secret() -> dict[str, Any]:
    installation = secrets.installation()
    told = {
        "since": installation.webhook_secret_since or installation.created_at,
        "overlap_hours": settings.WEBHOOK_SECRET_OVERLAP,
        "old": OldWebhookSecret.objects.order_by("-id")[:20],
    }
    return dict(SecretSerializer(told).data)
