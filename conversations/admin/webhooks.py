"""The pages of webhooks in: what Tavus reported, what became of it, once more, and the address that it reports to."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from conversations.models import WebhookReceived, WebhookState
from conversations.webhooks import processing, secrets
from conversations.webhooks.runs import KIND
from echoadmin.accounts.acting import actor
from echoadmin.accounts.roles import may
from echoadmin.installation import OldWebhookSecret
from echoadmin.pages import button, draw, log_address, require_role, told
from echoadmin.read_only import Facts, ReadOnlyAdmin, address, document, known
from echoadmin.runs.admin import start_by_page
from echoadmin.shown import NOTHING, code, link, state, when

TICKED = 500  # webhooks that one press processes again
OLD_SHOWN = 20


@admin.register(WebhookReceived)
class WebhookReceivedAdmin(ReadOnlyAdmin):
    """What Tavus reported. The list grows without end, and is not counted."""

    paginator = InfinitePaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # they are counts
    list_display = ("event_type", "shown_state", "shown_conversation", "shown_received", "attempts", "shown_error")
    list_display_links = ("event_type",)
    list_filter = ("state",)
    search_fields = ("=public_id", "=upstream_id", "=conversation__public_id")
    search_help_text = "Its id, or either id of a conversation"
    ordering = ("-id",)
    sortable_by = ()
    change_list_template = "conversations/webhooks.html"
    detail_template = "conversations/webhook.html"

    def get_queryset(self, request: HttpRequest) -> Any:
        """With what the list names; not the bodies, which are long."""
        rows = super().get_queryset(request).select_related("conversation", "duplicate_of")
        return rows.defer("body", "duplicate_of__body", "conversation__payload", "conversation__requested")

    def get_list_display(self, request: HttpRequest) -> Any:
        """With what may be processed again, for those who may."""
        return ("shown_tick", *self.list_display) if may(request.user, "manager") else self.list_display

    @display(description="Tick")
    def shown_tick(self, row: WebhookReceived) -> SafeString | str:
        """For several at once; a repeat is processed with its first."""
        if row.duplicate_of is not None or row.state == WebhookState.RECEIVED:
            return ""
        tick = '<input type="checkbox" class="ea-tick" name="webhook" value="{}" aria-label="{}">'
        return format_html(tick, row.public_id, f"Tick {row.event_type}, {row.public_id}")

    @display(description="State")
    def shown_state(self, row: WebhookReceived) -> SafeString:
        """received, processed, failed or ignored."""
        return state(row.state)

    @display(description="Conversation")
    def shown_conversation(self, row: WebhookReceived) -> SafeString | str:
        """Which it is about."""
        if row.conversation is not None:
            return link(address(row.conversation), str(row.conversation))
        return row.upstream_id or NOTHING

    @display(description="Received")
    def shown_received(self, row: WebhookReceived) -> SafeString:
        """When."""
        return when(row.received_at)

    @display(description="Why")
    def shown_error(self, row: WebhookReceived) -> str:
        """Why it failed, waits or is ignored."""
        return row.error if len(row.error) <= 100 else row.error[:100] + "…"

    def facts(self, request: HttpRequest, row: WebhookReceived) -> Facts:
        facts: Facts = [
            ("State", state(row.state)),
            ("Why", row.error),
            ("Type", row.event_type),
            ("Conversation", self.shown_conversation(row)),
            ("Received", when(row.received_at)),
            ("Looks upstream", f"{row.attempts:,}"),
            ("Next look", when(row.next_try_at)),
            ("Ended", when(row.processed_at)),
            ("Repeats", link(address(row.duplicate_of), row.duplicate_of.public_id) if row.duplicate_of else ""),
            ("Secret", "one that was replaced" if row.by_old_secret else "today’s, or today’s then"),
            ("Request", code(row.request_id) if row.request_id else ""),
            ("Id", code(row.public_id)),
        ]
        return known(facts)

    def documents(self, row: WebhookReceived) -> list[tuple[str, str]]:
        return document("What came", row.body)

    def more_context(self, request: HttpRequest, row: WebhookReceived) -> dict[str, Any]:
        of = {"conversation": row.conversation.public_id} if row.conversation else {}
        return {
            "may_process": row.duplicate_of is None and may(request.user, "manager"),
            "entries": log_address(kind="webhook", **of),
        }

    def custom_paths(self) -> list[Any]:
        return [
            ("process/", "process_many", self.process_many),
            ("address/", "address", self.address_view),
            ("address/rotate/", "rotate", self.rotate),
            ("address/reveal/", "reveal", self.reveal),
            ("<str:object_id>/change/process/", "process", self.process),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        own = {"may_process": may(request.user, "manager")}
        return super().changelist_view(request, own | (extra_context or {}))

    @button("manager", "process a webhook again")
    def process(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Ask Tavus anew, now."""
        row, who = self.find(request, object_id), actor(request)
        if processing.again(actor=who, rows=WebhookReceived.objects.filter(pk=row.pk)):
            processing.process(self.find(request, object_id), actor=who)
        else:
            messages.info(request, "It repeats another one: that one is processed.")
        return redirect(address(row))

    @button("manager", "process webhooks again")
    def process_many(self, request: HttpRequest) -> HttpResponseBase:
        """The ticked, or all that failed: a run, whose page shows how far it is."""
        if request.POST.get("all") == "failed":
            return start_by_page(request, KIND, {"state": "failed"})
        ticked = request.POST.getlist("webhook")[:TICKED]
        if not ticked:
            return told(request, 400, "None was ticked.", "Go back and tick those that shall be processed again.")
        return start_by_page(request, KIND, {"ids": ticked})

    def address_view(self, request: HttpRequest) -> HttpResponse:
        """Since when the secret in the address counts, and which old ones still do. Without any of them."""
        require_role(request, "auditor", "see about the webhooks' address")
        return self._address(request)

    @button("admin", "replace the webhooks' secret")
    def rotate(self, request: HttpRequest) -> HttpResponseBase:
        """A new one for new conversations."""
        secrets.rotate(actor=actor(request), at_once=request.POST.get("at_once") == "on")
        messages.success(request, "New conversations report to an address with a new secret.")
        return redirect("admin:conversations_webhookreceived_address")

    @button("admin", "see the webhooks' address")
    def reveal(self, request: HttpRequest) -> HttpResponseBase:
        """The whole address, this once; the log says who saw it."""
        answer = self._address(request, whole=secrets.reveal(actor=actor(request)))
        answer.headers["Cache-Control"] = "no-store"
        return answer

    def _address(self, request: HttpRequest, whole: str = "") -> HttpResponse:
        installation = secrets.installation()
        old = [
            {
                "state": state("active" if secrets.still_counts(row) else "off"),
                "retired": when(row.retired_at),
                "until": when(row.honoured_until),
                "conversations": secrets.conversations_of(row).count() if row.until_ended else 0,
                "uses": row.uses,
                "last": when(row.last_used_at) if row.last_used_at else "",
            }
            for row in OldWebhookSecret.objects.order_by("-id")[:OLD_SHOWN]
        ]
        context = {
            "title": "Address of webhooks in",
            "whole": whole,
            "shown": f"{settings.PUBLIC_URL}/webhooks/tavus/…/" if settings.PUBLIC_URL else "",
            "since": when(installation.webhook_secret_since or installation.created_at),
            "hours": f"{settings.WEBHOOK_SECRET_OVERLAP:g}",
            "old": old,
            "may_change": may(request.user, "admin"),
            "crumb": ("Webhooks in", reverse("admin:conversations_webhookreceived_changelist")),
        }
        return draw(request, "conversations/webhook_address.html", context)
