"""The log's tables: entries that are never changed, the streams they are numbered in, and the samples they carry.

No foreign key leaves the log, and none inside it is enforced by the database: an entry outlives what it speaks of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, Self

from django.db import models
from django.db.models import Q

from echoadmin.log.chain import GENESIS
from echoadmin.log.index.models import Mark as Mark
from echoadmin.log.index.models import Progress as Progress
from echoadmin.log.index.models import Roll as Roll
from echoadmin.log.keeping.models import Hold as Hold
from echoadmin.log.keeping.models import Lease as Lease
from echoadmin.log.proof.models import Checkpoint as Checkpoint
from echoadmin.log.proof.models import CheckpointHead as CheckpointHead
from echoadmin.log.proof.models import Pruned as Pruned
from echoadmin.log.proof.models import SigningKey as SigningKey

if TYPE_CHECKING:
    from echoadmin.log.search import Search

PART_BYTES = 256 * 1024  # of a body kept in the entry itself, and of one part of a clip


class EntriesAreFinal(TypeError):
    """An entry was to be written, changed or deleted through the ORM."""

    def __init__(self, verb: str) -> None:
        super().__init__(
            f"log entries can't be {verb}: append new ones with echoadmin.log.writer, nothing else writes here"
        )


class Kind(models.TextChoices):
    """What sort of thing an entry records."""

    APP_MESSAGE = "app_message", "App message"
    UPSTREAM = "upstream", "HTTP call to Tavus"
    WEBHOOK = "webhook", "Webhook"
    ROOM = "room", "Room"
    OPERATOR = "operator", "Operator"


class Direction(models.TextChoices):
    """Which way a message went, as the console sees it."""

    IN = "in", "In"
    OUT = "out", "Out"


class RoomEvent(models.TextChoices):
    """The event types of entries of the kind `room`."""

    JOINED = "joined", "Joined"
    LOST = "lost", "Lost"
    LEFT = "left", "Left"
    GAP = "gap", "Gap: the console was not in the room"
    NOT_SENT = "not_sent", "Logged, then not sent"
    UNCERTAIN = "uncertain", "Logged, perhaps not sent"
    DROPPED = "dropped", "Dropped before it could be logged"
    SPOOLED = "spooled", "Spooled while the database was away"


class Stream(models.Model):
    """A gapless, chained sequence of entries: one per conversation (its `cv_…` id), and one called `account`."""

    ACCOUNT = "account"

    public_id = models.CharField(max_length=64, unique=True)
    last_n = models.BigIntegerField(default=0)
    last_digest = models.BinaryField(max_length=32, default=GENESIS)

    def __str__(self) -> str:
        return self.public_id


class EntryQuerySet(models.QuerySet["Entry"]):
    """Entries to read. It knows its filter's fingerprint and order, so that a cursor can be checked against them."""

    fingerprint: str = ""
    key: str = "id"  # what pages are ordered by: "n" within one stream, else "id"
    search: Search | None = None  # how the text index finds them, where that is the way

    def _clone(self) -> Self:
        clone: Self = super()._clone()  # type: ignore[misc]
        clone.fingerprint, clone.key, clone.search = self.fingerprint, self.key, self.search
        return clone

    def update(self, **values: Any) -> NoReturn:
        """Refused: raises EntriesAreFinal."""
        raise EntriesAreFinal("updated")

    def delete(self) -> NoReturn:
        """Refused: raises EntriesAreFinal."""
        raise EntriesAreFinal("deleted")

    def bulk_create(self, *args: Any, **options: Any) -> NoReturn:
        """Refused: raises EntriesAreFinal."""
        raise EntriesAreFinal("created through the ORM")

    def bulk_update(self, *args: Any, **options: Any) -> NoReturn:
        """Refused: raises EntriesAreFinal."""
        raise EntriesAreFinal("updated")


class Entry(models.Model):
    """One thing that happened. Written by echoadmin.log.writer alone, read through echoadmin.log.reader."""

    id = models.BigAutoField(primary_key=True)
    stream = models.ForeignKey(
        Stream, models.DO_NOTHING, db_column="stream", db_constraint=False, db_index=False, related_name="entries"
    )
    n = models.BigIntegerField()
    at = models.DateTimeField()  # when it happened; of an outbound chunk its planned departure
    kind = models.CharField(max_length=16, choices=Kind)
    direction = models.CharField(max_length=3, choices=Direction, null=True)
    event_type = models.CharField(max_length=200)
    family = models.CharField(max_length=20)
    sender = models.CharField(max_length=200, null=True)
    sender_name = models.CharField(max_length=200, null=True)
    inference_id = models.CharField(max_length=200, null=True)
    echo_id = models.BigIntegerField(null=True)
    conversation_ref = models.CharField(max_length=64, null=True)  # our public id
    persona_ref = models.CharField(max_length=64, null=True)
    actor = models.CharField(max_length=200, null=True)  # a snapshot: users get renamed and deleted
    api_key_ref = models.CharField(max_length=64, null=True)
    is_error = models.BooleanField(default=False)
    epoch = models.BigIntegerField(null=True)
    late = models.BooleanField(default=False)  # stored over 5 s after `at`
    seq = models.BigIntegerField(null=True)
    request_id = models.CharField(max_length=128, null=True)
    body = models.TextField(null=True)  # canonical JSON; NULL: erased, or too long and in EntryBody
    body_bytes = models.BigIntegerField()  # of the message's canonical JSON as on the wire, samples included
    body_sha256 = models.BinaryField(max_length=32)  # of the same
    said = models.TextField(null=True)
    clip_id = models.BigIntegerField(null=True)
    clip_start = models.BigIntegerField(null=True)  # bytes
    clip_bytes = models.BigIntegerField(null=True)
    leaf = models.BinaryField(max_length=32)
    digest = models.BinaryField(max_length=32)
    erased_at = models.DateTimeField(null=True)

    objects = EntryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "entries"
        constraints = [models.UniqueConstraint(fields=["stream", "n"], name="entry_stream_n")]
        # A page is `WHERE column = value AND id < cursor ORDER BY id DESC`: hence (column, id), partial where few rows
        # qualify. There is none on `at`: planners take it and then sort; a time range is turned into a range of ids.
        indexes = [
            models.Index(fields=["event_type", "id"], name="entry_event_type"),
            models.Index(fields=["family", "id"], name="entry_family"),
            models.Index(fields=["kind", "id"], name="entry_kind"),
            models.Index(fields=["direction", "id"], name="entry_direction", condition=Q(direction__isnull=False)),
            models.Index(fields=["persona_ref", "id"], name="entry_persona", condition=Q(persona_ref__isnull=False)),
            models.Index(fields=["sender", "id"], name="entry_sender", condition=Q(sender__isnull=False)),
            models.Index(
                fields=["inference_id", "id"], name="entry_inference", condition=Q(inference_id__isnull=False)
            ),
            models.Index(fields=["echo_id", "id"], name="entry_echo", condition=Q(echo_id__isnull=False)),
            models.Index(fields=["actor", "id"], name="entry_actor", condition=Q(actor__isnull=False)),
            models.Index(fields=["api_key_ref", "id"], name="entry_api_key", condition=Q(api_key_ref__isnull=False)),
            models.Index(fields=["id"], name="entry_error", condition=Q(is_error=True)),
            models.Index(fields=["kind", "id"], name="entry_kind_error", condition=Q(is_error=True)),
            models.Index(fields=["at"], name="entry_late", condition=Q(late=True)),
            # Who still needs these samples? Asked before they are pruned or erased.
            models.Index(fields=["clip_id"], name="entry_clip", condition=Q(clip_id__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} #{self.n}"

    def save(self, *args: Any, **options: Any) -> NoReturn:
        """Refused: raises EntriesAreFinal."""
        raise EntriesAreFinal("saved through the ORM")

    def delete(self, *args: Any, **options: Any) -> NoReturn:
        """Refused: raises EntriesAreFinal."""
        raise EntriesAreFinal("deleted")


class EntryBody(models.Model):
    """A body of over 256 KB, beside its entry, so that lists stay quick to read."""

    stream = models.BigIntegerField()
    n = models.BigIntegerField()
    body = models.TextField()

    class Meta:
        verbose_name_plural = "entry bodies"
        constraints = [models.UniqueConstraint(fields=["stream", "n"], name="entrybody_stream_n")]

    def __str__(self) -> str:
        return f"{self.stream}/{self.n}"


class Clip(models.Model):
    """PCM16 mono samples, stored once; entries and echoes point to ranges of it."""

    sample_rate = models.IntegerField()  # Hz
    size = models.BigIntegerField(default=0)  # bytes
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"clip {self.pk}"

    @property
    def seconds(self) -> float:
        """How long it plays."""
        return self.size / 2 / self.sample_rate


class ClipPart(models.Model):
    """At most 256 KB of a clip's samples."""

    clip = models.ForeignKey(Clip, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="parts")
    start = models.BigIntegerField()  # bytes from the clip's beginning
    samples = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["clip", "start"], name="clippart_clip_start")]

    def __str__(self) -> str:
        return f"clip {self.clip_id} from {self.start}"


class Spool(models.Model):
    """How far a writer's spool was taken in: what lies behind `done` in the file is not in the database yet."""

    name = models.CharField(max_length=160, primary_key=True)  # of the file, and of no other ever
    done = models.BigIntegerField()  # bytes

    class Meta:
        verbose_name_plural = "spools"

    def __str__(self) -> str:
        return f"{self.name} up to {self.done}"
