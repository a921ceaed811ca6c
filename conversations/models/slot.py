"""Slots: how many conversations Tavus lets run at once, and who waits for one."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from echoadmin.public_ids import new_public_id


class SlotLimit(models.Model):
    """What Tavus's own refusals taught: with `learned` conversations running, it took no further one. One row."""

    learned = models.IntegerField()
    learned_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.learned} slots"


class RequestState(models.TextChoices):
    """`creating` is committed before Tavus is asked; from there on the conversation's own row says how it went."""

    WAITING = "waiting", "waiting"
    CREATING = "creating", "creating"
    CREATED = "created", "created"
    FAILED = "failed", "failed"
    CANCELLED = "cancelled", "cancelled"
    EXPIRED = "expired", "expired"


class SlotRequest(models.Model):
    """A conversation that is created when a slot gets free, once, in the order of asking.

    `conversation_ref` is the id that its conversation has from birth: two consoles can't create two of them. The body
    is sealed, for it may hold secrets; `requested` is the same, masked. The actor is who asked, as they were then.
    """

    PREFIX: ClassVar[str] = "sl"

    public_id = models.CharField(max_length=32, unique=True, editable=False)
    conversation_ref = models.CharField(max_length=32, unique=True, editable=False)
    state = models.CharField(max_length=16, choices=RequestState.choices, default=RequestState.WAITING)
    sealed_body = models.TextField(editable=False)
    requested = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    join = models.BooleanField(default=False)
    actor = models.JSONField(default=dict)
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    claimed_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    error = models.JSONField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["id"], name="slot_waiting", condition=Q(state__in=["waiting", "creating"]))]

    def __str__(self) -> str:
        return f"{self.public_id} for {self.created_by}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Give it its id at birth."""
        self.public_id = self.public_id or new_public_id(self.PREFIX)
        super().save(*args, **kwargs)
