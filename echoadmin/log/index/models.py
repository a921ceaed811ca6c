"""The tables of what follows the log. All of it can be made again from the entries: `manage.py reindex_log`.

The text index has two tables more, `log_words` and `log_facets`, which no model describes: see echoadmin.log.search.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Progress(models.Model):
    """How far a follower has come: every entry up to `last_id` is in."""

    name = models.CharField(max_length=40, primary_key=True)
    last_id = models.BigIntegerField(default=0)
    # Raised by whoever takes entries out: a follower that had read them before begins its batch again.
    changes = models.BigIntegerField(default=0)

    objects: ClassVar[models.Manager[Progress]]

    class Meta:
        verbose_name_plural = "progress"

    def __str__(self) -> str:
        return f"{self.name} up to {self.last_id}"


class Mark(models.Model):
    """Which ids the entries of a minute have, those stored late apart."""

    minute = models.BigIntegerField(primary_key=True)  # since 1970, UTC
    min_id = models.BigIntegerField()
    max_id = models.BigIntegerField()

    def __str__(self) -> str:
        return f"minute {self.minute}: {self.min_id} to {self.max_id}"


class Roll(models.Model):
    """How many entries with `dim` = `val` happened in one minute or hour."""

    pk = models.CompositePrimaryKey("dim", "val", "res", "bucket")
    dim = models.CharField(max_length=12)  # a filter's name; "all" with the value ""
    val = models.CharField(max_length=200)
    res = models.SmallIntegerField()  # seconds: 60 or 3600
    bucket = models.BigIntegerField()  # seconds since 1970, UTC, divided by res
    n = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.dim} {self.val}: {self.n} in {self.bucket}"
