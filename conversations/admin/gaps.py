"""The list of gaps, over all conversations: where the record is known to be incomplete."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from conversations.models.gap import Gap
from echoadmin.read_only import Facts, ReadOnlyAdmin, address
from echoadmin.shown import lasting, link, state, when


@admin.register(Gap)
class GapAdmin(ReadOnlyAdmin):
    """Gaps are found, never made by hand."""

    paginator = InfinitePaginator
    show_full_result_count = False
    ordering = ("-id",)
    list_display = (
        "shown_kind",
        "shown_conversation",
        "shown_count",
        "shown_from",
        "shown_length",
        "reason",
        "shown_expected",
        "shown_place",
    )
    list_filter = ("kind", "expected")
    search_fields = ("conversation__public_id", "conversation__name")
    search_help_text = "A conversation’s id here, or its name"

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("conversation")

    @display(description="What", ordering="kind")
    def shown_kind(self, row: Gap) -> str:
        """In words."""
        return row.get_kind_display()

    @display(description="Conversation")
    def shown_conversation(self, row: Gap) -> SafeString:
        """Whose record it is."""
        return link(address(row.conversation), row.conversation)

    @display(description="How many")
    def shown_count(self, row: Gap) -> str:
        """Messages or entries that it is about, and their numbers."""
        if row.count is None:
            return ""
        if row.first_seq is None:
            return f"{row.count:,}"
        last = "" if row.last_seq in (None, row.first_seq) else f" to {row.last_seq}"
        return f"{row.count:,} (seq {row.first_seq}{last})"

    @display(description="From", ordering="from_at")
    def shown_from(self, row: Gap) -> SafeString:
        """Since when."""
        return when(row.from_at)

    @display(description="Length")
    def shown_length(self, row: Gap) -> str:
        """How long it was."""
        return "it lasts" if row.seconds is None else lasting(round(row.seconds, 1))

    @display(description="Expected", ordering="expected")
    def shown_expected(self, row: Gap) -> SafeString:
        """Whether anybody has to mind."""
        return state("expected" if row.expected else "unexpected")

    @display(description="Where")
    def shown_place(self, row: Gap) -> SafeString:
        """The entry before which it shows."""
        stream = row.conversation.public_id
        return link(reverse("admin:log_entry_of", args=[stream, row.n]), f"entry {row.n}")

    def facts(self, request: HttpRequest, row: Gap) -> Facts:
        timeline = reverse("admin:log_entry_timeline", args=[row.conversation.public_id])
        return [
            ("What", self.shown_kind(row)),
            ("Conversation", self.shown_conversation(row)),
            ("How many", self.shown_count(row)),
            ("From", when(row.from_at)),
            ("To", when(row.to_at) if row.to_at else "it lasts"),
            ("Length", self.shown_length(row)),
            ("Sender", row.sender),
            ("Why", row.reason),
            ("Expected", "yes: nobody wanted it otherwise" if row.expected else "no"),
            ("Where it shows", self.shown_place(row)),
            ("Timeline", link(timeline, "the conversation on one clock")),
        ]

    def more_context(self, request: HttpRequest, row: Gap) -> dict[str, Any]:
        return {"title": self.shown_kind(row)}
