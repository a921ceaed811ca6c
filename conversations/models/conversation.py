"""A conversation as upstream has it: what costs money, per minute, from its creation on."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.db import models
from django.db.models import Q
from django.utils import timezone

from conversations.models.price import Rates, cost_between, currency_of, seconds_between
from echoadmin.mirror.models import Mirrored
from echoadmin.sealed import seal, unseal


class Conversation(Mirrored):
    """One paid conversation with a replica; `status` is upstream's `active` or `ended`."""

    PREFIX = "cv"

    status = models.CharField(max_length=16, blank=True, default="", db_index=True)
    conversation_url = models.TextField(blank=True, default="")  # without any token
    persona = models.ForeignKey("personas.Persona", null=True, blank=True, on_delete=models.SET_NULL)
    replica = models.ForeignKey("personas.Replica", null=True, blank=True, on_delete=models.SET_NULL)
    upstream_persona_id = models.CharField(max_length=128, blank=True, default="")
    upstream_replica_id = models.CharField(max_length=128, blank=True, default="")
    max_call_duration = models.IntegerField(null=True, blank=True)  # seconds
    participant_left_timeout = models.IntegerField(null=True, blank=True)  # seconds
    audio_only = models.BooleanField(default=False)
    test_mode = models.BooleanField(default=False)
    webhooks_here = models.BooleanField(default=False)  # whether upstream reports to this console
    made_here = models.BooleanField(default=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_at_source = models.CharField(max_length=16, blank=True, default="", db_default="")  # see `services.mirrored`
    ended_reason = models.CharField(max_length=300, blank=True, default="")
    ended_because = models.CharField(max_length=200, blank=True, default="", db_default="")  # why this console ended it
    orphan_since = models.DateTimeField(null=True, blank=True)
    orphan_kind = models.CharField(max_length=16, blank=True, default="", db_default="")  # see `services.orphans`
    created_by_user = models.BigIntegerField(null=True, blank=True)
    created_by_key = models.CharField(max_length=64, blank=True, default="", db_default="")  # the key's prefix
    # What it came to, once it has ended: written by the duty `settle_costs`, NULL until then, and again when the end or
    # a price that holds for it changes. By its day (UTC) costs are found.
    settled_seconds = models.DecimalField(max_digits=16, decimal_places=6, null=True, blank=True)
    settled_cost = models.DecimalField(max_digits=16, decimal_places=6, null=True, blank=True)  # NULL: no price
    settled_currency = models.CharField(max_length=8, blank=True, default="", db_default="")
    settled_day = models.DateField(null=True, blank=True, db_index=True)
    sync_wanted_at = models.DateTimeField(null=True, blank=True)  # a webhook or a lost room asks for a look upstream
    sealed_meeting_token = models.TextField(blank=True, default="", editable=False)

    class Meta(Mirrored.Meta):
        verbose_name = "conversation"
        indexes = [
            models.Index(
                fields=["id"],
                name="conversation_unsettled",
                condition=Q(settled_seconds__isnull=True, test_mode=False, state__in=["live", "gone"]),
            ),
            models.Index(fields=["id"], name="conversation_asked", condition=Q(state__in=["reserved", "unknown"])),
        ]

    @property
    def meeting_token(self) -> str:
        """The private room's join token; "" for an open room or after the end. Never shown, never logged."""
        return unseal(self.sealed_meeting_token)

    @meeting_token.setter
    def meeting_token(self, token: str) -> None:
        self.sealed_meeting_token = seal(token)

    @property
    def is_active(self) -> bool:
        """Whether it runs, and costs."""
        return self.status == "active" and self.state == "live"

    @property
    def started_at(self) -> datetime:
        """When the clock began: upstream's time, or ours until that is known."""
        return self.upstream_created_at or self.created_at

    @property
    def is_billed(self) -> bool:
        """Whether it costs at all: not what upstream never made, and no test."""
        return self.upstream_id is not None and not self.test_mode

    @property
    def billed_until(self) -> datetime:
        """Its end, or now."""
        return self.ended_at or timezone.now()

    @property
    def exact_seconds(self) -> Decimal:
        """Billed seconds so far, by upstream's own times, to the microsecond."""
        if self.settled_seconds is not None:
            return self.settled_seconds
        return seconds_between(self.started_at, self.billed_until) if self.is_billed else Decimal(0)

    @property
    def seconds(self) -> int:
        """The same in whole seconds, for people."""
        return round(self.exact_seconds)

    @property
    def cost(self) -> Decimal | None:
        """What that costs, in `currency`; None when no price was in force."""
        return self.settled_cost if self.settled_seconds is not None else self.reckoned_cost()

    @property
    def currency(self) -> str:
        """That of the price when it began; "" when there was none."""
        return self.settled_currency or currency_of(self.started_at)

    def reckoned_cost(self, rates: Rates | None = None, until: datetime | None = None) -> Decimal | None:
        """What it costs until then (its end, or now), by these prices (as shown)."""
        if not self.is_billed:
            return None if cost_between(self.started_at, self.started_at, rates) is None else Decimal(0)
        return cost_between(self.started_at, until or self.billed_until, rates)
