"""The pages of duties, consoles and the installation, all to read."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.template.defaultfilters import truncatechars
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display

from echoadmin.duties import Duty
from echoadmin.installation import Console, Installation
from echoadmin.read_only import Facts, ReadOnlyAdmin
from echoadmin.runs import admin as _runs  # noqa: F401 - found by Django's look for admin modules through this one
from echoadmin.shown import NOTHING, lasting, state, when


@admin.register(Duty)
class DutyAdmin(ReadOnlyAdmin):
    """What the console does again and again."""

    list_display = (
        "name",
        "shown_state",
        "shown_every",
        "shown_last",
        "shown_took",
        "shown_next",
        "holder",
        "shown_outcome",
    )

    @display(description="State")
    def shown_state(self, row: Duty) -> SafeString:
        """running, failed (its last run), due, or waiting."""
        return state(row.standing)

    @display(description="Every", ordering="every")
    def shown_every(self, row: Duty) -> str:
        """How often."""
        return lasting(row.every.total_seconds())

    @display(description="Last run", ordering="last_run_at")
    def shown_last(self, row: Duty) -> SafeString:
        """When it was last done."""
        return when(row.last_run_at)

    @display(description="Took", ordering="last_seconds")
    def shown_took(self, row: Duty) -> str:
        """How long that took."""
        return lasting(row.last_seconds)

    @display(description="Next run", ordering="next_run_at")
    def shown_next(self, row: Duty) -> SafeString:
        """When it is due."""
        return when(row.next_run_at)

    @display(description="Outcome")
    def shown_outcome(self, row: Duty) -> str:
        """What came of it."""
        return truncatechars(row.last_error or row.last_result, 120)

    def facts(self, request: HttpRequest, row: Any) -> Facts:
        return [
            ("State", self.shown_state(row)),
            ("Every", self.shown_every(row)),
            ("Last run", when(row.last_run_at)),
            ("Took", lasting(row.last_seconds)),
            ("Next run", when(row.next_run_at)),
            ("Held by", row.holder),
            ("Lease until", when(row.lease_until)),
            ("Runs", f"{row.runs:,}, {row.errors:,} of them failed"),
            ("Result", row.last_result),
            ("Error", row.last_error),
        ]


@admin.register(Console)
class ConsoleAdmin(ReadOnlyAdmin):
    """The running console processes."""

    list_display = ("name", "shown_state", "host", "pid", "shown_started", "shown_lease")

    @display(description="State")
    def shown_state(self, row: Console) -> SafeString:
        """Whether it lives, by its lease."""
        return state("alive" if row.lease_until > timezone.now() else "stale")

    @display(description="Started", ordering="started_at")
    def shown_started(self, row: Console) -> SafeString:
        """Since when."""
        return when(row.started_at)

    @display(description="Lease until", ordering="lease_until")
    def shown_lease(self, row: Console) -> SafeString:
        """Until when it counts as alive."""
        return when(row.lease_until)

    def facts(self, request: HttpRequest, row: Any) -> Facts:
        return [
            ("State", self.shown_state(row)),
            ("Host", row.host),
            ("Process", row.pid),
            ("Answers at", row.address or NOTHING),
            ("Started", when(row.started_at)),
            ("Lease until", when(row.lease_until)),
        ]


@admin.register(Installation)
class InstallationAdmin(ReadOnlyAdmin):
    """What this installation is. Its webhook secret is never shown."""

    list_display = ("mode", "shown_created")

    @display(description="Since", ordering="created_at")
    def shown_created(self, row: Installation) -> SafeString:
        """Since when."""
        return when(row.created_at)

    def facts(self, request: HttpRequest, row: Any) -> Facts:
        return [
            ("Mode", row.mode),
            ("Since", when(row.created_at)),
            ("Tavus API", settings.TAVUS_API_URL),
            ("Own address", settings.PUBLIC_URL or "not set: webhooks can't come here"),
            ("Rooms are held", "in the console's process" if settings.ROOMS == "inline" else "by workers"),
            ("Longest conversation", lasting(settings.MAX_CALL_DURATION)),
            ("Slots", settings.CONVERSATION_SLOTS or "not set"),
        ]
