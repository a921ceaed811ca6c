"""The tables of proof: signed heads of streams, and the leaves of what was pruned. Rows are made and never changed."""

from __future__ import annotations

from django.db import models


class SigningKey(models.Model):
    """The public half of a key that signed something here. Who may be trusted is for the settings to say, not for
    this table: whoever can write to the database can write a row."""

    key_id = models.CharField(max_length=16, unique=True)  # the first 16 hex digits of the public key's SHA-256
    public_key = models.BinaryField(max_length=32)
    first_used_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.key_id


class Checkpoint(models.Model):
    """Where streams ended at a moment, signed. Numbered without gaps; each holds the SHA-256 of the one before."""

    number = models.BigIntegerField(unique=True)
    at = models.DateTimeField()
    previous = models.BinaryField(max_length=32)
    sha256 = models.BinaryField(max_length=32)  # of its document
    heads = models.IntegerField()
    last_entry_id = models.BigIntegerField()  # the newest entry when it was made: tells how many have come since
    key_id = models.CharField(max_length=16)
    signature = models.BinaryField(max_length=64)

    def __str__(self) -> str:
        return f"checkpoint {self.number}"


class CheckpointHead(models.Model):
    """One stream's end in a checkpoint. A stream that has not grown since the last one is not listed again."""

    checkpoint = models.BigIntegerField()  # its number
    stream = models.CharField(max_length=64)  # its public id
    n = models.BigIntegerField()
    digest = models.BinaryField(max_length=32)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["checkpoint", "stream"], name="checkpointhead_stream")]
        indexes = [models.Index(fields=["stream", "n"], name="checkpointhead_n")]

    def __str__(self) -> str:
        return f"{self.stream} at {self.n}"


class Pruned(models.Model):
    """The leaves of entries that were pruned, signed: with them the chain still verifies, 32 bytes an entry."""

    stream = models.BigIntegerField()
    first_n = models.BigIntegerField()
    last_n = models.BigIntegerField()
    count = models.IntegerField()
    numbers = models.TextField()  # which of first_n to last_n: "3,7-12"
    leaves = models.BinaryField()  # 32 bytes each, in the order of their numbers
    at = models.DateTimeField()
    rule = models.CharField(max_length=100)  # why: "presence, 7 days"
    key_id = models.CharField(max_length=16)
    signature = models.BinaryField(max_length=64)

    class Meta:
        verbose_name_plural = "pruned"
        indexes = [models.Index(fields=["stream", "first_n"], name="pruned_stream_n")]

    def __str__(self) -> str:
        return f"{self.count} of stream {self.stream}"
