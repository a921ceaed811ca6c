"""Personas and replicas as upstream has them (PAL and Face in its newer vocabulary)."""

from __future__ import annotations

from typing import Any

from django.db import models

from echoadmin.mirror.models import Mirrored

READY = ("completed", "ready", "active")


class Persona(Mirrored):
    """How a replica behaves; in the pipeline mode `echo` it says what it is sent and nothing else."""

    PREFIX = "pe"

    pipeline_mode = models.CharField(max_length=40, blank=True, default="", db_index=True)
    persona_type = models.CharField(max_length=16, blank=True, default="user")  # user | system (stock)
    default_replica_id = models.CharField(max_length=128, blank=True, default="")
    asked = models.JSONField(null=True, blank=True)  # `requested` with the edits made here since; null before the first
    drift = models.JSONField(null=True, blank=True)  # what was noticed to differ: pointer → {"since", "agreed_at"}

    class Meta(Mirrored.Meta):
        verbose_name = "persona"

    @property
    def differs(self) -> list[str]:
        """The fields that were noticed to differ from what was asked for here, as JSON Pointers."""
        return sorted(self.drift or {})

    @property
    def is_echo(self) -> bool:
        """Whether it says what it is sent."""
        return self.pipeline_mode == "echo"

    @property
    def microphone(self) -> str:
        """`enabled` or `disabled` as its transport layer says, "" when it does not."""
        layers: dict[str, Any] = self.payload.get("layers") or self.requested.get("layers") or {}
        value = ((layers.get("transport") or {}).get("input_settings") or {}).get("microphone", "")
        if isinstance(value, dict):  # the older form
            return "enabled" if value.get("isEnabled") else "disabled"
        return str(value)


class Replica(Mirrored):
    """A likeness that upstream renders; trained there, picked here."""

    PREFIX = "re"

    status = models.CharField(max_length=40, blank=True, default="", db_index=True)
    replica_type = models.CharField(max_length=16, blank=True, default="")
    model_name = models.CharField(max_length=80, blank=True, default="")
    training_progress = models.CharField(max_length=40, blank=True, default="")
    thumbnail_url = models.TextField(blank=True, default="")  # may expire: shown through the console, never stored

    class Meta(Mirrored.Meta):
        verbose_name = "replica"

    @property
    def is_ready(self) -> bool:
        """Whether a conversation can be had with it (upstream's words for it differ by page)."""
        return self.status in READY
