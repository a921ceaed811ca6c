"""The pages of deliveries: what was told to whom, how each attempt went, and trying again."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from echoadmin.accounts.acting import actor
from echoadmin.accounts.roles import may
from echoadmin.deliveries import subscribing
from echoadmin.deliveries.models import Delivery, DeliveryState, Subscription
from echoadmin.deliveries.publishing import EVENT_TYPES
from echoadmin.pages import back_to, button, require_role
from echoadmin.read_only import Facts, ReadOnlyAdmin, address, known
from echoadmin.shown import code, lasting, link, state, when

OFFERED = 100  # subscriptions in the filter
TICKED = 500  # deliveries that one press sends again


class ByType(admin.SimpleListFilter):
    """Of the types that are known: the table is not asked which it holds."""

    title = "type"
    parameter_name = "event_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        """All that can be told."""
        return [(name, name) for name in sorted(EVENT_TYPES)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        """Of the type that was asked for."""
        return queryset.filter(event_type=self.value()) if self.value() in EVENT_TYPES else queryset


class BySubscription(admin.SimpleListFilter):
    """By the subscription's id."""

    title = "subscription"
    parameter_name = "subscription"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        """The newest ones, and the one that is asked for."""
        rows = dict(Subscription.objects.order_by("-id").values_list("public_id", "url")[:OFFERED])
        wanted = request.GET.get("subscription", "").replace("\0", "")[:32]
        if wanted and wanted not in rows:
            rows[wanted] = wanted
        return [(key, url if len(url) <= 50 else url[:50] + "…") for key, url in rows.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        """Of that subscription."""
        wanted = (self.value() or "").replace("\0", "")[:32]
        return queryset.filter(subscription__public_id=wanted) if wanted else queryset


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """Each thing told to each subscription. The list grows without end, and is not counted."""

    paginator = InfinitePaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # they are counts
    list_display = ("event_type", "shown_state", "shown_to", "shown_made", "attempts", "shown_next", "shown_ended")
    list_display_links = ("event_type",)
    list_filter = ("state", ByType, BySubscription)
    search_fields = ("=public_id", "=ref")
    search_help_text = "Its id, or the id of what it is about"
    ordering = ("-id",)
    sortable_by = ()
    change_list_template = "deliveries/deliveries.html"
    detail_template = "deliveries/delivery.html"

    def get_queryset(self, request: HttpRequest) -> Any:
        """Without what the list does not show: bodies and attempts are long."""
        rows = super().get_queryset(request).select_related("subscription")
        return rows.defer("body", "tries", "subscription__sealed_secret", "subscription__sealed_old_secret")

    def get_list_display(self, request: HttpRequest) -> Any:
        """With what may be sent again, for those who may."""
        return ("shown_tick", *self.list_display) if may(request.user, "manager") else self.list_display

    @display(description="Tick")
    def shown_tick(self, row: Delivery) -> SafeString | str:
        """For several at once."""
        if row.state == DeliveryState.DELIVERED:
            return ""
        tick = '<input type="checkbox" class="ea-tick" name="delivery" value="{}" aria-label="{}">'
        return format_html(tick, row.public_id, f"Tick {row.event_type}, {row.public_id}")

    @display(description="State")
    def shown_state(self, row: Delivery) -> SafeString:
        """waiting, delivered or failed."""
        return state(row.state)

    @display(description="To")
    def shown_to(self, row: Delivery) -> SafeString:
        """Which subscription."""
        url = row.subscription.url
        return link(address(row.subscription), url if len(url) <= 50 else url[:50] + "…")

    @display(description="Happened")
    def shown_made(self, row: Delivery) -> SafeString:
        """When."""
        return when(row.created_at)

    @display(description="Next try")
    def shown_next(self, row: Delivery) -> SafeString:
        """When; nothing where it has ended."""
        return when(row.next_try_at)

    @display(description="Ended")
    def shown_ended(self, row: Delivery) -> SafeString:
        """When it arrived, or was given up."""
        return when(row.ended_at)

    def facts(self, request: HttpRequest, row: Delivery) -> Facts:
        told: Facts = [
            ("State", state(row.state)),
            ("Type", row.event_type),
            ("To", link(address(row.subscription), row.subscription.url)),
            ("About", code(row.ref)),
            ("Happened", when(row.created_at)),
            ("Attempts", f"{row.attempts:,}"),
            ("Next try", when(row.next_try_at)),
            ("Ended", when(row.ended_at)),
            ("Id (webhook-id)", code(row.public_id)),
        ]
        return known(told)

    def documents(self, row: Delivery) -> list[tuple[str, str]]:
        return [("What is sent", json.dumps(json.loads(row.body), indent=2, ensure_ascii=False))]

    def more_context(self, request: HttpRequest, row: Delivery) -> dict[str, Any]:
        return {
            "tries": [_shown_try(one) for one in reversed(row.tries)],
            "waits_for_switch": row.state == DeliveryState.WAITING and not row.subscription.enabled,
            "may_send": row.state != DeliveryState.DELIVERED and may(request.user, "manager"),
            "watched": row.state == DeliveryState.WAITING and row.subscription.enabled,
        }

    def custom_paths(self) -> list[Any]:
        one = "<str:object_id>/change/"
        return [
            ("again/", "again_ticked", self.again_ticked),
            (one + "state/", "state", self.state_view),
            (one + "again/", "again", self.again),
        ]

    def state_view(self, request: HttpRequest, object_id: str) -> JsonResponse:
        """Where it is, as JSON, for the page's own script."""
        require_role(request, "auditor", "see deliveries")
        row = self.find(request, object_id)
        return JsonResponse({"state": row.state, "tried": len(row.tries)})

    @button("manager", "send a delivery again")
    def again(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Begin anew, now."""
        row = self.find(request, object_id)
        if not subscribing.again(actor=actor(request), delivery=row):
            messages.info(request, "It has arrived; nothing is sent twice.")
        elif not row.subscription.enabled:
            messages.warning(request, "Its subscription is off. It is sent once that is switched on.")
        return redirect(address(row))

    @button("manager", "send deliveries again")
    def again_ticked(self, request: HttpRequest) -> HttpResponseBase:
        """Several at once."""
        ticked = [one.replace("\0", "") for one in request.POST.getlist("delivery")[:TICKED]]
        rows = Delivery.objects.filter(public_id__in=ticked)
        count = subscribing.again_many(actor=actor(request), deliveries=rows)
        if ticked:
            messages.success(request, f"{count:,} deliver{'y is' if count == 1 else 'ies are'} sent again.")
        else:
            messages.info(request, "None was ticked.")
        return back_to(request, reverse("admin:deliveries_delivery_changelist"))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        own = {"may_send": may(request.user, "manager"), "here": request.get_full_path()}
        return super().changelist_view(request, own | (extra_context or {}))


def _shown_try(told: dict[str, Any]) -> dict[str, Any]:
    """An attempt for the page."""
    status = told.get("status")
    arrived = status is not None and 200 <= status < 300
    return {
        "at": when(parse_datetime(told["at"])),
        "state": state("arrived" if arrived else "failed"),
        "status": status,
        "seconds": lasting(told.get("seconds")),
        "error": told.get("error", ""),
        "answer": told.get("answer", ""),
    }
