"""The page of slots: who holds them, the button that frees one, and who waits."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.safestring import SafeString
from unfold.decorators import display

from conversations.models import Conversation, SlotRequest
from conversations.slots import queueing
from conversations.slots.standing import holders, slots
from echoadmin.accounts.acting import actor
from echoadmin.accounts.roles import may
from echoadmin.pages import button, draw, require_role, tell
from echoadmin.read_only import Facts, ReadOnlyAdmin, address, document
from echoadmin.shown import code, lasting, money, state, when

SHOWN = 100


@admin.register(SlotRequest)
class SlotRequestAdmin(ReadOnlyAdmin):
    """Creates that wait for a slot, and those that did."""

    list_display = ("public_id", "shown_state", "created_by", "shown_asked", "shown_until")
    list_filter = ("state",)
    detail_template = "conversations/slots/request.html"

    @display(description="State", ordering="state")
    def shown_state(self, row: SlotRequest) -> SafeString:
        """waiting, creating, created, failed, cancelled or expired."""
        return state(row.state)

    @display(description="Asked", ordering="id")
    def shown_asked(self, row: SlotRequest) -> SafeString:
        """When."""
        return when(row.created_at)

    @display(description="Waits until", ordering="expires_at")
    def shown_until(self, row: SlotRequest) -> SafeString:
        """At most."""
        return when(row.expires_at)

    def facts(self, request: HttpRequest, row: Any) -> Facts:
        return [
            ("State", state(row.state)),
            ("Asked by", row.created_by),
            ("Asked", when(row.created_at)),
            ("Waits until", when(row.expires_at)),
            ("Ended", when(row.ended_at)),
            ("Its conversation's id", code(row.conversation_ref)),
            ("Joins its room", "yes" if row.join else "no"),
            ("Error", (row.error or {}).get("message", "")),
        ]

    def documents(self, row: Any) -> list[tuple[str, str]]:
        return document("As it was asked for", row.requested)

    def more_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        made = Conversation.objects.filter(public_id=row.conversation_ref).first()
        may_cancel = row.state == "waiting" and may(request.user, "manager")
        return {"may_cancel": may_cancel, "made": made, "made_address": address(made) if made else ""}

    def custom_paths(self) -> list[Any]:
        return [
            ("slots/", "slots", self.slots_view),
            ("<str:object_id>/change/cancel/", "cancel", self.cancel),
        ]

    def slots_view(self, request: HttpRequest) -> HttpResponse:
        """How they stand, who holds them, who waits."""
        require_role(request, "auditor", "see the slots")
        standing = slots()
        context = {
            "title": "Slots",
            "slots": standing,
            "percent": min(100, round(100 * standing.taken / standing.limit)) if standing.limit else 0,
            "learned_at": when(standing.learned_at),
            "holders": [_holder(row) for row in holders()[:SHOWN]],
            "waiting": [
                {"id": row.public_id, "by": row.created_by, "since": when(row.created_at), "address": address(row)}
                for row in SlotRequest.objects.filter(state="waiting").order_by("id")[:SHOWN]
            ],
            "may_end": may(request.user, "manager"),
        }
        return draw(request, "conversations/slots/slots.html", context)

    @button("manager", "cancel a request")
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """It waits no more."""
        row = self.find(request, object_id)
        try:
            queueing.cancel(actor=actor(request), request=row)
            messages.success(request, "It waits no more.")
        except ValueError as error:
            tell(request, error)
        return redirect(address(row))


def _holder(row: Conversation) -> dict[str, Any]:
    return {
        "name": str(row),
        "address": address(row),
        "end": address(row, "end"),
        "state": row.status if row.state == "live" else row.state,
        "active": row.is_active,
        "by": row.created_by or "made elsewhere",
        "time": lasting(row.seconds),
        "cost": money(row.cost, row.currency) if row.is_active else "",
    }
