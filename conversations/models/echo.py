"""Echoes and the other interactions: the outbox, one row per thing to send."""

from __future__ import annotations

from typing import Any

from django.db import models

from conversations.models.json_text import JsonText


class EchoState(models.TextChoices):
    """The furthest that an echo got: held, then queued → sending → sent → speaking → spoken, and the other ends."""

    HELD = "held", "held"
    QUEUED = "queued", "queued"
    SENDING = "sending", "sending"
    SENT = "sent", "sent"
    SPEAKING = "speaking", "speaking"
    SPOKEN = "spoken", "spoken"
    INTERRUPTED = "interrupted", "interrupted"
    FAILED = "failed", "failed"
    UNCONFIRMED = "unconfirmed", "unconfirmed"
    CANCELLED = "cancelled", "cancelled"
    REJECTED = "rejected", "rejected"


FINAL_STATES = (
    EchoState.SPOKEN,
    EchoState.INTERRUPTED,
    EchoState.FAILED,
    EchoState.UNCONFIRMED,
    EchoState.CANCELLED,
    EchoState.REJECTED,
)
UNDER_WAY = (EchoState.SENDING, EchoState.SENT, EchoState.SPEAKING)


class Echo(models.Model):
    """One utterance that the replica is to say: text, or PCM16 mono audio in a clip of the log.

    Said at most once: `sending` is committed before the first byte leaves, and what a dead worker left there becomes
    `unconfirmed`; only a person or the client says it again, as a new echo.
    """

    conversation = models.ForeignKey("conversations.Conversation", on_delete=models.CASCADE, related_name="echoes")
    inference_id = models.CharField(max_length=128)
    wire_id = models.CharField(max_length=140)  # as sent; parts of a text add .1, .2, …
    heard_id = models.CharField(max_length=140, blank=True, default="")  # as the replica gives it back
    modality = models.CharField(max_length=8, choices=[("text", "text"), ("audio", "audio")])
    text = models.TextField(blank=True, default="")
    clip_id = models.BigIntegerField(null=True, blank=True)
    sample_rate = models.IntegerField(null=True, blank=True)  # Hz
    seconds = models.FloatField(default=0)  # the audio's length; of text, as estimated
    pacing = models.CharField(max_length=10, default="lead")  # lead | realtime | burst
    position = models.BigIntegerField()
    source = models.CharField(max_length=16, default="rest")
    actor = models.CharField(max_length=200)
    api_key_ref = models.CharField(max_length=64, blank=True, default="")
    request_id = models.CharField(max_length=128, blank=True, default="")
    state = models.CharField(max_length=16, choices=EchoState.choices, default=EchoState.QUEUED)
    reason = models.CharField(max_length=64, blank=True, default="")
    detail = models.TextField(blank=True, default="")  # Daily's or our own words for the reason
    queued_at = models.DateTimeField()
    sending_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    speaking_at = models.DateTimeField(null=True, blank=True)
    spoken_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)  # when it reached its final state
    chunks = models.IntegerField(default=0)  # written to the log
    chunks_sent = models.IntegerField(default=0)  # taken by the SDK without error
    epoch = models.IntegerField(null=True, blank=True)
    body_sha256 = models.CharField(max_length=64, blank=True, default="")  # tells an equal repeat from another body
    closed_at = models.DateTimeField(null=True, blank=True)  # no more audio comes
    last_piece_at = models.DateTimeField(null=True, blank=True)
    again_of = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="said_again")
    replay_of = models.BigIntegerField(null=True, blank=True)
    revision = models.IntegerField(default=0, db_default=0)  # raised by each edit; a claim names the one that it read
    edited_by = models.CharField(max_length=200, blank=True, default="", db_default="")
    decided_by = models.CharField(max_length=200, blank=True, default="", db_default="")  # who let it be said, or not
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "echoes"
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["conversation", "inference_id"], name="one_echo_an_id")]
        indexes = [
            models.Index(fields=["conversation", "state", "position"], name="echo_queue"),
            models.Index(fields=["conversation", "-position"], name="echo_history"),
            models.Index(fields=["state", "-id"], name="echo_state"),
        ]

    def __str__(self) -> str:
        return self.inference_id

    @property
    def times(self) -> dict[str, Any]:
        """Each step's time (UTC), None where it was not reached or not seen."""
        return {
            name: getattr(self, f"{name}_at") for name in ("queued", "sending", "sent", "speaking", "spoken", "ended")
        }

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in FINAL_STATES


class InteractionState(models.TextChoices):
    """The furthest that an interaction got; nothing comes back for one, so `sent` is its good end."""

    QUEUED = "queued", "queued"
    SENDING = "sending", "sending"
    SENT = "sent", "sent"
    FAILED = "failed", "failed"
    UNCONFIRMED = "unconfirmed", "unconfirmed"
    CANCELLED = "cancelled", "cancelled"


class Interaction(models.Model):
    """Every message to send that is no echo: interrupt, respond, context, sensitivity, tool result, raw."""

    conversation = models.ForeignKey(
        "conversations.Conversation", on_delete=models.CASCADE, related_name="interactions"
    )
    event_type = models.CharField(max_length=120)
    message = JsonText()
    state = models.CharField(max_length=16, choices=InteractionState.choices, default=InteractionState.QUEUED)
    reason = models.CharField(max_length=64, blank=True, default="")
    detail = models.TextField(blank=True, default="")
    result = models.JSONField(null=True, blank=True)  # of an interrupt: {"interrupted": id | null, "confirmed": bool}
    actor = models.CharField(max_length=200)
    api_key_ref = models.CharField(max_length=64, blank=True, default="")
    request_id = models.CharField(max_length=128, blank=True, default="")
    source = models.CharField(max_length=16, default="rest")
    queued_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    epoch = models.IntegerField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["conversation", "state", "id"], name="interaction_queue")]

    def __str__(self) -> str:
        return f"{self.event_type} {self.pk}"
