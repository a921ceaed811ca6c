"""`/api/v1/subscriptions/` and `deliveries/`: webhooks out, over REST."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.urls import path
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from echoadmin.accounts.permissions import Manager
from echoadmin.api.paging import Pages
from echoadmin.api.problems import refused
from echoadmin.api.shaping import Reference
from echoadmin.api.views import View
from echoadmin.deliveries import subscribing
from echoadmin.deliveries.checking import CHECKS
from echoadmin.deliveries.models import Delivery, Subscription
from echoadmin.idempotency import act_once, idempotent
from echoadmin.public_ids import new_public_id

TAG = ["webhooks out"]
CHANGEABLE = tuple(CHECKS)


class SubscriptionSerializer(serializers.Serializer[Any]):
    """An address that is told what happens here."""

    id = serializers.CharField(source="public_id")
    url = serializers.CharField()
    event_types = serializers.ListField(
        child=serializers.CharField(), help_text="`echo.*` is all that begin so. None: all of them."
    )
    conversation = serializers.CharField(source="conversation_ref", help_text="Only what is of this one; our id.")
    persona = serializers.CharField(source="persona_ref", help_text="Only what is of its conversations; our id.")
    description = serializers.CharField()
    enabled = serializers.BooleanField()
    failing_since = serializers.DateTimeField(allow_null=True, help_text="Nothing has arrived from then on.")
    disabled_reason = serializers.CharField(help_text="Why the console switched it off.")
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()


class NewSubscriptionSerializer(SubscriptionSerializer):
    """With its secret, for this once."""

    secret = serializers.CharField(help_text="whsec_…: for a Standard Webhooks library. It is not shown again.")


class SubscriptionRequest(serializers.Serializer[Any]):
    """For the OpenAPI document."""

    url = serializers.CharField()
    event_types = serializers.ListField(child=serializers.CharField(), required=False)
    conversation = serializers.CharField(required=False, help_text="cv_…; empty: of all.")
    persona = serializers.CharField(required=False, help_text="pe_…; empty: of all.")
    description = serializers.CharField(required=False)
    enabled = serializers.BooleanField(required=False)


class DeliverySerializer(serializers.Serializer[Any]):
    """One thing told to one address."""

    id = serializers.CharField(source="public_id", help_text="Its webhook-id, the same at each attempt.")
    subscription = Reference(to=SubscriptionSerializer, row="subscription", help_text="Its id.")
    url = serializers.CharField(source="subscription.url")
    event_type = serializers.CharField()
    ref = serializers.CharField(help_text="The id of what it is about.")
    state = serializers.CharField(help_text="waiting, delivered or failed; more may come.")
    attempts = serializers.IntegerField()
    next_try_at = serializers.DateTimeField(allow_null=True)
    tries = serializers.JSONField(help_text="[{at, status, seconds, error, answer}]")
    body = serializers.CharField(help_text="As sent.")
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class AgainRequest(serializers.Serializer[Any]):
    """Which deliveries: by their ids, or by what they have in common. Those that have arrived are left alone."""

    ids = serializers.ListField(child=serializers.CharField(), required=False)
    subscription = serializers.CharField(required=False)
    event_type = serializers.CharField(required=False)
    ref = serializers.CharField(required=False)
    state = serializers.CharField(required=False, help_text="failed unless given, or waiting.")


class AgainSerializer(serializers.Serializer[Any]):
    """How many begin anew."""

    count = serializers.IntegerField()


class DeliveryFilter(filters.FilterSet):
    """Filters of deliveries."""

    subscription = filters.CharFilter(field_name="subscription__public_id", max_length=32, label="its id")
    state = filters.CharFilter(max_length=16, label="waiting, delivered or failed; more may come")
    event_type = filters.CharFilter(max_length=80, label="what happened")
    ref = filters.CharFilter(max_length=64, label="the id of what it is about")

    class Meta:
        model = Delivery
        fields: list[str] = []


@extend_schema(tags=TAG)
class SubscriptionList(View, generics.ListAPIView[Subscription]):
    """Addresses that are told what happens here, newest first; POST adds an address."""

    roles = {"POST": Manager}
    serializer_class = SubscriptionSerializer
    pagination_class = Pages
    queryset = Subscription.objects.order_by("-id")

    @extend_schema(request=SubscriptionRequest, responses={201: NewSubscriptionSerializer})
    @idempotent(lambda: new_public_id("sb"))
    def post(self, request: Request, ref: str) -> Response:
        """The answer has its secret; it is not shown again."""
        wanted = changes_in(request)
        if "url" not in wanted:
            raise ValidationError({"url": ["Is missing."]})
        wanted.pop("enabled", None)
        row, secret = subscribing.subscribe(actor=self.actor(), public_id=ref, **wanted)
        return Response({**SubscriptionSerializer(row).data, "secret": secret}, status=201)

    def answer_for(self, ref: str, **kwargs: Any) -> Response | None:
        """What a request made whose answer was lost: its secret is lost, too, and can be rotated."""
        row = Subscription.objects.filter(public_id=ref).first()
        return Response({**SubscriptionSerializer(row).data, "secret": None}, status=201) if row else None


@extend_schema(tags=TAG, responses=SubscriptionSerializer)
class SubscriptionOne(View):
    """One subscription."""

    shows = SubscriptionSerializer

    roles = {"PATCH": Manager, "DELETE": Manager}

    def get(self, request: Request, subscription_id: str) -> Response:
        """As it is now."""
        return self.one(subscription(subscription_id))

    @extend_schema(request=SubscriptionRequest)
    def patch(self, request: Request, subscription_id: str) -> Response:
        """Changes what is given."""
        row = subscribing.change(actor=self.actor(), subscription=subscription(subscription_id), **changes_in(request))
        return Response(SubscriptionSerializer(row).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, subscription_id: str) -> Response:
        """Takes it away, with its deliveries."""
        subscribing.unsubscribe(actor=self.actor(), subscription=subscription(subscription_id))
        return Response(status=204)


@extend_schema(tags=TAG, request=None, responses={202: DeliverySerializer})
class SubscriptionPing(View):
    """Sends a `ping`, to see whether it arrives."""

    roles = {"POST": Manager}

    @act_once
    def post(self, request: Request, subscription_id: str) -> Response:
        """The delivery; it is sent within seconds."""
        made = subscribing.ping(actor=self.actor(), subscription=subscription(subscription_id))
        return Response(DeliverySerializer(made).data, status=202)


@extend_schema(tags=TAG, request=None, responses=NewSubscriptionSerializer)
class SubscriptionRotate(View):
    """Makes a new secret; for 24 hours the old one's signature comes beside."""

    roles = {"POST": Manager}

    @act_once
    def post(self, request: Request, subscription_id: str) -> Response:
        """With the new secret, for this once."""
        secret = subscribing.rotate(actor=self.actor(), subscription=subscription(subscription_id))
        return Response({**SubscriptionSerializer(subscription(subscription_id)).data, "secret": secret})


@extend_schema(tags=TAG)
class DeliveryList(View, generics.ListAPIView[Delivery]):
    """What was told, newest first."""

    serializer_class = DeliverySerializer
    pagination_class = Pages
    filter_backends = [filters.DjangoFilterBackend]
    filterset_class = DeliveryFilter
    queryset = Delivery.objects.none()

    def get_queryset(self) -> QuerySet[Delivery]:
        """Newest first."""
        return Delivery.objects.select_related("subscription").order_by("-id")


@extend_schema(tags=TAG, responses=DeliverySerializer)
class DeliveryOne(View):
    """One delivery, with its attempts."""

    shows = DeliverySerializer

    def get(self, request: Request, delivery_id: str) -> Response:
        """As it is now."""
        return self.one(delivery(delivery_id))


@extend_schema(tags=TAG, request=None, responses={202: DeliverySerializer})
class DeliveryAgain(View):
    """Tries a delivery again, now."""

    roles = {"POST": Manager}
    codes = {"POST": ("delivered",)}

    @act_once
    def post(self, request: Request, delivery_id: str) -> Response:
        """409 for one that has arrived."""
        row = delivery(delivery_id)
        if not subscribing.again(actor=self.actor(), delivery=row):
            raise refused(409, "delivered", "It has arrived; nothing is sent twice.")
        return Response(DeliverySerializer(delivery(delivery_id)).data, status=202)


@extend_schema(tags=TAG)
class DeliveriesAgain(View):
    """Tries several again, now: `ids`, or those of a subscription, an event type, a state."""

    roles = {"POST": Manager}

    @extend_schema(operation_id="deliveries_again_many", request=AgainRequest, responses={202: AgainSerializer})
    @act_once
    def post(self, request: Request) -> Response:
        """How many begin anew: 10,000 at most, the oldest first. Ask again while it is that many."""
        count = subscribing.again_many(actor=self.actor(), deliveries=chosen(request))
        return Response({"count": count}, status=202)


def chosen(request: Request) -> QuerySet[Delivery]:
    """The deliveries that a body names. Raises ValidationError."""
    given = dict(request.data)
    if strangers := sorted(set(given) - set(AgainRequest().fields)):
        raise ValidationError({strangers[0]: [f"Choose by {', '.join(AgainRequest().fields)}."]})
    if not given:
        raise ValidationError({"ids": ["Say which: by their ids, or by subscription, event_type, ref or state."]})
    ids = given.pop("ids", None)
    if ids is not None and not (isinstance(ids, list) and len(ids) <= 1_000 and all(isinstance(i, str) for i in ids)):
        raise ValidationError({"ids": ["Is a list of at most 1,000 ids of deliveries."]})
    if strange := [name for name, value in given.items() if not isinstance(value, str) or "\0" in value]:
        raise ValidationError({strange[0]: ["Is a text."]})
    if ids is None:
        given = {"state": "failed", **given}
    found = DeliveryFilter(given, queryset=Delivery.objects.all())
    if not found.is_valid():
        raise ValidationError({name: [str(word) for word in words] for name, words in found.errors.items()})
    rows: QuerySet[Delivery] = found.qs
    return rows if ids is None else rows.filter(public_id__in=[one.replace("\0", "") for one in ids])


def subscription(public_id: str) -> Subscription:
    """Raises NotFound."""
    row = Subscription.objects.filter(public_id=public_id[:32]).first()
    if row is None:
        raise NotFound(f"There is no subscription {public_id[:80]!r}. They are listed under /api/v1/subscriptions/.")
    return row


def delivery(public_id: str) -> Delivery:
    """Raises NotFound."""
    row = Delivery.objects.select_related("subscription").filter(public_id=public_id[:32]).first()
    if row is None:
        raise NotFound(f"There is no delivery {public_id[:80]!r}. They are listed under /api/v1/deliveries/.")
    return row


def changes_in(request: Request) -> dict[str, Any]:
    """Raises ValidationError for a field that there is not."""
    if strangers := sorted(set(request.data) - set(CHANGEABLE)):
        raise ValidationError({strangers[0]: [f"A subscription has {', '.join(CHANGEABLE)}."]})
    return dict(request.data)


urlpatterns = [
    path("subscriptions/", SubscriptionList.as_view()),
    path("subscriptions/<str:subscription_id>/", SubscriptionOne.as_view()),
    path("subscriptions/<str:subscription_id>/ping/", SubscriptionPing.as_view()),
    path("subscriptions/<str:subscription_id>/rotate/", SubscriptionRotate.as_view()),
    path("deliveries/", DeliveryList.as_view()),
    path("deliveries/again/", DeliveriesAgain.as_view()),
    path("deliveries/<str:delivery_id>/", DeliveryOne.as_view()),
    path("deliveries/<str:delivery_id>/again/", DeliveryAgain.as_view()),
]
