"""Saved lines: what is said often, at hand."""

from __future__ import annotations

from typing import Any

from django.db import models

from echoadmin.public_ids import new_public_id


class SavedLine(models.Model):
    """A text, or samples in a clip of the log, with a name. Its owner alone changes it; shared, everybody may say it.

    The clip belongs to no entry: it is kept because the line needs it.
    """

    PREFIX = "ln"

    public_id = models.CharField(max_length=32, unique=True, editable=False)
    name = models.CharField(max_length=100)
    text = models.TextField(blank=True, default="")
    clip_id = models.BigIntegerField(null=True, blank=True, db_index=True)
    sample_rate = models.IntegerField(null=True, blank=True)  # Hz
    seconds = models.FloatField(null=True, blank=True)  # the audio's length
    shared = models.BooleanField(default=False)
    owner_id = models.BigIntegerField(null=True, blank=True)
    owner = models.CharField(max_length=200, blank=True, default="")
    position = models.IntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["position", "id"]
        indexes = [models.Index(fields=["owner_id", "position"], name="line_order")]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Give it its id at birth."""
        self.public_id = self.public_id or new_public_id(self.PREFIX)
        super().save(*args, **kwargs)
