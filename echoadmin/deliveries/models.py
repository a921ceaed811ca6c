"""Who wants to be told of what, and each thing that was to be told."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q

from echoadmin.public_ids import new_public_id


class Subscription(models.Model):
    """An address of a user's own. Its secret is sealed; it is shown once, when it is made."""

    public_id = models.CharField(max_length=32, unique=True, editable=False)
    url = models.CharField(max_length=2000)
    description = models.CharField(max_length=200, blank=True, default="")
    event_types = models.JSONField(default=list)  # `echo.*` for all that begin so; none: all of them
    conversation_ref = models.CharField(max_length=64, blank=True, default="", db_default="")  # of this one alone
    persona_ref = models.CharField(max_length=64, blank=True, default="", db_default="")  # of its conversations alone
    enabled = models.BooleanField(default=True)
    disabled_reason = models.CharField(max_length=300, blank=True, default="")
    failing_since = models.DateTimeField(null=True, blank=True, editable=False)  # nothing has arrived from then on
    sealed_secret = models.TextField(editable=False)
    sealed_old_secret = models.TextField(blank=True, default="", editable=False)
    old_secret_until = models.DateTimeField(null=True, blank=True, editable=False)
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.url

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Give it its id at birth."""
        self.public_id = self.public_id or new_public_id("sb")
        super().save(*args, **kwargs)


class DeliveryState(models.TextChoices):
    """Where a delivery is."""

    WAITING = "waiting", "waiting"
    DELIVERED = "delivered", "delivered"
    FAILED = "failed", "failed"


class Delivery(models.Model):
    """One thing told to one subscription. `public_id` is its `webhook-id`: the same at each attempt, so that who gets
    it twice can tell. `tries` is [{at, status, seconds, error, answer}]."""

    public_id = models.CharField(max_length=32, unique=True, editable=False)
    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="deliveries")
    event_type = models.CharField(max_length=80)
    ref = models.CharField(max_length=64, blank=True, default="")  # what it is about, by its id
    body = models.TextField()  # as sent
    state = models.CharField(max_length=16, choices=DeliveryState.choices, default=DeliveryState.WAITING)
    attempts = models.IntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True)
    tries = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "deliveries"
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["next_try_at"], name="delivery_due", condition=Q(state="waiting")),
            models.Index(fields=["subscription", "ref", "id"], name="delivery_in_order", condition=Q(state="waiting")),
            models.Index(fields=["subscription", "-id"], name="delivery_subscription"),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.public_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Give it its id at birth."""
        self.public_id = self.public_id or new_public_id("dl")
        super().save(*args, **kwargs)
