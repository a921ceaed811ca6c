"""Legal holds, and who is pruning."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Hold(models.Model):
    """A conversation of which nothing may be pruned or erased. Released holds stay, as history."""

    conversation_ref = models.CharField(max_length=64)  # our public id
    reason = models.TextField()
    actor = models.CharField(max_length=200)
    placed_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True, blank=True)
    released_by = models.CharField(max_length=200, blank=True, default="")
    release_reason = models.TextField(blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["conversation_ref"], name="one_hold_a_conversation", condition=Q(released_at__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return f"hold on {self.conversation_ref}"


class Lease(models.Model):
    """Who does what only one may do at a time, and until when, unless it is renewed."""

    name = models.CharField(max_length=40, unique=True)
    holder = models.CharField(max_length=200)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}: {self.holder}"
