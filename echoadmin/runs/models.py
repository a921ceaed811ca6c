"""The rows: a run, and the parts of the file that it makes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models.functions import Length

from echoadmin.public_ids import new_public_id

PART_BYTES = 256 * 1024


class RunState(models.TextChoices):
    """Where a run is; `stopping` was asked to end and has not yet."""

    WAITING = "waiting", "waiting"
    RUNNING = "running", "running"
    PAUSED = "paused", "paused"
    STOPPING = "stopping", "stopping"
    DONE = "done", "done"
    FAILED = "failed", "failed"
    STOPPED = "stopped", "stopped"


ENDED = (RunState.DONE, RunState.FAILED, RunState.STOPPED)


class Run(models.Model):
    """One export, replay, script or import: what was asked, how far it is, and what came of it."""

    public_id = models.CharField(max_length=32, unique=True, editable=False)
    kind = models.CharField(max_length=40, db_index=True)
    label = models.CharField(max_length=200, blank=True, default="")
    params = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    state = models.CharField(max_length=16, choices=RunState.choices, default=RunState.WAITING, db_index=True)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(null=True, blank=True)
    cursor = models.JSONField(null=True, blank=True, encoder=DjangoJSONEncoder)  # from where it goes on
    result = models.JSONField(null=True, blank=True, encoder=DjangoJSONEncoder)
    error = models.TextField(blank=True, default="")
    file_name = models.CharField(max_length=200, blank=True, default="")
    content_type = models.CharField(max_length=80, blank=True, default="")
    file_bytes = models.BigIntegerField(default=0)
    conversation_ref = models.CharField(max_length=64, blank=True, default="", db_index=True)
    actor = models.CharField(max_length=200)
    actor_user_id = models.BigIntegerField(null=True, blank=True)
    api_key_ref = models.CharField(max_length=64, blank=True, default="")
    request_id = models.CharField(max_length=128, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    holder = models.CharField(max_length=200, blank=True, default="")
    lease_until = models.DateTimeField(null=True, blank=True)
    epoch = models.IntegerField(default=0)
    wish = models.CharField(max_length=16, blank=True, default="", db_default="")  # of somebody, to the run under way

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.public_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Give the run its id at birth."""
        if not self.public_id:
            self.public_id = new_public_id("rn")
        super().save(*args, **kwargs)

    @property
    def is_ended(self) -> bool:
        """Whether nothing more will happen, unless somebody resumes it."""
        return self.state in ENDED

    @property
    def percent(self) -> int | None:
        """How far it is; None when its length is not known."""
        return min(100, self.done * 100 // self.total) if self.total else None

    def file(self, first: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The result's bytes from number `first` up to `stop`, part by part; one part is in memory at a time."""
        stop = self.file_bytes if stop is None else stop
        at = 0
        for n, size in list(self.parts.order_by("n").values_list("n", Length("data"))):
            if at + size > first and at < stop:
                yield bytes(self.parts.values_list("data", flat=True).get(n=n))[max(0, first - at) : stop - at]
            at += size


class RunPart(models.Model):
    """A piece of a run's result, at most 256 KB."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="parts")
    n = models.IntegerField()
    data = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "n"], name="one_part_a_number")]

    def __str__(self) -> str:
        return f"{self.run_id}/{self.n}"
