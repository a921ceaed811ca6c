"""Checkpoints: where streams ended, signed and numbered, each with the hash of the one before.

One document lists the streams that have grown since the last one (at most MOST_HEADS; more go into several), so that
tens of thousands of streams at rest cost nothing. Whoever keeps a copy elsewhere can show later that the log's end was
not cut off, and that nothing before a checkpoint was written anew.
"""

from __future__ import annotations

import json
import logging
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from echoadmin.actors import SYSTEM
from echoadmin.log.chain import GENESIS, canonical, instant
from echoadmin.log.models import Entry, Kind, Stream
from echoadmin.log.proof import signing
from echoadmin.log.proof.models import Checkpoint, CheckpointHead, SigningKey
from echoadmin.log.writer import Draft, append

logger = logging.getLogger(__name__)

FORMAT = "echoadmin checkpoint 1"
MOST_HEADS = 2_000  # in one document: about 200 KB
AGE = timedelta(hours=1)
KEY_CHANGED = "log.signing_key_changed"


@dataclass(frozen=True, slots=True)
class Head:
    """A stream's end: its last entry's number and digest."""

    stream: str  # public id
    n: int
    digest: bytes


def is_due() -> bool:
    """Whether an hour has passed, or LOG_CHECKPOINT_ENTRIES have come, since the last one."""
    last = Checkpoint.objects.order_by("-number").values_list("at", "last_entry_id").first()
    newest = _newest_entry()
    if last is None:
        return newest > 0
    at, seen = last
    return newest - seen >= settings.LOG_CHECKPOINT_ENTRIES or (newest > seen and timezone.now() - at >= AGE)


def make_checkpoints() -> list[Checkpoint]:
    """Signs the ends of all streams that have grown; none where nothing has. Raises BadSigningKey.

    Two at once: one of them makes it, the other returns nothing.
    """
    _tell_changed_key()
    made: list[Checkpoint] = []
    while heads := _grown(MOST_HEADS):
        newest = _newest_entry()
        try:
            made.append(_make(heads, newest))
        except IntegrityError:
            logger.info("another process has made this checkpoint")
            break
        if len(heads) < MOST_HEADS:
            break
    return made


def _make(heads: list[Head], last_entry_id: int) -> Checkpoint:
    with transaction.atomic():
        last = Checkpoint.objects.order_by("-number").first()
        number, previous = (last.number + 1, bytes(last.sha256)) if last else (1, GENESIS)
        at = timezone.now()
        signing.note_key()
        text = document(number, at, previous, signing.key_id(signing.public_key()), heads)
        key_id, signature = signing.sign(text)
        row = Checkpoint.objects.create(
            number=number,
            at=at,
            previous=previous,
            sha256=sha256(text).digest(),
            heads=len(heads),
            last_entry_id=last_entry_id,
            key_id=key_id,
            signature=signature,
        )
        CheckpointHead.objects.bulk_create(
            [CheckpointHead(checkpoint=number, stream=head.stream, n=head.n, digest=head.digest) for head in heads],
            batch_size=500,
        )
    # Whoever collects this process's output has a copy that nobody with the database alone can change.
    logger.info(
        "checkpoint %d of %d streams, SHA-256 %s, key %s, signature %s",
        *(number, len(heads), sha256(text).hexdigest(), key_id, b64encode(signature).decode()),
    )
    return row


def document(number: int, at: datetime, previous: bytes, key_id: str, heads: Iterable[Head]) -> bytes:
    """What is signed: canonical JSON of all that a checkpoint says."""
    return canonical(
        {
            "format": FORMAT,
            "number": number,
            "at": instant(at),
            "previous": previous.hex(),
            "key": key_id,
            "heads": {head.stream: [head.n, head.digest.hex()] for head in heads},
        }
    ).encode("ascii")


def stored_document(row: Checkpoint) -> bytes:
    """The document of a checkpoint, made again from its rows."""
    heads = CheckpointHead.objects.filter(checkpoint=row.number).values_list("stream", "n", "digest")
    return document(
        row.number,
        row.at,
        bytes(row.previous),
        row.key_id,
        (Head(stream, n, bytes(digest)) for stream, n, digest in heads),
    )


def exported() -> Iterator[str]:
    """All checkpoints as lines of JSON, after the keys that signed them: to be kept where nobody can change them."""
    for key in SigningKey.objects.order_by("id"):
        yield canonical(key_line(key.key_id, bytes(key.public_key)))
    for row in Checkpoint.objects.order_by("number").iterator(chunk_size=50):
        yield canonical(checkpoint_line(row))


def key_line(key_id: str, public: bytes) -> dict[str, Any]:
    """A public key as exports have it."""
    return {"type": "key", "id": key_id, "public_key": b64encode(public).decode("ascii")}


def checkpoint_line(row: Checkpoint) -> dict[str, Any]:
    """A checkpoint as exports have it: its document as text, since that is what was signed."""
    return {
        "type": "checkpoint",
        "document": stored_document(row).decode("ascii"),
        "signature": b64encode(bytes(row.signature)).decode("ascii"),
    }


class BadCheckpointFile(ValueError):
    """A file of checkpoints holds what can't be; the message says where."""


@dataclass(frozen=True, slots=True)
class Given:
    """A checkpoint from a file: what it says, and whether a trusted key signed it."""

    number: int
    at: str
    key_id: str
    verdict: signing.Verdict
    heads: list[Head]


def read_exported(lines: Iterable[str]) -> Iterator[Given]:
    """The checkpoints of such a file. Raises BadCheckpointFile."""
    for at, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            if row["type"] != "checkpoint":
                continue
            text, signature = row["document"].encode("ascii"), b64decode(row["signature"])
            said = json.loads(text)
            if said["format"] != FORMAT:
                raise ValueError(f"of the format {said['format']!r}")
            heads = [Head(stream, int(n), bytes.fromhex(digest)) for stream, (n, digest) in said["heads"].items()]
            verdict = signing.judge(text, said["key"], signature)
            yield Given(int(said["number"]), said["at"], said["key"], verdict, heads)
        except signing.BadSigningKey:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadCheckpointFile(
                f"line {at} is no checkpoint as `manage.py checkpoint_log` exports them: {error}"
            ) from error


def _tell_changed_key() -> None:
    """An entry in the log when the key in use is not the one that signed last."""
    last = Checkpoint.objects.order_by("-number").values_list("key_id", flat=True).first()
    now = signing.key_id(signing.public_key())
    if last is None or last == now or SigningKey.objects.filter(key_id=now).exists():
        return
    message = {"from": last, "to": now, "public_key": b64encode(signing.public_key()).decode("ascii")}
    append([Draft(Stream.ACCOUNT, Kind.OPERATOR, KEY_CHANGED, actor=SYSTEM.name, message=message)])


def _newest_entry() -> int:
    return Entry.objects.order_by("-id").values_list("id", flat=True).first() or 0


def _grown(most: int) -> list[Head]:
    """Streams whose end no checkpoint has seen, with their ends, from one look at the table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT public_id, last_n, last_digest FROM log_stream WHERE last_n > COALESCE("
            "(SELECT MAX(n) FROM log_checkpointhead WHERE stream = public_id), 0) ORDER BY id LIMIT %s",
            [most],
        )
        return [Head(public_id, n, bytes(digest)) for public_id, n, digest in cursor.fetchall()]
