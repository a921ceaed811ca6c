"""Gaps: where the record of a conversation is known to be incomplete. Derived from its entries."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class GapKind(models.TextChoices):
    """What is missing, or stands where it does for another reason than that it happened there."""

    MISSING_SEQ = "missing_seq", "Messages missing"
    NOT_IN_ROOM = "not_in_room", "Console not in the room"
    LATE = "late", "Stored late"
    NOT_SENT = "not_sent", "Logged, not sent"
    UNCERTAIN = "uncertain", "Logged, perhaps not sent"
    DROPPED = "dropped", "Lost before it could be logged"
    SPOOLED = "spooled", "Spooled while the database was away"


class Gap(models.Model):
    """One gap. `expected`: nobody wanted it otherwise (before the first join, after a leave)."""

    conversation = models.ForeignKey("conversations.Conversation", on_delete=models.CASCADE, related_name="gaps")
    kind = models.CharField(max_length=16, choices=GapKind.choices)
    n = models.BigIntegerField()  # of the entry where it shows: the one that tells of it, or the first after it
    first_n = models.BigIntegerField(null=True, blank=True)  # of the entries concerned; of `not_in_room` what began it
    last_n = models.BigIntegerField(null=True, blank=True)
    from_at = models.DateTimeField()
    to_at = models.DateTimeField(null=True, blank=True)  # NULL: it lasts
    count = models.BigIntegerField(null=True, blank=True)  # of messages or entries
    first_seq = models.BigIntegerField(null=True, blank=True)
    last_seq = models.BigIntegerField(null=True, blank=True)
    sender = models.CharField(max_length=200, blank=True, default="")
    reason = models.CharField(max_length=64, blank=True, default="")
    expected = models.BooleanField(default=False)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["conversation", "n"], name="gap_place"),
            models.Index(fields=["kind", "-id"], name="gap_kind"),
            models.Index(fields=["-id"], name="gap_unexpected", condition=Q(expected=False)),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.conversation_id} at {self.n}"

    @property
    def seconds(self) -> float | None:
        """How long it was; None while it lasts."""
        return (self.to_at - self.from_at).total_seconds() if self.to_at else None


class GapScan(models.Model):
    """How far a conversation's entries were looked through, and what has to be remembered from there on."""

    conversation = models.OneToOneField("conversations.Conversation", on_delete=models.CASCADE, related_name="gap_scan")
    reached_n = models.BigIntegerField(default=0)
    state = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"{self.conversation_id} up to {self.reached_n}"
