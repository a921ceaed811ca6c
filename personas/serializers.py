"""Personas and replicas as the API shows them: Tavus's field names, beside what this console knows of them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from personas.models import Persona


class MirroredSerializer(serializers.Serializer[Any]):
    """What all mirrored objects show: our id, how the row stands against upstream, and upstream's last answer."""

    id = serializers.CharField(source="public_id", help_text="Ours; every address also takes Tavus's.")
    state = serializers.CharField(help_text="reserved, live, rejected, unknown or gone; more may come.")
    error = serializers.JSONField(allow_null=True, help_text="Why it is rejected or unknown, in Tavus's words.")
    warnings = serializers.ListField(child=serializers.CharField(), help_text="What was odd in the request.")
    created_by = serializers.CharField()
    created_at = serializers.SerializerMethodField()
    updated_at = serializers.DateTimeField(read_only=True)
    synced_at = serializers.DateTimeField(read_only=True, allow_null=True)
    payload = serializers.JSONField(help_text="What Tavus said last, secrets masked.")

    def get_created_at(self, row: Any) -> str:
        """Upstream's time, ours until that is known (ISO 8601, UTC)."""
        made = row.upstream_created_at or row.created_at
        return str(serializers.DateTimeField().to_representation(made))


class PersonaSerializer(MirroredSerializer):
    """A persona."""

    persona_id = serializers.CharField(source="upstream_id", allow_null=True, help_text="Tavus's.")
    persona_name = serializers.CharField(source="name")
    pipeline_mode = serializers.CharField()
    persona_type = serializers.CharField(help_text="user, or system for Tavus's stock.")
    default_replica_id = serializers.CharField()
    system_prompt = serializers.SerializerMethodField()
    layers = serializers.SerializerMethodField()

    def get_system_prompt(self, row: Persona) -> str | None:
        """As upstream has it, else as it was asked for."""
        return told(row, "system_prompt")

    def get_layers(self, row: Persona) -> dict[str, Any]:
        """As upstream has them, else as they were asked for."""
        return told(row, "layers") or {}


class ReplicaSerializer(MirroredSerializer):
    """A replica."""

    replica_id = serializers.CharField(source="upstream_id", allow_null=True, help_text="Tavus's.")
    replica_name = serializers.CharField(source="name")
    status = serializers.CharField(help_text="completed, started or error; more may come.")
    replica_type = serializers.CharField()
    model_name = serializers.CharField()
    training_progress = serializers.CharField()
    ready = serializers.BooleanField(source="is_ready", help_text="Whether a conversation can be had with it.")


class PersonaRequest(serializers.Serializer[Any]):
    """For the OpenAPI document: a body is forwarded as given, in either vocabulary, also with fields not named here."""

    persona_name = serializers.CharField(required=False)
    pipeline_mode = serializers.ChoiceField(["echo", "full"], required=False, help_text="Tavus's default is full.")
    system_prompt = serializers.CharField(required=False)
    default_replica_id = serializers.CharField(required=False, help_text="Tavus's id, or ours (re_…).")
    layers = serializers.DictField(required=False)


class OperationSerializer(serializers.Serializer[Any]):
    """For the OpenAPI document: one operation of a JSON Patch (RFC 6902)."""

    op = serializers.ChoiceField(["add", "remove", "replace", "move", "copy", "test"])
    path = serializers.CharField(help_text="A JSON Pointer, such as /persona_name.")
    value = serializers.JSONField(required=False)


class SyncSerializer(serializers.Serializer[Any]):
    """What a sync found."""

    seen = serializers.IntegerField()
    new = serializers.IntegerField()
    changed = serializers.IntegerField()
    gone = serializers.IntegerField()
    complete = serializers.BooleanField(help_text="Whether upstream's list was read to its end.")
    problems = serializers.ListField(child=serializers.CharField())


def told(row: Any, name: str) -> Any:
    """A field of upstream's last answer, or of the request where the answer lacks it."""
    return row.payload[name] if name in row.payload else row.requested.get(name)
