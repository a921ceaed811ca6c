"""The workers: who lives, what they hold, and the buttons that drain one and let it take rooms again."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.decorators import display

from conversations.models import Worker
from conversations.refusals import Refusal
from conversations.services import workers
from echoadmin.accounts.acting import actor
from echoadmin.accounts.roles import may
from echoadmin.pages import button, tell
from echoadmin.read_only import Facts, ReadOnlyAdmin, address
from echoadmin.shown import NOTHING, lasting, link, state, when

SHOWN = 100  # rooms on a worker's page; the rest are under Rooms


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    """The processes that hold rooms."""

    list_display = ("name", "shown_life", "shown_load", "version", "host", "pid", "shown_lease", "shown_started")
    list_filter = ("draining", "version")
    search_fields = ("name", "host")
    ordering = ("-lease_until",)  # the living first
    change_list_template = "conversations/workers.html"
    detail_template = "conversations/worker.html"

    def get_queryset(self, request: HttpRequest) -> Any:
        return workers.counted(super().get_queryset(request))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list, and a word where several versions run side by side, as in the middle of an update."""
        living = {one.version for one in Worker.objects.filter(stopped_at=None) if one.life != "stale"}
        own = {"versions": sorted(living) if len(living) > 1 else []}
        return super().changelist_view(request, own | (extra_context or {}))

    @display(description="State")
    def shown_life(self, row: Worker) -> SafeString:
        """Whether it lives, by its lease."""
        return state(row.life)

    @display(description="Rooms", ordering="held")
    def shown_load(self, row: Any) -> str:
        """Rooms held, of how many it may hold."""
        return f"{row.held} of {row.capacity}"

    @display(description="Since", ordering="started_at")
    def shown_started(self, row: Worker) -> SafeString:
        """When it started."""
        return when(row.started_at)

    @display(description="Lease left", ordering="lease_until")
    def shown_lease(self, row: Worker) -> SafeString | str:
        """For how long its rooms are its own, unless it says that it lives."""
        if row.stopped_at:
            return NOTHING
        return lasting(round(row.lease_left)) if row.lease_left > 0 else f"over for {lasting(round(-row.lease_left))}"

    def facts(self, request: HttpRequest, row: Any) -> Facts:
        return [
            ("State", self.shown_life(row)),
            ("Rooms", self.shown_load(row)),
            ("Version", row.version),
            ("Host", row.host),
            ("Process", row.pid),
            ("Since", when(row.started_at)),
            ("Lease left", self.shown_lease(row)),
            ("Lease until", when(row.lease_until)),
            ("Stopped", when(row.stopped_at)),
        ]

    def more_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """Its rooms, and which button there is."""
        rooms = list(workers.rooms_of(row)[:SHOWN])
        others = [one for one in Worker.objects.filter(stopped_at=None).exclude(pk=row.pk) if one.life == "alive"]
        return {
            "rooms": [{"room": room, "address": address(room.conversation)} for room in rooms],
            "all_rooms": f"{reverse('admin:conversations_room_changelist')}?worker__id__exact={row.pk}",
            "more_rooms": row.held > len(rooms),
            "may_drain": may(request.user, "manager") and row.life in ("alive", "draining"),
            "alone": not others,
        }

    def custom_paths(self) -> list[Any]:
        one = "<str:object_id>/change/"
        return [(one + "drain/", "drain", self.drain), (one + "resume/", "resume", self.resume)]

    @button("manager", "drain a worker")
    def drain(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Its rooms go to other workers."""
        done = "It gives its rooms away, each after the echo in hand, and takes no more."
        return self._do(request, object_id, workers.drain, done)

    @button("manager", "let a worker take rooms again")
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """It takes rooms again."""
        return self._do(request, object_id, workers.take_again, "It takes rooms again.")

    def _do(self, request: HttpRequest, object_id: str, service: Any, done: str) -> HttpResponseBase:
        row = self.find(request, object_id)
        try:
            service(actor=actor(request), worker=row)
            messages.success(request, done)
        except Refusal as refusal:
            tell(request, refusal)
        return redirect(address(row))


def worker_link(row: Worker | None) -> Any:
    """A worker's name, leading to its page."""
    return link(address(row), row) if row else NOTHING
