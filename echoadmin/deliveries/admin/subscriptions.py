"""The pages of subscriptions: made, tried out, changed, given a new secret. A secret is shown once."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from unfold.decorators import display

from echoadmin.accounts.acting import actor
from echoadmin.accounts.roles import may
from echoadmin.deliveries import subscribing
from echoadmin.deliveries.checking import COLUMNS
from echoadmin.deliveries.forms import SubscriptionForm
from echoadmin.deliveries.models import DeliveryState, Subscription
from echoadmin.pages import button, draw, require_role
from echoadmin.read_only import Facts, ReadOnlyAdmin, address, known
from echoadmin.service_forms import form_page
from echoadmin.shown import code, state, when

LATEST = 10  # deliveries on a subscription's page
FIELDS = ("url", "event_types", "conversation", "persona", "description")


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnlyAdmin):
    """Addresses that are told what happens here."""

    list_display = ("shown_url", "shown_state", "shown_types", "description", "created_by", "shown_created")
    list_filter = ("enabled",)
    search_fields = ("url", "description")
    search_help_text = "A part of its URL or description"
    change_list_template = "admin/mirror_list.html"
    detail_template = "deliveries/subscription.html"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request.user, "manager")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("sealed_secret", "sealed_old_secret")

    @display(description="URL", ordering="url")
    def shown_url(self, row: Subscription) -> str:
        """The start of it."""
        return row.url if len(row.url) <= 60 else row.url[:60] + "…"

    @display(description="State", ordering="enabled")
    def shown_state(self, row: Subscription) -> SafeString:
        """active or off."""
        return state("active" if row.enabled else "off")

    @display(description="Event types")
    def shown_types(self, row: Subscription) -> str:
        """What it is told."""
        return ", ".join(row.event_types) or "all"

    @display(description="Made", ordering="id")
    def shown_created(self, row: Subscription) -> SafeString:
        """When."""
        return when(row.created_at)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"add_words": "New subscription"} | (extra_context or {}))

    def facts(self, request: HttpRequest, row: Subscription) -> Facts:
        told: Facts = [
            ("State", self.shown_state(row)),
            ("Why it is off", row.disabled_reason),
            ("URL", code(row.url)),
            ("Event types", self.shown_types(row)),
            ("Of conversation", code(row.conversation_ref) if row.conversation_ref else ""),
            ("Of persona", code(row.persona_ref) if row.persona_ref else ""),
            ("Description", row.description),
            ("Nothing has arrived since", when(row.failing_since)),
            ("Made", when(row.created_at)),
            ("Made by", row.created_by),
            ("Changed", when(row.updated_at)),
            ("Old secret counts until", when(row.old_secret_until)),
            ("Id", code(row.public_id)),
        ]
        return known(told)

    def more_context(self, request: HttpRequest, row: Subscription) -> dict[str, Any]:
        latest = row.deliveries.only("public_id", "event_type", "state", "created_at").order_by("-id")[:LATEST]
        deliveries = reverse("admin:deliveries_delivery_changelist")
        return {
            "may_change": may(request.user, "manager"),
            "has_failed": row.deliveries.filter(state=DeliveryState.FAILED).exists(),
            "latest": [(address(one), one.event_type, state(one.state), when(one.created_at)) for one in latest],
            "deliveries": f"{deliveries}?{urlencode({'subscription': row.public_id})}",
        }

    def custom_paths(self) -> list[Any]:
        one = "<str:object_id>/change/"
        return [
            (one + "edit/", "edit", self.edit_view),
            (one + "enable/", "enable", self.enable),
            (one + "disable/", "disable", self.disable),
            (one + "ping/", "ping", self.ping),
            (one + "rotate/", "rotate", self.rotate),
            (one + "again/", "again", self.again),
            (one + "delete/", "take_away", self.take_away),
        ]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Make one, and show its secret this once."""
        require_role(request, "manager", "make a subscription")
        form = SubscriptionForm(request.POST if request.method == "POST" else None)
        made = form.obey(lambda given: subscribing.subscribe(actor=actor(request), **given))
        if made is not None:
            return self._secret(request, *made, title="New subscription", status=201)
        back = reverse("admin:deliveries_subscription_changelist")
        words = {"title": "New subscription", "button_words": "Make the subscription", "back": back}
        return form_page(request, form, crumb=self.crumb(), **words)

    def edit_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Another URL, other event types, another description."""
        require_role(request, "manager", "change a subscription")
        row = self.find(request, object_id)
        before = {name: getattr(row, COLUMNS.get(name, name)) for name in FIELDS}
        form = SubscriptionForm(request.POST if request.method == "POST" else None, initial=before)
        saved = form.obey(lambda given: subscribing.change(actor=actor(request), subscription=row, **given))
        if saved is not None:
            messages.success(request, "The subscription is saved.")
            return redirect(address(saved))
        words = {"title": "Edit subscription", "button_words": "Save", "back": address(row)}
        return form_page(request, form, crumb=self.crumb(), **words)

    @button("manager", "switch a subscription on")
    def enable(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """It is told of what happens from now on."""
        return self._switch(request, object_id, enabled=True)

    @button("manager", "switch a subscription off")
    def disable(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """It is told of nothing; what waits goes on waiting."""
        return self._switch(request, object_id, enabled=False)

    def _switch(self, request: HttpRequest, object_id: str, *, enabled: bool) -> HttpResponseBase:
        row = self.find(request, object_id)
        subscribing.change(actor=actor(request), subscription=row, enabled=enabled)
        messages.success(request, "It is on." if enabled else "It is off: nothing is sent there.")
        return redirect(address(row))

    @button("manager", "try a subscription out")
    def ping(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Send something, and show how it goes."""
        row = self.find(request, object_id)
        try:
            delivery = subscribing.ping(actor=actor(request), subscription=row)
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
            return redirect(address(row))
        return redirect(address(delivery))

    @button("manager", "give a subscription a new secret")
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Show the new secret this once; the old one counts beside it for a day."""
        row = self.find(request, object_id)
        secret = subscribing.rotate(actor=actor(request), subscription=row)
        return self._secret(request, row, secret, title="New secret", rotated=True)

    @button("manager", "send deliveries again")
    def again(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """All that has failed."""
        failed = self.find(request, object_id).deliveries.filter(state=DeliveryState.FAILED)
        count = subscribing.again_many(actor=actor(request), deliveries=failed)
        messages.success(request, f"{count:,} failed deliver{'y is' if count == 1 else 'ies are'} sent again.")
        return redirect(address(self.find(request, object_id)))

    @button("manager", "delete a subscription")
    def take_away(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """With its deliveries."""
        row = self.find(request, object_id)
        subscribing.unsubscribe(actor=actor(request), subscription=row)
        messages.success(request, f"{self.shown_url(row)} is told nothing any more.")
        return redirect("admin:deliveries_subscription_changelist")

    def _secret(
        self, request: HttpRequest, row: Subscription, secret: str, status: int = 200, **context: Any
    ) -> HttpResponse:
        own = {"secret": secret, "row": row, "row_address": address(row), "crumb": self.crumb()}
        return draw(request, "deliveries/secret.html", own | context, status)
