"""How much may be spent in a day or a month, and what happens then."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from echoadmin.public_ids import new_public_id


class Scope(models.TextChoices):
    """Whose conversations count."""

    ALL = "all", "all conversations"
    PERSONA = "persona", "those of a persona"
    USER = "user", "those of a user, by page and by key"
    KEY = "key", "those of an API key"


class Period(models.TextChoices):
    """The days and months of UTC; a conversation belongs to the one in which it began."""

    DAY = "day", "day"
    MONTH = "month", "month"


class Budget(models.Model):
    """`warns_at`: percent of the amount. `stops`: whether it refuses further conversations. `ends`: whether those that
    run are ended when it is reached. `warned_for` and `reached_for` are the beginnings of the periods for which that
    was told, once."""

    public_id = models.CharField(max_length=32, unique=True, editable=False)
    name = models.CharField(max_length=100)
    scope = models.CharField(max_length=16, choices=Scope.choices, default=Scope.ALL)
    persona = models.ForeignKey("personas.Persona", null=True, blank=True, on_delete=models.CASCADE)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE)
    key = models.ForeignKey("accounts.ApiKey", null=True, blank=True, on_delete=models.CASCADE)
    period = models.CharField(max_length=8, choices=Period.choices, default=Period.MONTH)
    amount = models.DecimalField(max_digits=14, decimal_places=2)
    currency = models.CharField(max_length=8)
    warns_at = models.IntegerField(default=80)
    stops = models.BooleanField(default=True)
    ends = models.BooleanField(default=False)
    warned_for = models.DateTimeField(null=True, blank=True)
    reached_for = models.DateTimeField(null=True, blank=True)
    created_by = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Give it its id at birth."""
        self.public_id = self.public_id or new_public_id("bu")
        super().save(*args, **kwargs)

    @property
    def whose(self) -> str:
        """In words: what counts."""
        named = {Scope.PERSONA: self.persona, Scope.USER: self.user, Scope.KEY: self.key and self.key.label}
        what = named.get(Scope(self.scope))
        return f"{self.scope} {what}" if what else "all conversations"

    @property
    def counts(self) -> Q:
        """Conversations of its scope."""
        columns = {Scope.PERSONA: ("persona", self.persona_id), Scope.USER: ("created_by_user", self.user_id),
                   Scope.KEY: ("created_by_key", self.key_id)}  # fmt: skip
        column = columns.get(Scope(self.scope))
        return Q(**{column[0]: column[1]}) if column else Q()


def period_of(period: str, moment: datetime) -> tuple[datetime, datetime]:
    """When the day or month of that moment begins, and when the next one does (UTC)."""
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if period == Period.DAY:
        return day, day + timedelta(days=1)
    first = day.replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1)
