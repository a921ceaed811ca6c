"""The list of rooms."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.decorators import display

from conversations.admin.workers import worker_link
from conversations.models import Room
from echoadmin.read_only import Facts, ReadOnlyAdmin, address, document
from echoadmin.shown import code, link, state, when


@admin.register(Room)
class RoomAdmin(ReadOnlyAdmin):
    """The Daily rooms: what is wanted, and what is."""

    list_display = (
        "shown_conversation",
        "wanted",
        "shown_state",
        "shown_replica",
        "worker",
        "epoch",
        "tries",
        "shown_joined",
        "shown_seen",
    )
    list_display_links = ("shown_conversation",)
    list_filter = ("wanted", "state", "replica_present", "worker")
    search_fields = ("conversation__name", "conversation__public_id", "conversation__upstream_id")
    list_select_related = ("conversation", "worker")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("conversation", "worker")

    @display(description="Conversation")
    def shown_conversation(self, row: Room) -> str:
        """Whose room."""
        return str(row.conversation)

    @display(description="State", ordering="state")
    def shown_state(self, row: Room) -> SafeString:
        """What is."""
        return state(row.state)

    @display(description="Replica", ordering="replica_present", boolean=True)
    def shown_replica(self, row: Room) -> bool:
        """Whether the replica is there."""
        return row.replica_present

    @display(description="Joined", ordering="joined_at")
    def shown_joined(self, row: Room) -> SafeString:
        """Since when."""
        return when(row.joined_at)

    @display(description="Last sign of life", ordering="last_seen_at")
    def shown_seen(self, row: Room) -> SafeString:
        """When the connection last did something."""
        return when(row.last_seen_at)

    def facts(self, request: HttpRequest, row: Room) -> Facts:
        return [
            ("Conversation", link(address(row.conversation), row.conversation)),
            ("Wanted", row.wanted),
            ("Is", state(row.state)),
            ("Replica", "there" if row.replica_present else "not there"),
            ("Worker", worker_link(row.worker)),
            ("Epoch", row.epoch),
            ("Error", row.error),
            ("Tries", row.tries),
            ("Next try", when(row.next_try_at)),
            ("Joined", when(row.joined_at)),
            ("Last sign of life", when(row.last_seen_at)),
            ("Session", code(row.session_id)),
        ]

    def documents(self, row: Room) -> list[tuple[str, str]]:
        return document("Participants", row.participants)
