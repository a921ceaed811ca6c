"""From a draft to the values of its row. No database here; quick, since it is done for every 50 ms of audio."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, NamedTuple

from pybase64 import b64encode_as_string

from echoadmin.log.chain import canonical, digest, instant, leaf, text_digest
from echoadmin.log.models import Entry
from echoadmin.log.writer.drafts import Draft

LATE = timedelta(seconds=5)
_LIMITS = {field.name: field.max_length or 0 for field in Entry._meta.concrete_fields}
_NAMES = {column: _LIMITS[column] for column in ("kind", "event_type", "family")}
_TEXTS = ("direction", "sender", "sender_name", "conversation_ref", "persona_ref", "actor", "api_key_ref")
# First what is known only when the row is made, in the order of row(); then what prepare() knows.
COLUMNS = (
    *("stream", "n", "late", "body", "clip_id", "leaf", "digest"),
    *("at", *_NAMES, *_TEXTS, "inference_id", "request_id", "echo_id", "is_error", "epoch", "seq"),
    *("body_bytes", "body_sha256", "said", "clip_start", "clip_bytes"),
)
STREAM, N, BODY, CLIP_ID, AT = (COLUMNS.index(name) for name in ("stream", "n", "body", "clip_id", "at"))
_INT64 = 2**63
_NULL = (None, "null")
_NO_AUDIO = '"audio":null'


class Prepared(NamedTuple):
    """A draft with all that does not depend on its place in its stream."""

    draft: Draft
    at: datetime
    body: str
    body_sha256: bytes
    clip_id: int | None
    samples: bytes | None  # to be put in a clip of their own
    header_start: str  # the header's JSON up to `late`
    header_end: str  # and from `persona_ref` on
    values: tuple[Any, ...]  # of COLUMNS from `at` on


_Message = tuple[str, bytes, int, int | None, int | None, int | None, bytes | None]
"""The body to be stored, the whole message's SHA-256, its bytes, its clip (id, start, bytes), samples for a new one."""


def prepare(draft: Draft) -> Prepared:
    """Raises TypeError or ValueError for what no entry can hold; the message names it."""
    at = draft.at or datetime.now(UTC)
    if at.tzinfo is None:
        raise ValueError(f"a draft's `at` needs a time zone, got {at!r}")
    if not draft.stream:
        raise ValueError("a draft needs a stream: a conversation's public id, or 'account'")
    labels = _labels(
        *(draft.stream, draft.kind, draft.event_type, draft.family, bool(draft.is_error), draft.direction),
        *(draft.sender, draft.sender_name, draft.conversation_ref, draft.persona_ref, draft.actor, draft.api_key_ref),
    )
    inference_id, inference_json = _optional("inference_id", draft.inference_id)
    request_id, request_json = _optional("request_id", draft.request_id)
    body, sha256_, nbytes, clip_id, clip_start, clip_bytes, samples = _message(draft)
    seq = draft.seq
    if seq is not None and not -_INT64 <= seq < _INT64:
        seq = None  # it comes from outside: what no column can hold is left to the body
    # The header is written without a detour: made by a JSON encoder it would be the most of what an entry costs.
    start = (
        f'{labels.to_at}{instant(at)}","body_bytes":{nbytes},"clip_bytes":{_number(clip_bytes)},'
        f'"clip_start":{_number(clip_start)}{labels.to_echo}{_number(draft.echo_id)},'
        f'"epoch":{_number(draft.epoch)}{labels.to_inference}{inference_json}{labels.to_late}'
    )
    end = f"{labels.to_request}{request_json}{labels.to_seq}{_number(seq)}{labels.to_end}"
    said = None if draft.said is None else storable(draft.said)
    values = (
        at, *labels.columns, inference_id, request_id, draft.echo_id, labels.is_error, draft.epoch, seq,
        nbytes, sha256_, said, clip_start, clip_bytes,
    )  # fmt: skip
    return Prepared(draft, at, body, sha256_, clip_id, samples, start, end, values)


class _Labels(NamedTuple):
    """What an entry shares with others of its room: its columns, and the pieces of its header between other values."""

    columns: tuple[str | None, ...]  # of _NAMES and _TEXTS
    is_error: bool
    to_at: str
    to_echo: str
    to_inference: str
    to_late: str
    to_request: str
    to_seq: str
    to_end: str


@lru_cache(maxsize=4096)
def _labels(stream: str, kind: str, event_type: str, family: str, is_error: bool, *texts: str | None) -> _Labels:
    cells = [
        *(_cell((name or "")[:limit]) for name, limit in zip((kind, event_type, family), _NAMES.values(), strict=True)),
        *(_optional(name, text) for name, text in zip(_TEXTS, texts, strict=True)),
    ]
    json = dict(zip((*_NAMES, *_TEXTS), [text for _, text in cells], strict=True))
    return _Labels(
        tuple(value for value, _ in cells),
        is_error,
        f'{{"actor":{json["actor"]},"api_key_ref":{json["api_key_ref"]},"at":"',
        f',"conversation_ref":{json["conversation_ref"]},"direction":{json["direction"]},"echo_id":',
        f',"event_type":{json["event_type"]},"family":{json["family"]},"inference_id":',
        f',"is_error":{"true" if is_error else "false"},"kind":{json["kind"]},"late":',
        f'"persona_ref":{json["persona_ref"]},"request_id":',
        f',"sender":{json["sender"]},"sender_name":{json["sender_name"]},"seq":',
        f',"stream":{quoted(stream)}}}',
    )


def _optional(column: str, value: str | None) -> tuple[str | None, str]:
    return _NULL if value is None else _cell(value[: _LIMITS[column]])


def row(entry: Prepared, stream: int, n: int, previous: bytes, now: datetime) -> tuple[list[Any], bytes]:
    """The values of COLUMNS for `entry` as number `n` after the digest `previous`, and its own digest."""
    late = now - entry.at > LATE
    header = f'{entry.header_start}{"true" if late else "false"},"n":{n},{entry.header_end}'
    leaf_ = leaf(header.encode("ascii"), entry.body_sha256)
    digest_ = digest(previous, leaf_)
    return [stream, n, late, entry.body, entry.clip_id, leaf_, digest_, *entry.values], digest_


def storable(text: str) -> str:
    """`text` without what PostgreSQL's text can't hold: NUL and lone surrogates become U+FFFD."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@lru_cache(maxsize=4096)  # most columns say the same from entry to entry
def _cell(value: str) -> tuple[str | None, str]:
    """A text as its column takes it, and that as JSON."""
    text = storable(value)
    return text, quoted(text)


def _number(value: int | None) -> str:
    return "null" if value is None else int.__repr__(value)


def _message(draft: Draft) -> _Message:
    """What is stored of the message, and the hash of the whole."""
    audio = _audio(draft)
    if audio is None:
        full = canonical(draft.message() if callable(draft.message) else draft.message)
        return full, text_digest(full), len(full), None, None, None, None
    message = draft.message
    body = canonical({**message, "properties": {**message["properties"], "audio": None}})
    before, _, after = body.partition(_NO_AUDIO)
    # Base64 needs no escapes, so the whole is the body with the text put in; unless it is not clear where.
    full = canonical(message) if _NO_AUDIO in after else f'{before}"audio":"{audio}"{after}'
    digest_ = text_digest(full)
    if draft.clip is not None:
        return body, digest_, len(full), *draft.clip, None
    samples = draft.samples or b""
    return body, digest_, len(full), None, 0, len(samples), samples


def _audio(draft: Draft) -> str | None:
    """The message's base64 where its samples lie, or go, in a clip that gives it back the same."""
    if draft.clip is None and draft.samples is None:
        return None
    properties = draft.message.get("properties") if isinstance(draft.message, dict) else None
    audio = properties.get("audio") if isinstance(properties, dict) else None
    if not isinstance(audio, str):
        return None
    if draft.clip is not None:
        if len(audio) != (draft.clip[2] + 2) // 3 * 4:
            raise ValueError(f"a draft's clip has {draft.clip[2]} bytes, its message {len(audio)} characters of base64")
        return audio
    same = b64encode_as_string(draft.samples or b"") == audio
    return audio if same else None
