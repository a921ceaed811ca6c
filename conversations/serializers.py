"""Conversations, echoes, interactions and workers as the API and the WebSocket show them."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from conversations.models import Conversation, Echo, Interaction, Room, Worker
from conversations.services.workers import rooms_of
from echoadmin.api.shaping import Reference
from personas.serializers import MirroredSerializer, PersonaSerializer, ReplicaSerializer, told


class ParticipantSerializer(serializers.Serializer[Any]):
    """Somebody in the room."""

    id = serializers.CharField()
    name = serializers.CharField()
    joined_at = serializers.DateTimeField()
    is_replica = serializers.BooleanField()
    is_us = serializers.BooleanField()


class RoomSerializer(serializers.Serializer[Any]):
    """The conversation's Daily room: what is wanted of it, and what is."""

    wanted = serializers.CharField(help_text="idle or joined.")
    state = serializers.CharField(help_text="idle, joining, joined, leaving, lost or failed; more may come.")
    worker = serializers.CharField(source="worker.name", allow_null=True, default=None)
    participants = ParticipantSerializer(many=True)
    replica_present = serializers.BooleanField()
    error = serializers.CharField()


class ConversationSerializer(MirroredSerializer):
    """A conversation."""

    conversation_id = serializers.CharField(source="upstream_id", allow_null=True, help_text="Tavus's.")
    conversation_name = serializers.CharField(source="name")
    conversation_url = serializers.CharField()
    status = serializers.CharField(help_text="Tavus's: active or ended.")
    persona_id = serializers.CharField(source="upstream_persona_id")
    replica_id = serializers.CharField(source="upstream_replica_id")
    persona = Reference(to=PersonaSerializer, row="persona", allow_null=True, help_text="Our id.")
    replica = Reference(to=ReplicaSerializer, row="replica", allow_null=True, help_text="Our id.")
    conversational_context = serializers.SerializerMethodField()
    properties = serializers.SerializerMethodField()
    max_call_duration = serializers.IntegerField(allow_null=True, help_text="Seconds.")
    participant_left_timeout = serializers.IntegerField(allow_null=True, help_text="Seconds.")
    audio_only = serializers.BooleanField()
    test_mode = serializers.BooleanField()
    webhooks_here = serializers.BooleanField(help_text="Whether Tavus reports to this console about it.")
    ended_at = serializers.DateTimeField(allow_null=True)
    ended_reason = serializers.CharField()
    ended_at_source = serializers.CharField(
        help_text="Where `ended_at` is from: updated_at or event (as Tavus told), or console (this console's clock)."
    )
    seconds = serializers.IntegerField(help_text="From its creation to its end, or now: what is billed.")
    exact_seconds = serializers.FloatField(help_text="The same to the microsecond, by Tavus's own times.")
    cost = serializers.DecimalField(max_digits=16, decimal_places=6, allow_null=True, coerce_to_string=False)
    currency = serializers.CharField(help_text="Of `cost`; empty where no price was in force.")
    room = serializers.SerializerMethodField()

    def get_conversational_context(self, row: Conversation) -> str | None:
        """As it was asked for."""
        return told(row, "conversational_context")

    def get_properties(self, row: Conversation) -> dict[str, Any]:
        """As upstream has them, else as they were asked for."""
        return told(row, "properties") or {}

    def get_room(self, row: Conversation) -> dict[str, Any]:
        """Always there: idle until somebody wants it."""
        return dict(RoomSerializer(getattr(row, "room", None) or Room()).data)


class TimesSerializer(serializers.Serializer[Any]):
    """When an echo took each step; null where it did not, or nobody saw it."""

    queued = serializers.DateTimeField(allow_null=True)
    sending = serializers.DateTimeField(allow_null=True)
    sent = serializers.DateTimeField(allow_null=True)
    speaking = serializers.DateTimeField(allow_null=True)
    spoken = serializers.DateTimeField(allow_null=True)
    ended = serializers.DateTimeField(allow_null=True)


class EchoSerializer(serializers.Serializer[Any]):
    """An echo: one utterance."""

    id = serializers.IntegerField()
    inference_id = serializers.CharField()
    conversation = Reference(to=ConversationSerializer, row="conversation", help_text="Our id.")
    conversation_id = serializers.CharField(source="conversation.upstream_id", allow_null=True, help_text="Tavus's.")
    modality = serializers.CharField()
    text = serializers.CharField()
    sample_rate = serializers.IntegerField(allow_null=True, help_text="Hz.")
    seconds = serializers.FloatField(help_text="The audio's length; of a text, as estimated.")
    pacing = serializers.CharField()
    position = serializers.IntegerField(help_text="Its place in the conversation's order.")
    source = serializers.CharField()  # type: ignore[assignment]
    actor = serializers.CharField()
    state = serializers.CharField(
        help_text="held, queued, sending, sent, speaking, spoken, interrupted, failed, unconfirmed, cancelled or "
        "rejected; more may come."
    )
    reason = serializers.CharField()
    detail = serializers.CharField()
    times = TimesSerializer()
    chunks = serializers.IntegerField(help_text="App messages written to the log.")
    chunks_sent = serializers.IntegerField(help_text="App messages that Daily's SDK took.")
    wire_id = serializers.CharField(help_text="The inference_id as sent; parts of a long text add .1, .2, …")
    heard_id = serializers.CharField(help_text="The inference_id as the replica gave it back.")
    closed_at = serializers.DateTimeField(allow_null=True, help_text="No more audio comes after this.")
    again_of = serializers.CharField(source="again_of.inference_id", allow_null=True, default=None)
    replay_of = serializers.IntegerField(allow_null=True)
    revision = serializers.IntegerField(help_text="Raised by each edit, and each time it gets another place.")
    edited_by = serializers.CharField(help_text="Who changed its words last.")
    decided_by = serializers.CharField(help_text="Who approved or rejected it, where it was held.")
    decided_at = serializers.DateTimeField(allow_null=True)


class EchoRequest(serializers.Serializer[Any]):
    """For the OpenAPI document: exactly one of text, audio, file."""

    text = serializers.CharField(required=False, max_length=20_000)
    audio = serializers.CharField(required=False, help_text="Base64 of PCM16 little-endian mono.")
    sample_rate = serializers.IntegerField(required=False, help_text="Hz, 8,000 to 48,000; 24,000 by default.")
    file = serializers.FileField(required=False, help_text="WAV, FLAC, OGG, Opus, MP3 or AIFF, as multipart.")
    inference_id = serializers.CharField(required=False, max_length=128)
    pacing = serializers.ChoiceField(["lead", "realtime", "burst"], required=False)


class ConversationRequest(serializers.Serializer[Any]):
    """For the OpenAPI document: a body is forwarded as given, in either vocabulary, also with fields not named here."""

    persona_id = serializers.CharField(required=False, help_text="Tavus's id, or ours (pe_…).")
    replica_id = serializers.CharField(required=False, help_text="Tavus's id, or ours (re_…).")
    conversation_name = serializers.CharField(required=False)
    conversational_context = serializers.CharField(required=False)
    properties = serializers.DictField(required=False)
    join = serializers.BooleanField(required=False, help_text="Join its room at once.")


class CheckSerializer(serializers.Serializer[Any]):
    """One thing that was looked at."""

    name = serializers.CharField(help_text="key, persona, transport, replica, slot, worker, price, …; more may come.")
    ok = serializers.BooleanField()
    words = serializers.CharField()
    way_out = serializers.CharField()
    address = serializers.CharField(help_text="A page of this console where it can be put right, or empty.")
    blocks = serializers.BooleanField(help_text="Whether it would fail as it is.")


class PreflightSerializer(serializers.Serializer[Any]):
    """What would fail, and what is to be known, before a conversation is made."""

    dry_run = serializers.BooleanField()
    ready = serializers.BooleanField(help_text="Whether nothing blocks.")
    checks = CheckSerializer(many=True)


class InteractionSerializer(serializers.Serializer[Any]):
    """A message to the replica that is no echo."""

    id = serializers.IntegerField()
    event_type = serializers.CharField()
    message = serializers.JSONField()
    state = serializers.CharField(help_text="queued, sending, sent, failed, unconfirmed or cancelled; more may come.")
    reason = serializers.CharField()
    detail = serializers.CharField()
    result = serializers.JSONField(allow_null=True)
    actor = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    queued_at = serializers.DateTimeField()
    sent_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class InteractionRequest(serializers.Serializer[Any]):
    """For the OpenAPI document: an app message; what is missing of message_type and conversation_id is filled in."""

    event_type = serializers.CharField(help_text="conversation.respond, conversation.sensitivity, …")
    properties = serializers.DictField(required=False)


class InterruptedSerializer(serializers.Serializer[Any]):
    """What an interrupt did."""

    cancelled = serializers.ListField(child=serializers.CharField(), help_text="The inference_ids that were waiting.")
    interrupted = serializers.CharField(allow_null=True, help_text="The inference_id that was being said.")
    confirmed = serializers.BooleanField(help_text="Whether the replica said that it stopped.")


class WorkerSerializer(serializers.Serializer[Any]):
    """A process that holds rooms."""

    name = serializers.CharField()
    host = serializers.CharField()
    pid = serializers.IntegerField()
    version = serializers.CharField()
    state = serializers.CharField(source="life", help_text="alive, draining, stale (its lease ran out) or stopped.")
    capacity = serializers.IntegerField(help_text="Rooms.")
    rooms = serializers.IntegerField(source="held", help_text="Rooms that it holds now.")
    drain_wanted = serializers.BooleanField(help_text="Somebody wants it to give its rooms away.")
    draining = serializers.BooleanField(help_text="It takes no further room.")
    alive = serializers.SerializerMethodField()
    lease_left = serializers.FloatField(help_text="Seconds; negative once its rooms are anybody's.")
    started_at = serializers.DateTimeField()
    lease_until = serializers.DateTimeField()
    stopped_at = serializers.DateTimeField(allow_null=True)

    def get_alive(self, row: Worker) -> bool:
        """Whether its lease lasts."""
        return row.stopped_at is None and row.lease_until > timezone.now()


class HeldRoomSerializer(serializers.Serializer[Any]):
    """A room that a worker holds."""

    conversation = serializers.CharField(source="conversation.public_id", help_text="Our id.")
    conversation_id = serializers.CharField(source="conversation.upstream_id", allow_null=True, help_text="Tavus's.")
    name = serializers.CharField(source="conversation.name")
    wanted = serializers.CharField()
    state = serializers.CharField()
    replica_present = serializers.BooleanField()
    joined_at = serializers.DateTimeField(allow_null=True)
    last_seen_at = serializers.DateTimeField(allow_null=True)
    error = serializers.CharField()


class OneWorkerSerializer(WorkerSerializer):
    """A worker with the rooms that it holds, at most 1,000 of them."""

    holds = serializers.SerializerMethodField()

    @extend_schema_field(HeldRoomSerializer(many=True))
    def get_holds(self, row: Worker) -> Any:
        """Its rooms."""
        return HeldRoomSerializer(rooms_of(row)[:1000], many=True).data


_ECHO = EchoSerializer()  # one for all: to make one takes longer than to use it


def echo_dict(echo: Echo) -> dict[str, Any]:
    """An echo as JSON; its conversation should be loaded with it."""
    return dict(_ECHO.to_representation(echo))


def interaction_dict(interaction: Interaction) -> dict[str, Any]:
    """An interaction as JSON."""
    return dict(InteractionSerializer(interaction).data)
