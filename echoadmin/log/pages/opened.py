"""One entry, opened: its message, what it belongs to, what was before and after it, its sound."""

from __future__ import annotations

import json
import shlex
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.urls import NoReverseMatch, reverse

from echoadmin.log import reader
from echoadmin.log.api import shown
from echoadmin.log.chain import instant
from echoadmin.log.models import Entry, Kind, Pruned, Stream
from echoadmin.log.naming import names
from echoadmin.log.pages.lines import MARKS, lines, summary
from echoadmin.log.proof import numbers
from echoadmin.log.search import Query, QueryError, marked, parse
from echoadmin.log.wav import Wav, clip_wav
from echoadmin.pages import pretty, without_samples
from echoadmin.shown import code, link, size, when

AROUND = 5  # entries before and after that are shown
SAME_REQUEST = 40  # entries on either side among which those of the same request are looked for
LONGEST_MARKED = 50_000  # characters of a message in which hits are marked

Facts = list[tuple[str, Any]]
Links = list[tuple[str, str]]  # address, words


def opened(entry: Entry, text: str = "") -> dict[str, Any]:
    """What the page's fragment shows of an entry. `text`: what was searched for."""
    before, after = reader.neighbours(entry, SAME_REQUEST)
    around = [*before[-AROUND:], entry, *after[:AROUND]]
    rows = lines(around)
    here = around.index(entry)
    body = body_words(entry)
    return {
        "entry": entry,
        "facts": facts(entry),
        "body": marked_body(body, text),
        "links": belongs_to(entry, [*before, *after]),
        "before": rows[:here],
        "row": rows[here],
        "after": rows[here + 1 :],
        "sound": reverse("admin:log_entry_audio", args=[entry.pk]) if entry.clip_id and not entry.erased_at else "",
        "is_piece": bool(entry.clip_id and entry.direction == "out"),
        "permanent": permanent(entry),
        "replay": replay_page(entry.conversation_ref, entry.echo_id),
        "curl": bool(entry.kind == Kind.UPSTREAM and not entry.erased_at),
    }


def body_words(entry: Entry) -> str:
    """Pretty JSON; samples are told, never printed."""
    if entry.erased_at:
        return f"Erased {instant(entry.erased_at)}. Its place in the chain, and its checksum, are kept."
    return pretty(reader.message(entry, audio=False))


def marked_body(body: str, text: str) -> list[tuple[str, bool]]:
    """The message in pieces, hits told apart."""
    query = _query(text)
    if query is None or not query.phrases or len(body) > LONGEST_MARKED:
        return [(body, False)]
    return marked(body, query)


def _query(text: str) -> Query | None:
    try:
        return parse(text) if text else None
    except QueryError:
        return None


def facts(entry: Entry) -> Facts:
    """What is worth knowing at a glance; a value leads to all entries that share it."""
    return [
        ("Happened", when(entry.at)),
        ("Type", _only("event_type", entry.event_type)),
        ("Family", _only("family", entry.family)),
        ("Sender", _only("sender", entry.sender, entry.sender_name or entry.sender)),
        ("By", _only("actor", entry.actor)),
        ("API key", _only("api_key", entry.api_key_ref)),
        ("Inference id", _only("inference_id", entry.inference_id)),
        ("Sequence at Tavus", entry.seq),
        ("Stored late", "yes, over 5 s after it happened" if entry.late else None),
        ("Size", size(entry.body_bytes)),
    ]


def all_facts(entry: Entry, stream: str) -> Facts:
    """All that is known, for the entry's own page."""
    return [
        *[fact for fact in facts(entry) if fact[0] != "Size"],
        ("Number", f"{entry.n} of {stream}"),
        ("Kind", entry.get_kind_display()),
        ("Direction", entry.get_direction_display() if entry.direction else ""),
        ("Persona", _only("persona", entry.persona_ref)),
        ("Request", code(entry.request_id)),
        ("Went wrong", "yes" if entry.is_error else "no"),
        ("Size", size(entry.body_bytes)),
        ("SHA-256 of the message", code(bytes(entry.body_sha256).hex())),
        ("Digest in the chain", code(bytes(entry.digest).hex())),
    ]


def _only(name: str, value: str | None, words: str | None = None) -> Any:
    if not value:
        return None
    return link(f"{reverse('admin:log_entry_changelist')}?{urlencode({name: value})}", words or value)


def belongs_to(entry: Entry, neighbours: list[Entry]) -> Links:
    """Its conversation, its echo, and the entries of the same request: who asked, and the calls that it made."""
    found: Links = []
    log = reverse("admin:log_entry_changelist")
    if entry.conversation_ref:
        words = names({entry.conversation_ref}).get(entry.conversation_ref, entry.conversation_ref)
        found += _page("conversations_conversation", entry.conversation_ref, f"Conversation {words}")
        found.append((reverse("admin:log_entry_timeline", args=[entry.conversation_ref]), "Its timeline, on one clock"))
    if entry.echo_id:
        found += _page("conversations_echo", entry.echo_id, "Its echo")
        found.append((f"{log}?{urlencode({'echo': entry.echo_id, 'noise': 1})}", "All entries of this echo"))
    elif entry.inference_id:
        found.append((f"{log}?{urlencode({'inference_id': entry.inference_id})}", "All with this inference id"))
    if entry.request_id:
        same = [other for other in neighbours if other.request_id == entry.request_id and not _same_echo(other, entry)]
        found += [(permanent(other), f"Same request: {MARKS.get(other.kind, '')} {other.event_type}") for other in same]
    return found


def _same_echo(one: Entry, other: Entry) -> bool:
    """Whether both are messages of one echo: those have a link of their own."""
    return one.kind == other.kind == Kind.APP_MESSAGE and one.echo_id is not None and one.echo_id == other.echo_id


def _page(model: str, key: Any, words: str) -> Links:
    try:
        return [(reverse(f"admin:{model}_change", args=[key]), words)]
    except NoReverseMatch:
        return []


def conversation_page(conversation: str) -> str:
    """Its page; empty for what is no conversation."""
    found = _page("conversations_conversation", conversation, "") if conversation != Stream.ACCOUNT else []
    return found[0][0] if found else ""


def replay_page(conversation: str | None, echo: int | None = None) -> str:
    """Where its echoes, or one of them, are said again; empty for what is no conversation's echo."""
    if not conversation or conversation == Stream.ACCOUNT:
        return ""
    try:
        page = reverse("admin:conversations_conversation_replay", args=[conversation])
    except NoReverseMatch:
        return ""
    return f"{page}?echo={echo}" if echo else page


def gaps_page(conversation: str) -> str:
    """The list of a conversation's gaps; empty where nobody keeps any."""
    try:
        return f"{reverse('admin:conversations_gap_changelist')}?{urlencode({'q': conversation})}"
    except NoReverseMatch:
        return ""


def permanent(entry: Entry) -> str:
    """An address that still answers when the entry was pruned: by id."""
    return reverse("admin:log_entry_change", args=[entry.pk])


def as_json(entry: Entry) -> str:
    """The entry as the API has it, without samples."""
    return json.dumps(without_samples(shown([entry], audio=False)[0]), indent=2, ensure_ascii=False, default=str)


def as_curl(entry: Entry) -> str:
    """The call again, for a shell; the key is the shell's own variable. Empty where it was no call."""
    message = reader.message(entry, audio=False)
    if entry.kind != Kind.UPSTREAM or not isinstance(message, dict) or "path" not in message:
        return ""
    query = message.get("query")
    address = settings.TAVUS_API_URL.rstrip("/") + str(message["path"])
    address += f"?{urlencode(query, doseq=True)}" if isinstance(query, dict) and query else ""
    parts = [f"curl -X {shlex.quote(str(message.get('method', 'GET')))} {shlex.quote(address)}"]
    parts.append('-H "x-api-key: $TAVUS_API_KEY"')
    if message.get("request") is not None:
        parts.append("-H 'Content-Type: application/json'")
        parts.append(f"--data-raw {shlex.quote(json.dumps(message['request'], ensure_ascii=False))}")
    return " \\\n  ".join(parts) + "\n"


def sound(entry: Entry, *, whole: bool) -> Wav | None:
    """The entry's samples as WAV; `whole`: those of all of its echo. None where there are none. Raises
    Clip.DoesNotExist."""
    if entry.clip_id is None or entry.erased_at:
        return None
    return clip_wav(entry.clip_id) if whole else clip_wav(entry.clip_id, entry.clip_start or 0, entry.clip_bytes)


def why_missing(entry_id: str) -> str:
    """What to say of an id under which there is no entry."""
    newest = Entry.objects.order_by("-id").values_list("id", flat=True).first() or 0
    if entry_id.isdigit() and len(entry_id) < 19 and 0 < int(entry_id) <= newest:
        return f"Entry {entry_id} is not here any more: it was pruned by age. Its leaf is kept: the log still verifies."
    return f"There is no entry {entry_id[:40]!r}. The newest one is {newest}."


def why_missing_in(stream: str, n: int) -> str:
    """The same, by stream and number: there the record of what was pruned can tell."""
    row = Stream.objects.filter(public_id=stream).first()
    if row is None:
        return f"There is no stream {stream[:64]!r} in this log."
    for pruned in Pruned.objects.filter(stream=row.pk, first_n__lte=n, last_n__gte=n).order_by("first_n"):
        if any(first <= n <= last for first, last in numbers.runs(pruned.numbers)):
            return (
                f"Entry {n} of {stream} was pruned on {pruned.at:%Y-%m-%d %H:%M} UTC by the rule {pruned.rule!r}. "
                "Its leaf is kept and signed, so the log still verifies."
            )
    return f"{stream} has no entry {n}: its last one is {row.last_n}."


__all__ = ["all_facts", "as_curl", "as_json", "body_words", "opened", "sound", "summary", "why_missing"]
