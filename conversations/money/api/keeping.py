"""`/api/v1/prices/` and `/api/v1/budgets/`: everybody reads them, managers change them, the log has each change."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from conversations.models import Budget, Price
from conversations.models.price import read_rates
from conversations.money import keeping
from conversations.money.budgets import Standing, standings
from echoadmin.accounts.permissions import Manager
from echoadmin.api.paging import Pages
from echoadmin.api.views import View
from echoadmin.idempotency import idempotent
from echoadmin.public_ids import new_public_id

TAG = ["money"]
PRICE_FIELDS = ("valid_from", "per_minute", "currency", "minimum")
BUDGET_FIELDS = ("name", "scope", "of", "period", "amount", "currency", "warns_at", "stops", "ends")


class PriceSerializer(serializers.Serializer[Any]):
    """A price, until the next one."""

    id = serializers.CharField(source="public_id", read_only=True)
    valid_from = serializers.DateTimeField()
    per_minute = serializers.DecimalField(max_digits=14, decimal_places=6)
    currency = serializers.CharField(required=False, help_text="That of the price in force by default.")
    minimum = serializers.DecimalField(
        max_digits=14, decimal_places=6, allow_null=True, required=False, help_text="Of any conversation, at least."
    )
    created_by = serializers.CharField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)


class BudgetSerializer(serializers.Serializer[Any]):
    """A budget, and how it stands now."""

    id = serializers.CharField(source="budget.public_id", read_only=True)
    name = serializers.CharField(source="budget.name")
    scope = serializers.CharField(source="budget.scope", help_text="all, persona, user or key.")
    of = serializers.SerializerMethodField(help_text="The persona's id, the user's name or the key's prefix.")
    period = serializers.CharField(source="budget.period", help_text="day or month, of UTC.")
    amount = serializers.DecimalField(source="budget.amount", max_digits=14, decimal_places=2)
    currency = serializers.CharField(source="budget.currency")
    warns_at = serializers.IntegerField(source="budget.warns_at", help_text="Percent.")
    stops = serializers.BooleanField(source="budget.stops", help_text="Whether it refuses what it has no room for.")
    ends = serializers.BooleanField(source="budget.ends", help_text="Whether it ends what runs once it is reached.")
    state = serializers.CharField(read_only=True, help_text="ok, warned or reached (no room for one more).")
    spent = serializers.DecimalField(max_digits=16, decimal_places=6, read_only=True)
    left = serializers.DecimalField(max_digits=16, decimal_places=6, read_only=True)
    percent = serializers.IntegerField(read_only=True)
    running = serializers.IntegerField(read_only=True)
    still = serializers.DecimalField(
        max_digits=16, decimal_places=6, read_only=True, help_text="What running ones will cost yet, at most."
    )
    since = serializers.DateTimeField(read_only=True)
    until = serializers.DateTimeField(read_only=True)

    def get_of(self, standing: Standing) -> str:
        """Empty for all."""
        return keeping.of_whom(standing.budget)


class BudgetRequest(serializers.Serializer[Any]):
    """What a budget is made of."""

    name = serializers.CharField(max_length=100)
    scope = serializers.ChoiceField(["all", "persona", "user", "key"], required=False)
    of = serializers.CharField(required=False)
    period = serializers.ChoiceField(["day", "month"], required=False)
    amount = serializers.DecimalField(max_digits=14, decimal_places=2)
    currency = serializers.CharField(required=False)
    warns_at = serializers.IntegerField(required=False, min_value=1, max_value=100)
    stops = serializers.BooleanField(required=False)
    ends = serializers.BooleanField(required=False)


@extend_schema(tags=TAG)
class PriceList(View, generics.ListAPIView[Price]):
    """The dated price table, newest row first; POST adds a price.

    Before its first row PRICE_PER_MINUTE holds.
    """

    roles = {"POST": Manager}
    serializer_class = PriceSerializer
    pagination_class = Pages
    filter_backends = []
    queryset = Price.objects.order_by("-id")

    @extend_schema(request=PriceSerializer, responses={201: PriceSerializer})
    @idempotent(lambda: new_public_id("pr"))
    def post(self, request: Request, ref: str) -> Response:
        """One in the past reckons anew what ended since."""
        given = fields_of(request, PRICE_FIELDS, needed=("valid_from", "per_minute"))
        row = keeping.save_price(actor=self.actor(), public_id=ref, **given)
        return Response(PriceSerializer(row).data, status=201)

    def answer_for(self, ref: str, **kwargs: Any) -> Response | None:
        """The price that a repeated request made."""
        row = Price.objects.filter(public_id=ref).first()
        return Response(PriceSerializer(row).data, status=201) if row else None


@extend_schema(tags=TAG, responses=PriceSerializer)
class PriceOne(View):
    """One price."""

    roles = {"PATCH": Manager, "DELETE": Manager}
    shows = PriceSerializer

    def get(self, request: Request, price_id: str) -> Response:
        """As it is now."""
        return self.one(_price(price_id))

    @extend_schema(request=PriceSerializer)
    def patch(self, request: Request, price_id: str) -> Response:
        """Changes what is given; what ended under it is reckoned anew."""
        row = _price(price_id)
        given = {name: getattr(row, name) for name in PRICE_FIELDS} | fields_of(request, PRICE_FIELDS)
        return Response(PriceSerializer(keeping.save_price(actor=self.actor(), price=row, **given)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, price_id: str) -> Response:
        """The one before it holds on."""
        keeping.delete_price(actor=self.actor(), price=_price(price_id))
        return Response(status=204)


@extend_schema(tags=TAG)
class BudgetList(View, generics.ListAPIView[Budget]):
    """Budgets, newest first, each with how it stands; POST makes a budget."""

    roles = {"POST": Manager}
    serializer_class = BudgetSerializer
    pagination_class = Pages
    filter_backends = []
    queryset = Budget.objects.select_related("persona", "user", "key").order_by("-id")

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """In three queries more, however many there are."""
        page = self.paginate_queryset(self.get_queryset()) or []
        return self.get_paginated_response(BudgetSerializer(standings(page, read_rates()), many=True).data)

    @extend_schema(request=BudgetRequest, responses={201: BudgetSerializer})
    @idempotent(lambda: new_public_id("bu"))
    def post(self, request: Request, ref: str) -> Response:
        """It counts from the beginning of the running period."""
        given = fields_of(request, BUDGET_FIELDS, needed=("name", "amount"))
        return Response(_shown(keeping.save_budget(actor=self.actor(), public_id=ref, **given)), status=201)

    def answer_for(self, ref: str, **kwargs: Any) -> Response | None:
        """The budget that a repeated request made."""
        row = Budget.objects.filter(public_id=ref).first()
        return Response(_shown(row), status=201) if row else None


@extend_schema(tags=TAG, responses=BudgetSerializer)
class BudgetOne(View):
    """One budget."""

    roles = {"PATCH": Manager, "DELETE": Manager}
    shows = BudgetSerializer

    def get(self, request: Request, budget_id: str) -> Response:
        """With how it stands now."""
        return Response(_shown(_budget(budget_id)))

    @extend_schema(request=BudgetRequest)
    def patch(self, request: Request, budget_id: str) -> Response:
        """Changes what is given; warnings are told anew."""
        row = _budget(budget_id)
        now = {name: getattr(row, name) for name in BUDGET_FIELDS if name != "of"} | {"of": keeping.of_whom(row)}
        changed = now | fields_of(request, BUDGET_FIELDS)
        return Response(_shown(keeping.save_budget(actor=self.actor(), budget=row, **changed)))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, budget_id: str) -> Response:
        """It stops nothing any more."""
        keeping.delete_budget(actor=self.actor(), budget=_budget(budget_id))
        return Response(status=204)


def fields_of(request: Request, known: tuple[str, ...], needed: tuple[str, ...] = ()) -> dict[str, Any]:
    """The body's fields. Raises ValidationError for one that there is not, and for one that is needed and missing."""
    if strangers := sorted(set(request.data) - set(known)):
        raise ValidationError({strangers[0]: [f"There is no such field. There are: {', '.join(known)}."]})
    if missing := [name for name in needed if name not in request.data]:
        raise ValidationError({name: ["Is needed."] for name in missing})
    return dict(request.data)


def _shown(row: Budget) -> dict[str, Any]:
    [standing] = standings([row], read_rates(), timezone.now())
    return dict(BudgetSerializer(standing).data)


def _price(price_id: str) -> Price:
    row = Price.objects.filter(public_id=price_id[:32]).first()
    if row is None:
        raise NotFound(f"There is no price {price_id[:80]!r}. They are listed under /api/v1/prices/.")
    return row


def _budget(budget_id: str) -> Budget:
    row = Budget.objects.select_related("persona", "user", "key").filter(public_id=budget_id[:32]).first()
    if row is None:
        raise NotFound(f"There is no budget {budget_id[:80]!r}. They are listed under /api/v1/budgets/.")
    return row
