"""From a draft to the columns of its row. No database here."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from echoadmin.log.chain import canonical, digest, header, instant, leaf
from echoadmin.log.models import Entry
from echoadmin.log.writer.drafts import Draft

LATE = timedelta(seconds=5)
COLUMNS = (
    "stream",
    "n",
    "at",
    "kind",
    "direction",
    "event_type",
    "family",
    "sender",
    "sender_name",
    "inference_id",
    "echo_id",
    "conversation_ref",
    "persona_ref",
    "actor",
    "api_key_ref",
    "is_error",
    "epoch",
    "late",
    "seq",
    "request_id",
    "body",
    "body_bytes",
    "body_sha256",
    "said",
    "clip_id",
    "clip_start",
    "clip_bytes",
    "leaf",
    "digest",
)
_LIMITS = {
    field.name: field.max_length for field in Entry._meta.concrete_fields if field.name in COLUMNS and field.max_length
}
_INT64 = 2**63


@dataclass(slots=True)
class Prepared:
    """A draft with all that does not depend on its place in the stream."""

    draft: Draft
    at: datetime
    columns: dict[str, Any]  # the header's, but for `n` and `late`
    body: str
    body_sha256: bytes
    said: str | None
    clip_id: int | None
    samples: bytes | None  # to be put in a clip of their own


def prepare(draft: Draft) -> Prepared:
    """Raises TypeError or ValueError for what no entry can hold; the message names it."""
    if not draft.stream:
        raise ValueError("a draft needs a stream: a conversation's public id, or 'account'")
    at = draft.at or datetime.now(UTC)
    if at.tzinfo is None:
        raise ValueError(f"a draft's `at` needs a time zone, got {at!r}")
    full = canonical(draft.message)
    body, samples = _without_samples(draft, full)
    parted = body is not full
    clip_id, clip_start, clip_bytes = (None, None, None)
    if parted:
        clip_id, clip_start, clip_bytes = draft.clip or (None, 0, len(samples or b""))
    columns = {
        "actor": _text("actor", draft.actor),
        "api_key_ref": _text("api_key_ref", draft.api_key_ref),
        "at": instant(at),
        "body_bytes": len(full),
        "clip_bytes": clip_bytes,
        "clip_start": clip_start,
        "conversation_ref": _text("conversation_ref", draft.conversation_ref),
        "direction": _text("direction", draft.direction),
        "echo_id": draft.echo_id,
        "epoch": draft.epoch,
        "event_type": _text("event_type", draft.event_type) or "",
        "family": _text("family", draft.family) or "other",
        "inference_id": _text("inference_id", draft.inference_id),
        "is_error": bool(draft.is_error),
        "kind": _text("kind", draft.kind),
        "persona_ref": _text("persona_ref", draft.persona_ref),
        "request_id": _text("request_id", draft.request_id),
        "sender": _text("sender", draft.sender),
        "sender_name": _text("sender_name", draft.sender_name),
        "seq": _int64(draft.seq),
        "stream": draft.stream,
    }
    return Prepared(
        draft=draft,
        at=at,
        columns=columns,
        body=body,
        body_sha256=sha256(full.encode("ascii")).digest(),
        said=storable(draft.said),
        clip_id=clip_id,
        samples=samples if parted and draft.clip is None else None,
    )


def chained(entry: Prepared, stream: int, n: int, previous: bytes, now: datetime) -> tuple[dict[str, Any], bytes]:
    """The row of `entry` as number `n` after the digest `previous`, and its own digest."""
    columns = entry.columns
    columns["n"] = n
    columns["late"] = now - entry.at > LATE
    leaf_ = leaf(header(columns), entry.body_sha256)
    digest_ = digest(previous, leaf_)
    row = {
        **columns,
        "stream": stream,
        "at": entry.at,
        "body": entry.body,
        "body_sha256": entry.body_sha256,
        "said": entry.said,
        "clip_id": entry.clip_id,
        "leaf": leaf_,
        "digest": digest_,
    }
    return row, digest_


def storable(text: str | None) -> str | None:
    """`text` without what PostgreSQL's text can't hold: NUL and lone surrogates become U+FFFD."""
    if text is None or (text.isascii() and "\0" not in text):
        return text
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _text(column: str, value: str | None) -> str | None:
    text = storable(value)
    return text if text is None else text[: _LIMITS[column]]


def _int64(value: int | None) -> int | None:
    """`seq` comes from outside: what no column can hold is left to the body."""
    return value if value is not None and -_INT64 <= value < _INT64 else None


def _without_samples(draft: Draft, full: str) -> tuple[str, bytes | None]:
    """The body to store, which is `full` itself where nothing was taken out, and the samples to put in a clip."""
    if draft.clip is None and draft.samples is None:
        return full, None
    audio = _audio(draft.message)
    if audio is None:
        return full, None
    if draft.clip is not None:
        if len(audio) != (draft.clip[2] + 2) // 3 * 4:
            raise ValueError(f"a draft's clip has {draft.clip[2]} bytes, its message {len(audio)} characters of base64")
    elif b64encode(draft.samples or b"").decode("ascii") != audio:
        return full, None
    return _cut(draft.message, full, f'"audio":"{audio}"'), draft.samples


def _audio(message: Any) -> str | None:
    properties = message.get("properties") if isinstance(message, dict) else None
    audio = properties.get("audio") if isinstance(properties, dict) else None
    return audio if isinstance(audio, str) else None


def _cut(message: Any, full: str, member: str) -> str:
    """`full` with null for `properties.audio`: cut out of the text, or written again where that would be ambiguous."""
    before, found, rest = full.partition(member)
    if found and member not in rest:
        return f'{before}"audio":null{rest}'
    return canonical({**message, "properties": {**message["properties"], "audio": None}})
