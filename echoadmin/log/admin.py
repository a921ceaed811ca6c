"""The log's pages: a list whose address holds its filters, paged by cursor (nothing is counted), and one entry."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.safestring import SafeString

from echoadmin.log import reader
from echoadmin.log.chain import instant
from echoadmin.log.models import Direction, Entry, Kind, Stream
from echoadmin.pages import draw, pretty, require_role
from echoadmin.read_only import ReadOnlyAdmin
from echoadmin.shown import code, size, when

PAGE = 100
NOISE = ("system.replica_present", "system.pal_present", "system.heartbeat", "conversation.utterance.streaming")
FAMILIES = ("echo", "speaking", "utterance", "presence", "tool", "context", "room", "other")
MARKS = {"upstream": "http", "operator": "op", "webhook": "hook", "room": "room"}
WORDS = 160  # characters of an entry's summary


@admin.register(Entry)
class EntryAdmin(ReadOnlyAdmin):
    """Everything that happened. Django's own list would count rows, of which there may be tens of millions."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """One page of the log."""
        require_role(request, "auditor", "read the log")
        asked = {name: request.GET.get(name, "").strip() for name in reader.FILTERS}
        context: dict[str, Any] = {"title": "Log", "asked": asked, "entries": [], "errors": {}}
        context |= {"kinds": Kind.choices, "directions": Direction.choices, "families": FAMILIES}
        context["filters_open"] = any(
            asked[name] for name in reader.FILTERS if name not in ("conversation", "kind", "family")
        )
        try:
            found = reader.filtered({name: value for name, value in asked.items() if value})
            found = found.defer("body", "leaf", "digest", "body_sha256")
            context["noise"] = bool(request.GET.get("noise"))
            if not (context["noise"] or asked["event_type"] or asked["family"]):
                found = found.exclude(event_type__in=NOISE)
            page = reader.page(found, request.GET.get("cursor") or None, PAGE)
        except reader.FilterError as error:
            return draw(request, "log/list.html", context | {"errors": error.fields}, 400)
        except reader.CursorError as error:
            return draw(request, "log/list.html", context | {"errors": {"cursor": [str(error)]}}, 400)
        context["entries"] = [_line(entry) for entry in page.rows] if asked["inference_id"] else _lines(page.rows)
        context |= {"older": _beside(request, page.next), "newer": _beside(request, page.previous)}
        return draw(request, "log/list.html", context)

    def custom_paths(self) -> list[Any]:
        return [("<int:entry_id>/body/", "body", self.body_view)]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One entry: the permanent link."""
        require_role(request, "auditor", "read the log")
        entry = self._entry(object_id)
        stream = Stream.objects.filter(pk=entry.stream_id).first()
        context = {
            "title": f"{entry.event_type} #{entry.n}",
            "crumb": ("Log", reverse("admin:log_entry_changelist")),
            "facts": _facts(entry, stream.public_id if stream else "?"),
            "documents": [("Message", _body(entry))],
        }
        return draw(request, "admin/detail.html", context)

    def body_view(self, request: HttpRequest, entry_id: int) -> HttpResponse:
        """An entry's body as pretty text, for opening a row in place."""
        require_role(request, "auditor", "read the log")
        return HttpResponse(_body(self._entry(str(entry_id))), content_type="text/plain; charset=utf-8")

    def _entry(self, object_id: str) -> Entry:
        entry = Entry.objects.filter(pk=object_id).first() if object_id.isdigit() and len(object_id) < 19 else None
        if entry is None:
            raise Http404(f"There is no entry {object_id[:40]!r}: it may have been pruned by age.")
        return entry


def _body(entry: Entry) -> str:
    """Pretty JSON; samples are told, never printed."""
    if entry.erased_at:
        return f"Erased {instant(entry.erased_at)}. Its place in the chain, and its checksum, are kept."
    return pretty(reader.message(entry, audio=False))


def _lines(entries: list[Entry]) -> list[dict[str, Any]]:
    """The rows of the list; the messages of one echo are one row, at its newest."""
    lines: list[dict[str, Any]] = []
    spoken: dict[tuple[str | None, str], dict[str, Any]] = {}
    for entry in entries:
        is_piece = entry.direction == Direction.OUT and entry.clip_bytes and entry.inference_id
        echo = (entry.conversation_ref, entry.inference_id or "")
        if is_piece and echo in spoken:
            spoken[echo]["pieces"] += 1
            continue
        lines.append(_line(entry))
        if is_piece:
            spoken[echo] = lines[-1]
    return lines


def _line(entry: Entry) -> dict[str, Any]:
    """A row of the list."""
    words = (entry.said or "")[:WORDS]
    if not words and entry.clip_bytes:
        words = f"audio, {size(entry.clip_bytes)}"
    return {
        "id": entry.pk,
        "n": entry.n,
        "at": when(entry.at),
        "mark": (entry.direction if entry.kind == Kind.APP_MESSAGE else MARKS.get(entry.kind)) or entry.kind,
        "event_type": entry.event_type,
        "words": words,
        "who": entry.actor or entry.sender_name or "",
        "is_error": entry.is_error,
        "late": entry.late,
        "pieces": 1,
        "inference_id": entry.inference_id,
        "conversation": entry.conversation_ref,
        "address": reverse("admin:log_entry_change", args=[entry.pk]),
        "body_address": reverse("admin:log_entry_body", args=[entry.pk]),
    }


def _facts(entry: Entry, stream: str) -> list[tuple[str, Any]]:
    conversation: SafeString | str = code(entry.conversation_ref)
    return [
        ("Happened", when(entry.at)),
        ("Number", f"{entry.n} of {stream}"),
        ("Kind", entry.get_kind_display()),
        ("Direction", entry.get_direction_display() if entry.direction else ""),
        ("Type", code(entry.event_type)),
        ("Family", entry.family),
        ("Conversation", conversation),
        ("Sender", " ".join(part for part in (entry.sender_name, entry.sender) if part)),
        ("By", entry.actor or ""),
        ("API key", entry.api_key_ref or ""),
        ("Inference id", code(entry.inference_id)),
        ("Sequence at Tavus", entry.seq),
        ("Request", code(entry.request_id)),
        ("Went wrong", "yes" if entry.is_error else "no"),
        ("Stored late", "yes, over 5 s after it happened" if entry.late else "no"),
        ("Size", size(entry.body_bytes)),
        ("SHA-256 of the message", code(bytes(entry.body_sha256).hex())),
        ("Digest in the chain", code(bytes(entry.digest).hex())),
    ]


def _beside(request: HttpRequest, cursor: str | None) -> str:
    if cursor is None:
        return ""
    query = request.GET.copy()
    query["cursor"] = cursor
    return "?" + query.urlencode()
