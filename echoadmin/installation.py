"""What this installation is: the mode its database belongs to, its webhook secret, and which consoles are running."""

from __future__ import annotations

from django.db import models


class Installation(models.Model):
    """One row: stamped at the first start. A database belongs to one mode for good."""

    mode = models.CharField(max_length=16)
    webhook_secret = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_installation")]

    def __str__(self) -> str:
        return f"{self.mode} installation"


class Console(models.Model):
    """One running console process; its lease tells the others that it is alive."""

    name = models.CharField(max_length=200, unique=True)
    host = models.CharField(max_length=200)
    pid = models.IntegerField()
    started_at = models.DateTimeField()
    lease_until = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
