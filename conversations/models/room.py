"""Rooms and the workers that hold them: what people ask for and what is, kept apart."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class Worker(models.Model):
    """A process that holds rooms; alive while its lease, by the database's clock, lasts."""

    name = models.CharField(max_length=100, unique=True)
    host = models.CharField(max_length=200)
    pid = models.IntegerField()
    version = models.CharField(max_length=40, blank=True, default="")
    capacity = models.IntegerField(default=100)
    drain_wanted = models.BooleanField(
        default=False, db_default=False
    )  # what people ask for; the process obeys at its next look
    draining = models.BooleanField(default=False)  # what is: it takes no further room
    started_at = models.DateTimeField()
    lease_until = models.DateTimeField()
    stopped_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def life(self) -> str:
        """alive, draining (or asked to), stopped, or stale: it did not say goodbye, and its lease has run out."""
        if self.stopped_at:
            return "stopped"
        if self.lease_left <= 0:
            return "stale"
        return "draining" if self.draining or self.drain_wanted else "alive"

    @property
    def lease_left(self) -> float:
        """Seconds until its rooms are anybody's, unless it says that it lives; negative once they are."""
        return (self.lease_until - timezone.now()).total_seconds()


class Wanted(models.TextChoices):
    """What people ask for."""

    IDLE = "idle", "idle"
    JOINED = "joined", "joined"


class RoomState(models.TextChoices):
    """What is."""

    IDLE = "idle", "idle"
    JOINING = "joining", "joining"
    JOINED = "joined", "joined"
    LEAVING = "leaving", "leaving"
    LOST = "lost", "lost"
    FAILED = "failed", "failed"


class Room(models.Model):
    """The Daily room of one conversation, as this console sees it.

    `epoch` is raised by each claim: every write of a worker is conditional on it, so one that lost the room can't
    speak for it any more. `participants` is `[{id, name, joined_at, is_replica, is_us}]`.
    """

    conversation = models.OneToOneField("conversations.Conversation", on_delete=models.CASCADE, related_name="room")
    wanted = models.CharField(max_length=16, choices=Wanted.choices, default=Wanted.IDLE, db_index=True)
    state = models.CharField(max_length=16, choices=RoomState.choices, default=RoomState.IDLE, db_index=True)
    worker = models.ForeignKey(Worker, null=True, blank=True, on_delete=models.SET_NULL, related_name="rooms")
    epoch = models.IntegerField(default=0)
    error = models.TextField(blank=True, default="")
    tries = models.IntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True)
    joined_at = models.DateTimeField(null=True, blank=True)
    last_seen_at = models.DateTimeField(
        null=True, blank=True
    )  # the last sign of life of the connection, every few seconds
    session_id = models.CharField(max_length=64, blank=True, default="")
    participants = models.JSONField(default=list, blank=True)
    replica_present = models.BooleanField(default=False)
    last_position = models.BigIntegerField(default=0)  # of the newest echo; its row lock orders the queue
    floor_user_id = models.BigIntegerField(null=True, blank=True)  # who alone may speak now; NULL: everybody may
    floor_name = models.CharField(max_length=200, blank=True, default="", db_default="")
    floor_key_ref = models.CharField(max_length=64, blank=True, default="", db_default="")
    floor_since = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"room of {self.conversation_id}"
