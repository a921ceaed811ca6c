"""The base of every mirrored model: a row of ours beside an object of upstream's."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from echoadmin.public_ids import new_public_id as new_public_id


class MirrorState(models.TextChoices):
    """The row against upstream: known only here, known there, refused, lost sight of, or no longer there."""

    RESERVED = "reserved", "reserved"
    LIVE = "live", "live"
    REJECTED = "rejected", "rejected"
    UNKNOWN = "unknown", "unknown"
    GONE = "gone", "gone"


class MirrorQuerySet(models.QuerySet[Any]):
    """Finds a row by either of its ids."""

    def by_any_id(self, any_id: str) -> MirrorQuerySet:
        """The row whose own or upstream id is `any_id`."""
        return self.filter(Q(public_id=any_id) | Q(upstream_id=any_id))


class Mirrored(models.Model):
    """A persona, replica or conversation: what upstream said last, what we asked for, and how the two stand."""

    PREFIX: ClassVar[str] = ""

    public_id = models.CharField(max_length=32, unique=True, editable=False)
    upstream_id = models.CharField(max_length=128, unique=True, null=True, blank=True, editable=False)
    name = models.CharField(max_length=300, blank=True, default="")
    state = models.CharField(max_length=16, choices=MirrorState.choices, default=MirrorState.RESERVED)
    payload = models.JSONField(default=dict, blank=True, encoder=DjangoJSONEncoder)
    requested = models.JSONField(default=dict, blank=True, encoder=DjangoJSONEncoder)
    error = models.JSONField(null=True, blank=True)  # {"code", "message", "upstream"} of a rejected or unknown row
    warnings = models.JSONField(default=list, blank=True)  # what was odd in the request, in words
    created_by = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    synced_at = models.DateTimeField(null=True, blank=True)
    upstream_created_at = models.DateTimeField(null=True, blank=True)

    objects = MirrorQuerySet.as_manager()

    class Meta:
        abstract = True
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name or self.upstream_id or self.public_id

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Give the row its own id at birth."""
        if not self.public_id:
            self.public_id = new_public_id(self.PREFIX)
        super().save(*args, **kwargs)
