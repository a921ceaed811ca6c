"""Named filters of the log, rules on them, and what the rules found."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q

from echoadmin.public_ids import new_public_id


class SavedView(models.Model):
    """A filter of the log with a name. Its owner alone changes it; shared, everybody may use it."""

    public_id = models.CharField(max_length=32, unique=True, editable=False)
    name = models.CharField(max_length=100)
    filters = models.JSONField(default=dict)
    owner_id = models.BigIntegerField()
    owner = models.CharField(max_length=200)
    shared = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["owner_id", "name"], name="one_view_a_name")]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Give it its id at birth."""
        self.public_id = self.public_id or new_public_id("vw")
        super().save(*args, **kwargs)


class Rule(models.Model):
    """Raises an alert when entries come that its view shows: any, or `threshold` of them within `window` seconds."""

    public_id = models.CharField(max_length=32, unique=True, editable=False)
    view = models.ForeignKey(SavedView, on_delete=models.CASCADE, related_name="rules")
    name = models.CharField(max_length=100)
    enabled = models.BooleanField(default=True)
    threshold = models.IntegerField(default=1)
    window = models.IntegerField(default=300)  # seconds; also how long a raised alert takes in what comes next
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)
    reached = models.BigIntegerField(
        null=True
    )  # the key of the last entry that was looked at; NULL: begin with new ones
    reached_of = models.CharField(max_length=12, blank=True, default="")  # of which filter, by its fingerprint
    looked_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True, default="")  # why it can't look

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Give it its id at birth."""
        self.public_id = self.public_id or new_public_id("ru")
        super().save(*args, **kwargs)


class Alert(models.Model):
    """Something that a rule found. What comes soon after is counted in the same alert, until it is acknowledged."""

    public_id = models.CharField(max_length=32, unique=True, editable=False)
    rule = models.ForeignKey(Rule, null=True, blank=True, on_delete=models.SET_NULL, related_name="alerts")
    rule_name = models.CharField(max_length=100)
    view_name = models.CharField(max_length=100)
    filters = models.JSONField(default=dict)  # as they were
    conversation_ref = models.CharField(max_length=64, blank=True, default="")
    count = models.BigIntegerField()  # entries
    first_entry = models.BigIntegerField()  # ids
    last_entry = models.BigIntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    event_type = models.CharField(max_length=200)  # of the first
    raised_at = models.DateTimeField(auto_now_add=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["-id"], name="alert_open", condition=Q(acknowledged_at__isnull=True)),
            models.Index(fields=["rule", "-id"], name="alert_rule"),
        ]

    def __str__(self) -> str:
        return f"{self.rule_name} {self.public_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Give it its id at birth."""
        self.public_id = self.public_id or new_public_id("al")
        super().save(*args, **kwargs)
