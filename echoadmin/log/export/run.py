"""An export as a run: left and come back to, its file in the database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError

from echoadmin.log.export.asking import BadExport, Export, checked
from echoadmin.log.export.pieces import count, newest, pieces, source
from echoadmin.runs import Asked, Held, run_kind

REPORT_BYTES = 4 * 1024 * 1024  # between two reports, about
KNOWN = ("format", "filters", "audio")


def check(params: Mapping[str, Any]) -> Asked:
    """{"format": "ndjson", "filters": {…}, "audio": false}. Raises ValidationError."""
    if strangers := sorted(set(params) - set(KNOWN)):
        raise ValidationError({strangers[0]: [f"An export takes {', '.join(KNOWN)}."]})
    filters = params.get("filters") or {}
    if not isinstance(filters, Mapping):
        raise ValidationError({"filters": ['Is an object, such as {"kind": "webhook"}.']})
    try:
        export = checked(params.get("format"), filters, params.get("audio", False))
    except BadExport as error:
        raise ValidationError(error.fields) from None
    asked = {"format": export.format, "filters": export.filters, "audio": export.audio}
    return Asked(asked, export.label, export.filters.get("conversation", ""))


@run_kind("export", role="auditor", check=check)
def export_run(held: Held) -> dict[str, Any]:
    """Entries that come while it runs are not in it. A zip that was broken off begins again."""
    export = Export(**held.params)
    place = held.cursor
    if place is None or export.format == "zip":
        place = _begin(held, export)
    entries, after = place["entries"], place["after"]
    size = 0
    for piece in pieces(export, after, place["until"]):
        held.write(piece.data)
        entries, after, size = entries + piece.entries, piece.after, size + len(piece.data)
        if size >= REPORT_BYTES:
            held.progress(entries, cursor={**place, "entries": entries, "after": after})
            size = 0
    held.progress(entries, total=entries, cursor={**place, "entries": entries, "after": after})
    return {"entries": entries, "until": place["until"]}


def _begin(held: Held, export: Export) -> dict[str, int]:
    found = source(export)
    place = {"entries": 0, "after": 0, "until": newest(found)}
    held.begin_file(export.file_name(held.run.created_at), export.content_type)
    held.progress(0, total=count(export, found, 0, place["until"]), cursor=place)
    return place
