"""`/api/v1/views/`, `rules/` and `alerts/`."""

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

from echoadmin.accounts.permissions import Operator
from echoadmin.alerts import keeping
from echoadmin.alerts.models import Alert, Rule, SavedView
from echoadmin.api.paging import Pages
from echoadmin.api.shaping import Reference
from echoadmin.api.views import View
from echoadmin.idempotency import idempotent
from echoadmin.public_ids import new_public_id

TAG = ["alerts"]


class ViewSerializer(serializers.Serializer[Any]):
    """A filter of the log with a name."""

    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    filters = serializers.DictField(child=serializers.CharField(), help_text="As entries/ takes them.")
    shared = serializers.BooleanField()
    owner = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class ViewRequest(serializers.Serializer[Any]):
    """For the OpenAPI document."""

    name = serializers.CharField(max_length=100)
    filters = serializers.DictField(child=serializers.CharField())
    shared = serializers.BooleanField(required=False)


class RuleSerializer(serializers.Serializer[Any]):
    """When to raise an alert."""

    id = serializers.CharField(source="public_id")
    view = Reference(to=ViewSerializer, row="view", help_text="Its id.")
    view_name = serializers.CharField(source="view.name")
    name = serializers.CharField()
    enabled = serializers.BooleanField()
    threshold = serializers.IntegerField(help_text="So many entries within the window; 1: any entry.")
    window = serializers.IntegerField(help_text="Seconds; also how long an alert takes in what comes next.")
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    looked_at = serializers.DateTimeField(allow_null=True)
    error = serializers.CharField(help_text="Why it can't look.")


class RuleRequest(serializers.Serializer[Any]):
    """For the OpenAPI document."""

    view = serializers.CharField()
    name = serializers.CharField(max_length=100)
    threshold = serializers.IntegerField(required=False)
    window = serializers.IntegerField(required=False)
    enabled = serializers.BooleanField(required=False)


class AlertSerializer(serializers.Serializer[Any]):
    """Something that a rule found."""

    id = serializers.CharField(source="public_id")
    rule = Reference(to=RuleSerializer, row="rule", allow_null=True, help_text="Its id; null: it was deleted.")
    rule_name = serializers.CharField()
    view_name = serializers.CharField()
    filters = serializers.DictField()
    conversation = serializers.CharField(source="conversation_ref", help_text="Our id, or empty.")
    event_type = serializers.CharField(help_text="Of the first entry.")
    count = serializers.IntegerField()
    first_entry = serializers.IntegerField(help_text="Its id.")
    last_entry = serializers.IntegerField()
    first_at = serializers.DateTimeField()
    last_at = serializers.DateTimeField()
    raised_at = serializers.DateTimeField()
    acknowledged_at = serializers.DateTimeField(allow_null=True)
    acknowledged_by = serializers.CharField()


class AlertFilter(filters.FilterSet):
    """Filters of alerts."""

    acknowledged = filters.BooleanFilter(
        field_name="acknowledged_at", lookup_expr="isnull", exclude=True, label="whether somebody has seen it"
    )
    rule = filters.CharFilter(field_name="rule__public_id", max_length=32, label="its id")
    conversation = filters.CharFilter(field_name="conversation_ref", max_length=64, label="our id")

    class Meta:
        model = Alert
        fields: list[str] = []


@extend_schema(tags=TAG)
class ViewList(View, generics.ListAPIView[SavedView]):
    """One's own views of the log, and those that others share; POST saves a view."""

    serializer_class = ViewSerializer
    pagination_class = Pages
    queryset = SavedView.objects.none()

    def get_queryset(self) -> QuerySet[SavedView]:
        """Newest first."""
        return keeping.visible_views(self.request.user.pk).order_by("-id")

    @extend_schema(request=ViewRequest, responses={201: ViewSerializer})
    @idempotent(lambda: new_public_id("vw"))
    def post(self, request: Request, ref: str) -> Response:
        """A name and filters, as `entries/` takes them."""
        given = fields_of(request, "name", "filters", "shared")
        view = keeping.save_view(actor=self.actor(), public_id=ref, **{"name": None, "filters": None, **given})
        return Response(ViewSerializer(view).data, status=201)

    def answer_for(self, ref: str, **kwargs: Any) -> Response | None:
        """The view that a repeated request saved."""
        view = SavedView.objects.filter(public_id=ref).first()
        return Response(ViewSerializer(view).data, status=201) if view else None


@extend_schema(tags=TAG, responses=ViewSerializer)
class ViewOne(View):
    """One view; its owner, or an admin, changes it."""

    shows = ViewSerializer

    def get(self, request: Request, view_id: str) -> Response:
        """As it is now."""
        return self.one(self.found(view_id))

    @extend_schema(request=ViewRequest)
    def patch(self, request: Request, view_id: str) -> Response:
        """Changes what is given."""
        view = self.found(view_id)
        keeping.check_owner(self.actor(), view)
        old = {"name": view.name, "filters": view.filters, "shared": view.shared}
        given = fields_of(request, *old)
        return Response(ViewSerializer(keeping.save_view(actor=self.actor(), view=view, **{**old, **given})).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, view_id: str) -> Response:
        """With its rules; alerts stay."""
        view = self.found(view_id)
        keeping.check_owner(self.actor(), view)
        keeping.delete_view(actor=self.actor(), view=view)
        return Response(status=204)

    def found(self, view_id: str) -> SavedView:
        """Raises NotFound."""
        return visible_view(self, view_id)


@extend_schema(tags=TAG)
class RuleList(View, generics.ListAPIView[Rule]):
    """Rules, newest first; POST adds a rule to a view."""

    roles = {"POST": Operator}
    serializer_class = RuleSerializer
    pagination_class = Pages
    queryset = Rule.objects.select_related("view").order_by("-id")

    @extend_schema(request=RuleRequest, responses={201: RuleSerializer})
    @idempotent(lambda: new_public_id("ru"))
    def post(self, request: Request, ref: str) -> Response:
        """It begins with the entries that come next."""
        given = fields_of(request, "view", "name", "threshold", "window", "enabled")
        view = named_view(self, given.pop("view", None))
        rule = keeping.save_rule(actor=self.actor(), view=view, public_id=ref, **{"name": None, **given})
        return Response(RuleSerializer(rule).data, status=201)

    def answer_for(self, ref: str, **kwargs: Any) -> Response | None:
        """The rule that a repeated request added."""
        rule = Rule.objects.select_related("view").filter(public_id=ref).first()
        return Response(RuleSerializer(rule).data, status=201) if rule else None


@extend_schema(tags=TAG, responses=RuleSerializer)
class RuleOne(View):
    """One rule."""

    shows = RuleSerializer

    roles = {"PATCH": Operator, "DELETE": Operator}

    def get(self, request: Request, rule_id: str) -> Response:
        """As it is now."""
        return self.one(self.found(rule_id))

    @extend_schema(request=RuleRequest)
    def patch(self, request: Request, rule_id: str) -> Response:
        """Changes what is given."""
        rule = self.found(rule_id)
        given = fields_of(request, "view", "name", "threshold", "window", "enabled")
        view = named_view(self, given.pop("view")) if "view" in given else rule.view
        rule = keeping.save_rule(actor=self.actor(), view=view, rule=rule, **{"name": rule.name, **given})
        return Response(RuleSerializer(rule).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, rule_id: str) -> Response:
        """Its alerts stay."""
        keeping.delete_rule(actor=self.actor(), rule=self.found(rule_id))
        return Response(status=204)

    @staticmethod
    def found(rule_id: str) -> Rule:
        """Raises NotFound."""
        rule = Rule.objects.select_related("view").filter(public_id=rule_id[:32]).first()
        if rule is None:
            raise NotFound(f"There is no rule {rule_id[:80]!r}. They are listed under /api/v1/rules/.")
        return rule


@extend_schema(tags=TAG)
class AlertList(View, generics.ListAPIView[Alert]):
    """Alerts, newest first."""

    serializer_class = AlertSerializer
    pagination_class = Pages
    filter_backends = [filters.DjangoFilterBackend]
    filterset_class = AlertFilter
    queryset = Alert.objects.none()

    def get_queryset(self) -> QuerySet[Alert]:
        """Newest first."""
        return Alert.objects.select_related("rule__view").order_by("-id")


@extend_schema(tags=TAG, responses=AlertSerializer)
class AlertOne(View):
    """One alert."""

    shows = AlertSerializer

    def get(self, request: Request, alert_id: str) -> Response:
        """As it is now."""
        return self.one(alert(alert_id))


@extend_schema(tags=TAG, request=None, responses=AlertSerializer)
class AlertAcknowledge(View):
    """Acknowledges an alert: somebody has seen it."""

    roles = {"POST": Operator}

    def post(self, request: Request, alert_id: str) -> Response:
        """Acknowledging one twice changes nothing."""
        row = alert(alert_id)
        keeping.acknowledge(actor=self.actor(), alerts=Alert.objects.filter(pk=row.pk))
        return Response(AlertSerializer(alert(alert_id)).data)


def visible_view(view: View, view_id: str) -> SavedView:
    """Raises NotFound; another's view that is not shared is not there."""
    found = keeping.visible_views(view.request.user.pk).filter(public_id=view_id[:32]).first()
    if found is None:
        raise NotFound(f"There is no view {view_id[:80]!r}. They are listed under /api/v1/views/.")
    return found


def named_view(view: View, view_id: Any) -> SavedView:
    """The same for an id in a body. Raises ValidationError."""
    if not isinstance(view_id, str):
        raise ValidationError({"view": ["Is the id of a view (vw_…)."]})
    try:
        return visible_view(view, view_id)
    except NotFound as error:
        raise ValidationError({"view": [str(error.detail)]}) from None


def alert(alert_id: str) -> Alert:
    """Raises NotFound."""
    found = Alert.objects.select_related("rule__view").filter(public_id=alert_id[:32]).first()
    if found is None:
        raise NotFound(f"There is no alert {alert_id[:80]!r}. They are listed under /api/v1/alerts/.")
    return found


def fields_of(request: Request, *known: str) -> dict[str, Any]:
    """The body's fields. Raises ValidationError for one that there is not."""
    if strangers := sorted(set(request.data) - set(known)):
        raise ValidationError({strangers[0]: [f"There is no such field. There are: {', '.join(known)}."]})
    return dict(request.data)


urlpatterns = [
    path("views/", ViewList.as_view()),
    path("views/<str:view_id>/", ViewOne.as_view()),
    path("rules/", RuleList.as_view()),
    path("rules/<str:rule_id>/", RuleOne.as_view()),
    path("alerts/", AlertList.as_view()),
    path("alerts/<str:alert_id>/", AlertOne.as_view()),
    path("alerts/<str:alert_id>/acknowledge/", AlertAcknowledge.as_view()),
]
