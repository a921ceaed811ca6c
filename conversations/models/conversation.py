"""A conversation as upstream has it: what costs money, per minute, from its creation on."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import models
from django.utils import timezone

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
    ended_reason = models.CharField(max_length=300, blank=True, default="")
    orphan_since = models.DateTimeField(null=True, blank=True)  # active upstream and nobody of ours wants it
    sync_wanted_at = models.DateTimeField(null=True, blank=True)  # a webhook or a lost room asks for a look upstream
    sealed_meeting_token = models.TextField(blank=True, default="", editable=False)

    class Meta(Mirrored.Meta):
        verbose_name = "conversation"

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
    def seconds(self) -> int:
        """Billed seconds so far: from creation to the end or now; 0 for what upstream never made."""
        if self.test_mode or self.upstream_id is None:
            return 0
        return max(0, round(((self.ended_at or timezone.now()) - self.started_at).total_seconds()))

    @property
    def cost(self) -> Decimal | None:
        """Seconds at PRICE_PER_MINUTE, in CURRENCY; None when no price is set."""
        if settings.PRICE_PER_MINUTE is None:
            return None
        return (Decimal(self.seconds) * Decimal(str(settings.PRICE_PER_MINUTE)) / 60).quantize(Decimal("0.01"))
