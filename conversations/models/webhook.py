"""Webhooks in: what Tavus reported, from the moment that it was stored."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q

from conversations.models.json_text import JsonText
from echoadmin.public_ids import new_public_id


class WebhookState(models.TextChoices):
    """Where a webhook is: received, until a look upstream has confirmed or refuted what it says."""

    RECEIVED = "received", "received"
    PROCESSED = "processed", "processed"
    FAILED = "failed", "failed"
    IGNORED = "ignored", "ignored"


class WebhookReceived(models.Model):
    """One webhook as it came, secrets masked.

    `fingerprint` is the hash of a body that has a time in it; the first with it has it alone, a repeat has none and
    names the first in `duplicate_of`. `next_try_at`: when it may be processed; while it is being, when another may try.
    """

    PREFIX = "wh"

    public_id = models.CharField(max_length=32, unique=True, editable=False)
    received_at = models.DateTimeField()
    event_type = models.CharField(max_length=200)
    conversation = models.ForeignKey(
        "conversations.Conversation", null=True, blank=True, on_delete=models.SET_NULL, related_name="webhooks"
    )
    upstream_id = models.CharField(max_length=128, blank=True, default="")  # of the conversation, as the body has it
    reference = models.CharField(max_length=32, blank=True, default="")  # our id of it, from the address
    body = JsonText()
    fingerprint = models.CharField(max_length=64, null=True, blank=True, unique=True)
    duplicate_of = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="repeats")
    state = models.CharField(max_length=16, choices=WebhookState.choices, default=WebhookState.RECEIVED)
    attempts = models.IntegerField(default=0)
    error = models.TextField(blank=True, default="")
    next_try_at = models.DateTimeField(null=True, blank=True)
    processed_at = models.DateTimeField(null=True, blank=True)  # when it reached its final state
    by_old_secret = models.BooleanField(default=False)  # it came to an address whose secret was replaced
    request_id = models.CharField(max_length=128, blank=True, default="")

    class Meta:
        verbose_name = "webhook received"
        verbose_name_plural = "webhooks received"
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["next_try_at"], name="webhook_due", condition=Q(state="received")),
            models.Index(fields=["state", "-id"], name="webhook_state"),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.public_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Give it its id at birth."""
        self.public_id = self.public_id or new_public_id(self.PREFIX)
        super().save(*args, **kwargs)
