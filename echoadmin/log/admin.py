"""The log's pages: a list whose address holds its filters, paged by cursor (nothing is counted), and one entry."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.urls import Resolver404, resolve, reverse

from echoadmin.accounts.roles import may
from echoadmin.log import reader
from echoadmin.log.models import Clip, Entry, Stream
from echoadmin.log.pages import opened
from echoadmin.log.pages.asked import LABELS, Asked, choices, since
from echoadmin.log.pages.bars import drawing
from echoadmin.log.pages.beside import beside
from echoadmin.log.pages.lines import light, lines, without_noise
from echoadmin.log.pages.timeline import timeline_context
from echoadmin.log.peaks import peaks
from echoadmin.log.proof import admin as _proof  # noqa: F401 - its pages
from echoadmin.log.wav import RangeNotSatisfiable, Wav, byte_range
from echoadmin.pages import button, draw, require_role, told
from echoadmin.read_only import ReadOnlyAdmin
from echoadmin.runs import KINDS
from echoadmin.runs.admin import start_by_page
from echoadmin.streaming import streamed

PAGE = 100
MOST_NEW = 200  # entries that the tail draws at once
EXPORT = "/api/v1/entries/export/"


@admin.register(Entry)
class EntryAdmin(ReadOnlyAdmin):
    """Everything that happened. Django's own list would count rows, of which there may be tens of millions."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """One page of the log."""
        require_role(request, "auditor", "read the log")
        if address := since(request):
            return redirect(address)
        asked = Asked(request.GET)
        context = _frame(asked) | beside(request, asked)
        try:
            found = reader.filtered(asked.given)
            context["bars"] = drawing(asked, asked.given)
            context["live_after"] = _live_after(asked)
            query = found.search.query if found.search and found.search.asked else None
            page = reader.page(light(_quiet(found, asked)), asked.cursor, PAGE)
        except reader.FilterError as error:
            return draw(request, "log/list.html", context | {"errors": _in_words(error.fields)}, 400)
        except reader.CursorError as error:
            return draw(request, "log/list.html", context | {"errors": {"": str(error)}, "bad_cursor": True}, 400)
        context["entries"] = lines(page.rows, query)
        context |= {"older": _beside(request, page.next), "newer": _beside(request, page.previous)}
        return draw(request, "log/list.html", context)

    def custom_paths(self) -> list[Any]:
        return [
            ("rows/", "rows", self.rows_view),
            ("export/", "export", self.export_view),
            ("of/<str:stream>/<int:n>/", "of", self.of_view),
            ("timeline/<str:conversation>/", "timeline", self.timeline_view),
            ("<int:entry_id>/opened/", "opened", self.opened_view),
            ("<int:entry_id>/body/", "body", self.body_view),
            ("<int:entry_id>/json/", "json", self.json_view),
            ("<int:entry_id>/curl/", "curl", self.curl_view),
            ("<int:entry_id>/audio/", "audio", self.audio_view),
            ("<int:entry_id>/peaks/", "peaks", self.peaks_view),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One entry: the permanent link."""
        require_role(request, "auditor", "read the log")
        entry = self._entry(object_id)
        stream = Stream.objects.filter(pk=entry.stream_id).first()
        context = opened.opened(entry) | {
            "title": f"{entry.event_type} #{entry.n}",
            "crumb": ("Log", reverse("admin:log_entry_changelist")),
            "all_facts": opened.all_facts(entry, stream.public_id if stream else "?"),
            "may_speak": may(request.user, "operator"),
        }
        return draw(request, "log/entry.html", context)

    def of_view(self, request: HttpRequest, stream: str, n: int) -> HttpResponse:
        """An entry by its stream and number there: an address that still answers when it was pruned."""
        require_role(request, "auditor", "read the log")
        found = Entry.objects.filter(stream__public_id=stream, n=n).only("id").first() if n < 2**63 else None
        if found is None:
            raise Http404(opened.why_missing_in(stream, n))
        return redirect("admin:log_entry_change", found.pk)

    def timeline_view(self, request: HttpRequest, conversation: str) -> HttpResponse:
        """A conversation on one clock."""
        require_role(request, "auditor", "read the log")
        if not Stream.objects.filter(public_id=conversation[:64]).exists():
            raise Http404(f"There is no stream {conversation[:64]!r} in this log.")
        context, status = timeline_context(conversation, request.GET.get("cursor"))
        return draw(request, "log/timeline.html", context | {"may_speak": may(request.user, "operator")}, status)

    # what a row opens into

    def opened_view(self, request: HttpRequest, entry_id: int) -> HttpResponse:
        """The fragment that a row opens into."""
        require_role(request, "auditor", "read the log")
        context = opened.opened(self._entry(str(entry_id)), request.GET.get("text", ""))
        return draw(request, "log/opened.html", context | {"may_speak": may(request.user, "operator")})

    def body_view(self, request: HttpRequest, entry_id: int) -> HttpResponse:
        """An entry's body as pretty text."""
        return self._text(request, entry_id, opened.body_words)

    def json_view(self, request: HttpRequest, entry_id: int) -> HttpResponse:
        """The entry as JSON, to be copied."""
        return self._text(request, entry_id, opened.as_json)

    def curl_view(self, request: HttpRequest, entry_id: int) -> HttpResponse:
        """The call again, to be copied into a shell."""
        return self._text(request, entry_id, opened.as_curl)

    def _text(self, request: HttpRequest, entry_id: int, tell: Any) -> HttpResponse:
        require_role(request, "auditor", "read the log")
        return HttpResponse(tell(self._entry(str(entry_id))), content_type="text/plain; charset=utf-8")

    def audio_view(self, request: HttpRequest, entry_id: int) -> HttpResponseBase:
        """The sound of its echo as WAV, or with ?only=message of this message alone; ranges are answered."""
        wav = self._sound(request, entry_id)
        try:
            asked = byte_range(request.META.get("HTTP_RANGE"), wav.size)
        except RangeNotSatisfiable:
            return HttpResponse(status=416, headers={"Content-Range": f"bytes */{wav.size}"})
        first, stop = asked or (0, wav.size)
        headers = {"Accept-Ranges": "bytes", "Content-Length": str(stop - first), "Content-Type": "audio/wav"}
        if asked:
            headers["Content-Range"] = f"bytes {first}-{stop - 1}/{wav.size}"
        return streamed(request, wav.blocks(first, stop), 206 if asked else 200, headers)

    def peaks_view(self, request: HttpRequest, entry_id: int) -> HttpResponse:
        """The waveform of what `audio/` gives: seconds, and 0 to 100 a bar."""
        wav = self._sound(request, entry_id)
        return JsonResponse({"seconds": wav.seconds, "peaks": peaks(wav)})

    def _sound(self, request: HttpRequest, entry_id: int) -> Wav:
        require_role(request, "auditor", "hear what was said")
        try:
            wav = opened.sound(self._entry(str(entry_id)), whole=request.GET.get("only") != "message")
        except Clip.DoesNotExist:
            wav = None
        if wav is None or not wav.nbytes:
            raise Http404(f"Entry {entry_id} has no sound here: it never had, or its samples were erased.")
        return wav

    # what the page's buttons do

    def rows_view(self, request: HttpRequest) -> HttpResponse:
        """Rows by their ids, newest first, as the list has them: what the tail told of."""
        require_role(request, "auditor", "read the log")
        ids = [int(part) for part in request.GET.get("ids", "").split(",") if part.isdigit() and len(part) < 19]
        asked = Asked(request.GET)
        try:
            found = reader.filtered(asked.given)
        except reader.FilterError as error:
            return told(request, 400, str(error))
        query = found.search.query if found.search and found.search.asked else None
        rows = _quiet(light(Entry.objects.filter(id__in=ids[-MOST_NEW:])), asked).order_by("-id")
        return draw(request, "log/rows.html", {"entries": lines(list(rows), query)})

    @button("auditor", "export the log")
    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """An export as a run: it goes on when the page is left."""
        filters = {name: value for name in reader.FILTERS if (value := request.POST.get(name, "").strip())}
        return start_by_page(request, "export", {"format": request.POST.get("format"), "filters": filters})

    def _entry(self, object_id: str) -> Entry:
        entry = Entry.objects.filter(pk=object_id).first() if object_id.isdigit() and len(object_id) < 19 else None
        if entry is None:
            raise Http404(opened.why_missing(object_id))
        return entry


def _frame(asked: Asked) -> dict[str, Any]:
    """What the page shows whatever is found."""
    return {
        "title": "Log",
        "asked": asked,
        "entries": [],
        "errors": {},
        "chips": asked.chips(),
        "presets": asked.presets(),
        "noise_address": asked.address(noise=None if asked.noise else "1"),
        "downloads": _downloads(asked),
        "export_run": "export" in KINDS,
        **choices(),
    }


def _downloads(asked: Asked) -> list[tuple[str, str]]:
    """(address, words) of the files that the page offers."""
    try:
        resolve(EXPORT)
    except Resolver404:
        return []
    beside = asked.filters_query()
    formats = {"ndjson": "NDJSON, verifiable", "csv": "CSV, for a spreadsheet", "zip": "The audio, as WAV files (zip)"}
    return [(f"{EXPORT}?format={name}&{beside}".rstrip("&"), words) for name, words in formats.items()]


def _quiet(found: Any, asked: Asked) -> Any:
    return found if asked.noise else without_noise(found, asked.given)


def _live_after(asked: Asked) -> str:
    """From where the page's tail reads on; nothing on a page that can't grow."""
    if asked.cursor or "at_before" in asked.given:
        return ""
    return reader.tail_all(None, asked.given, 1).cursor


def _in_words(fields: dict[str, list[str]]) -> dict[str, str]:
    return {LABELS.get(name, name): " ".join(words) for name, words in fields.items()}


def _beside(request: HttpRequest, cursor: str | None) -> str:
    if cursor is None:
        return ""
    query = request.GET.copy()
    query["cursor"] = cursor
    return "?" + query.urlencode()
