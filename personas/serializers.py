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
    differs = serializers.ListField(
        child=serializers.CharField(),
        help_text="Fields that the last look found other at Tavus than asked for here, as JSON Pointers; see drift/.",
    )
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


class DifferenceSerializer(serializers.Serializer[Any]):
    """One field that differs."""

    field = serializers.CharField(help_text="A JSON Pointer (RFC 6901); a list counts as one field.")
    here = serializers.JSONField(allow_null=True)
    upstream = serializers.JSONField(allow_null=True, help_text="As Tavus has it now.")
    here_is = serializers.ChoiceField(["asked", "seen"], help_text="What was asked for here, or was last seen there.")
    since = serializers.DateTimeField(help_text="When it was first noticed.")
    agreed_at = serializers.DateTimeField(allow_null=True, help_text="The last look at which they were the same.")
    not_pushed = serializers.CharField(help_text="Why a push leaves it as it is; empty when it does not.")


class PatchSerializer(serializers.Serializer[Any]):
    """What would be done."""

    patch = serializers.ListField(child=serializers.DictField(), help_text="RFC 6902.")
    patch_sha256 = serializers.CharField(help_text="Of the patch and the values that it replaces: what confirms it.")


class UseSerializer(serializers.Serializer[Any]):
    """What still uses it."""

    kind = serializers.CharField(help_text="conversation (one that runs) or persona.")
    id = serializers.CharField()
    name = serializers.CharField()


class DriftSerializer(serializers.Serializer[Any]):
    """The row beside its object at Tavus, at the moment of asking."""

    state = serializers.CharField(help_text="live, or gone: Tavus has none any more.")
    looked_at = serializers.DateTimeField()
    differs = serializers.BooleanField()
    differences = DifferenceSerializer(many=True)
    not_compared = serializers.ListField(child=serializers.CharField(), help_text="Fields that are secret.")
    pull = PatchSerializer(help_text="Makes here what Tavus has.")
    push = PatchSerializer(help_text="Makes Tavus what is here. Personas only.")
    used_by = UseSerializer(many=True)


class PullRequest(serializers.Serializer[Any]):
    """Take over what Tavus has."""

    patch_sha256 = serializers.CharField(
        required=False, max_length=64, help_text="`pull.patch_sha256` of what was shown: 409 when it is another by now."
    )


class PushRequest(serializers.Serializer[Any]):
    """Change the persona at Tavus to what is here."""

    patch_sha256 = serializers.CharField(
        max_length=64, help_text="`push.patch_sha256` of what was shown: 409 when it is another by now."
    )
    force = serializers.BooleanField(default=False, help_text="Although there are unpublished edits in Tavus's editor.")
    discards = serializers.CharField(
        default="", allow_blank=True, max_length=40, help_text="With force: `maker_changes`, which names what is lost."
    )


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
