"""Saved lines: what is said often, kept with a name. Saying one goes the way of every echo."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from conversations import audio, interactions
from conversations.models import Conversation, Echo, SavedLine
from conversations.refusals import Empty, Refusal
from conversations.services import speaking
from conversations.services.speaking.queueing import queue
from echoadmin.accounts.recording import record
from echoadmin.accounts.roles import ADMIN, includes
from echoadmin.actors import Actor
from echoadmin.log import clips
from echoadmin.log.keeping.samples import drop_unneeded
from echoadmin.log.models import Clip
from echoadmin.log.proof.triggers import lifted

MOST_LINES = 500  # of one user


def visible_lines(user_id: int | None) -> QuerySet[SavedLine]:
    """One's own lines, and those that others share."""
    return SavedLine.objects.filter(Q(owner_id=user_id) | Q(shared=True))


def check_owner(actor: Actor, line: SavedLine) -> None:
    """Raises PermissionDenied unless the line is the actor's own, or they are an admin."""
    if line.owner_id != actor.user_id and not includes(actor.role, ADMIN):
        raise PermissionDenied(f"This line is {line.owner}'s. Save it under a name of your own to change it.")


def save_text(*, actor: Actor, name: Any, text: Any, shared: Any = False, public_id: str = "") -> SavedLine:
    """A new line of words. Raises ValidationError and Refusal."""
    words = interactions.check_text(text)
    fields = {"text": words, "seconds": interactions.estimated_seconds(words)}
    return _added(actor, _named(name), _flag(shared), public_id, fields)


def save_samples(
    *, actor: Actor, name: Any, pcm: Iterable[bytes], sample_rate: int, shared: Any = False, public_id: str = ""
) -> SavedLine:
    """A new line of PCM16 mono blocks, in a clip of its own. Raises ValidationError and Refusal."""
    name, shared = _named(name), _flag(shared)
    clip, size = clips.new_clip(sample_rate), 0
    try:
        for block in pcm:
            clips.append_samples(clip.pk, block)
            size += len(block)
        if not size:
            raise Empty("audio", "Has no samples. Send at least one.")
        fields = {"clip_id": clip.pk, "sample_rate": sample_rate, "seconds": audio.seconds(size, sample_rate)}
        return _added(actor, name, shared, public_id, fields)
    except BaseException:
        clips.drop_clip(clip.pk)
        raise


def save_echo(*, actor: Actor, name: Any, echo: Echo, shared: Any = False, public_id: str = "") -> SavedLine:
    """What an echo said, as a line. Its samples are copied: what is erased of the echo is not kept by this one's
    clip, and what is pruned of the log is not missed by this line."""
    common: dict[str, Any] = {"actor": actor, "name": name, "shared": shared, "public_id": public_id}
    if echo.clip_id is None:
        return save_text(text=echo.text, **common)
    clip = Clip.objects.filter(pk=echo.clip_id).first()
    if clip is None:
        raise Refusal("echo", "The samples of this echo were erased. Choose another.")
    if echo.closed_at is None:
        raise Refusal("echo", "This echo still takes samples. Save it when it was said.")
    return save_samples(pcm=clips.iter_samples(clip.pk, 0, clip.size), sample_rate=clip.sample_rate, **common)


def change_line(*, actor: Actor, line: SavedLine, **given: Any) -> SavedLine:
    """Another name, text, shared or position. Raises ValidationError, Refusal and PermissionDenied."""
    check_owner(actor, line)
    if "name" in given:
        line.name = _named(given["name"])
    if "shared" in given:
        line.shared = _flag(given["shared"])
    if "position" in given:
        line.position = _place(given["position"])
    if "text" in given:
        if line.clip_id is not None:
            raise ValidationError({"text": ["This line is audio. Save a new one for other words."]})
        line.text = interactions.check_text(given["text"])
        line.seconds = interactions.estimated_seconds(line.text)
    with transaction.atomic():
        line.save()
        record("line.saved", actor, _facts(line))
    return line


def delete_line(*, actor: Actor, line: SavedLine) -> None:
    """Takes it away, and its samples unless the log or a waiting echo needs them."""
    check_owner(actor, line)
    facts = _facts(line)
    with transaction.atomic():
        line.delete()
        if line.clip_id is not None:
            with lifted("upload"), connection.cursor() as cursor:
                drop_unneeded(cursor, [line.clip_id])
        record("line.deleted", actor, facts)


def say_line(*, actor: Actor, conversation: Conversation, line: SavedLine, inference_id: str | None = None) -> Echo:
    """Queue it, as any echo. Raises a Refusal for what can't be."""
    if line.clip_id is None:
        return speaking.speak_text(actor=actor, conversation=conversation, text=line.text, inference_id=inference_id)
    fields = {"modality": "audio", "clip_id": line.clip_id, "sample_rate": line.sample_rate}
    fields |= {"seconds": line.seconds, "pacing": "lead"}
    body = hashlib.sha256(b"clip %d" % line.clip_id).hexdigest()
    return queue(actor, conversation, inference_id, body, fields, closed=True)


def _added(actor: Actor, name: str, shared: bool, public_id: str, fields: dict[str, Any]) -> SavedLine:
    mine = SavedLine.objects.filter(owner_id=actor.user_id or 0)
    if mine.count() >= MOST_LINES:
        raise ValidationError({"name": [f"You have {MOST_LINES} lines. Take some away first."]})
    last = mine.order_by("-position").values_list("position", flat=True).first() or 0
    own = {"owner_id": actor.user_id or 0, "owner": actor.name, "position": last + 1, "public_id": public_id}
    with transaction.atomic():
        line = SavedLine.objects.create(name=name, shared=shared, **own, **fields)
        if shared:
            record("line.saved", actor, _facts(line))
    return line


def _facts(line: SavedLine) -> dict[str, Any]:
    return {"id": line.public_id, "name": line.name, "shared": line.shared}


def _named(name: Any) -> str:
    if not isinstance(name, str) or not 1 <= len(name.strip()) <= 100:
        raise ValidationError({"name": ["Is a text of 1 to 100 characters."]})
    return name.strip()


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValidationError({"shared": ["Is true or false."]})
    return value


def _place(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 1_000_000:
        raise ValidationError({"position": ["Is a whole number from 0 to 1,000,000."]})
    return value
