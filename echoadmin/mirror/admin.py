"""What the pages of personas, replicas and conversations share."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.decorators import display

from echoadmin.read_only import Facts, ReadOnlyAdmin, document
from echoadmin.shown import code, state, when


class MirroredAdmin(ReadOnlyAdmin):
    """Mirrored columns are read-only: what changes them calls upstream, and has a button or a page of its own."""

    search_fields = ("name", "public_id", "upstream_id")
    search_help_text = "Name, or either id"
    change_list_template = "admin/mirror_list.html"
    detail_template = "admin/mirror_detail.html"

    def facts(self, request: HttpRequest, row: Any) -> Facts:
        return [
            ("Here", code(row.public_id)),
            ("At Tavus", code(row.upstream_id)),
            ("Row", state(row.state)),
            *self.own_facts(row),
            ("Made by", row.created_by or "not made here"),
            ("Made", when(row.upstream_created_at or row.created_at)),
            ("Last synced", when(row.synced_at)),
        ]

    def own_facts(self, row: Any) -> Facts:
        """What this kind of object has more than the others."""
        return []

    def documents(self, row: Any) -> list[tuple[str, str]]:
        return document("As Tavus has it", row.payload) + document("As it was asked for", row.requested)

    @display(description="Row", ordering="state")
    def shown_state(self, row: Any) -> SafeString:
        """The row against upstream."""
        return state(row.state)

    @display(description="Tavus id", ordering="upstream_id")
    def shown_upstream_id(self, row: Any) -> SafeString:
        """Upstream's id."""
        return code(row.upstream_id)

    @display(description="Synced", ordering="synced_at")
    def shown_synced(self, row: Any) -> SafeString:
        """When upstream was last asked."""
        return when(row.synced_at)

    @display(description="Made", ordering="id")
    def shown_made(self, row: Any) -> SafeString:
        """When it was made."""
        return when(row.upstream_created_at or row.created_at)
