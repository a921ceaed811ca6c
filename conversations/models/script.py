"""Scripts: lines in their order, to be said one after the other."""

from __future__ import annotations

from typing import Any

from django.db import models

from conversations.models.json_text import JsonText
from echoadmin.public_ids import new_public_id


class Script(models.Model):
    """Lines and the variables in them. `revision` is raised by each change: who changes it names the one they saw."""

    PREFIX = "sc"

    public_id = models.CharField(max_length=32, unique=True, editable=False)
    name = models.CharField(max_length=200)
    lines = JsonText(default=list, blank=True)
    variables = JsonText(default=dict, blank=True)
    revision = models.IntegerField(default=0)
    created_by = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Give it its id at birth."""
        self.public_id = self.public_id or new_public_id(self.PREFIX)
        super().save(*args, **kwargs)
