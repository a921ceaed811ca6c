"""`/api/v1/entries/export/`: any filter of the log as a file, while it is read."""

from __future__ import annotations

from collections.abc import Iterator

from django.http.response import HttpResponseBase
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from echoadmin.accounts.limits import anywhere
from echoadmin.accounts.recording import record
from echoadmin.api.paging import number_of
from echoadmin.api.views import View
from echoadmin.log.api import AUDIO, FILTERS, with_audio
from echoadmin.log.export.asking import FORMATS, BadExport, Export, checked
from echoadmin.log.export.pieces import check_after, newest, pieces, source
from echoadmin.streaming import AnyAccept, streamed

OWN = ("format", "audio", "after")
AFTER = "The `id` of the last line that came whole (with `conversation`, its `n`): the rest of the same file follows."


@extend_schema(
    tags=["log"],
    responses={(200, kind): OpenApiTypes.BINARY for kind in FORMATS.values()},
    parameters=[
        OpenApiParameter("format", str, enum=list(FORMATS), description="ndjson by default."),
        OpenApiParameter("after", int, description=AFTER),
        AUDIO,
        *FILTERS,
    ],
)
class EntriesExport(View):
    """The entries that fit, in the order in which they were written, as NDJSON, CSV, or their audio as a zip.

    Entries that come while it is read are not in it. A file that broke off goes on with `after`.
    """

    content_negotiation_class = AnyAccept

    def get(self, request: Request) -> HttpResponseBase:
        """Leaves an entry of who took what."""
        params = request.query_params.dict()
        try:
            filters = {name: value for name, value in params.items() if name not in OWN}
            audio = with_audio(request.query_params, default=False)
            export = checked(params.get("format") or "ndjson", filters, audio, self.limits)
            after = number_of(params.get("after"), "after", 0) or 0
            check_after(export, after)
        except BadExport as error:
            raise ValidationError(error.fields) from None
        until = newest(source(export))
        facts = {"format": export.format, "filters": export.filters, "audio": export.audio, "after": after}
        record("log.exported", self.actor(), facts)
        headers = {
            "Content-Type": export.content_type,
            "Content-Disposition": f'attachment; filename="{export.file_name()}"',
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
        }
        return streamed(request._request, _data(export, after, until), 200, headers)


def _data(export: Export, after: int, until: int) -> Iterator[bytes]:
    for piece in pieces(export, after, until):
        yield piece.data


urlpatterns = [path("entries/export/", EntriesExport.as_view(within=anywhere))]
