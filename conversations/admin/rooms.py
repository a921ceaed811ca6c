"""The lists of rooms and of the workers that hold them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display

from conversations.models import Room, Worker
from echoadmin.read_only import Facts, ReadOnlyAdmin, address, document
from echoadmin.shown import NOTHING, code, link, state, when


def life_of(worker: Worker) -> str:
    """alive, draining, stopped, or stale: it did not say goodbye, and its lease has run out."""
    if worker.stopped_at:
        return "stopped"
    if worker.lease_until < timezone.now():
        return "stale"
    return "draining" if worker.draining else "alive"


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    """The processes that hold rooms."""

    list_display = ("name", "shown_life", "shown_load", "host", "pid", "version", "shown_started", "shown_lease")
    list_filter = ("draining",)
    search_fields = ("name", "host")

    def get_queryset(self, request: HttpRequest) -> Any:
        held = Count("rooms", filter=Q(rooms__state__in=("joining", "joined", "leaving", "lost")))
        return super().get_queryset(request).annotate(held=held)

    @display(description="State")
    def shown_life(self, row: Worker) -> SafeString:
        """Whether it lives, by its lease."""
        return state(life_of(row))

    @display(description="Rooms")
    def shown_load(self, row: Any) -> str:
        """Rooms held, of how many it may hold."""
        return f"{row.held} of {row.capacity}"

    @display(description="Started", ordering="started_at")
    def shown_started(self, row: Worker) -> SafeString:
        """Since when."""
        return when(row.started_at)

    @display(description="Lease until", ordering="lease_until")
    def shown_lease(self, row: Worker) -> SafeString:
        """Until when its rooms are its own."""
        return when(row.lease_until)

    def facts(self, request: HttpRequest, row: Any) -> Facts:
        return [
            ("State", self.shown_life(row)),
            ("Rooms", self.shown_load(row)),
            ("Host", row.host),
            ("Process", row.pid),
            ("Version", row.version),
            ("Started", when(row.started_at)),
            ("Lease until", when(row.lease_until)),
            ("Stopped", when(row.stopped_at)),
        ]


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
            ("Worker", link(address(row.worker), row.worker) if row.worker else NOTHING),
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
