"""The lists of echoes and interactions, over all conversations."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django.contrib import admin
from django.http import HttpRequest
from django.template.defaultfilters import truncatechars
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from conversations.models import Echo, Interaction
from echoadmin.accounts.roles import may
from echoadmin.pages import log_address, pretty
from echoadmin.read_only import Facts, ReadOnlyAdmin, address, document
from echoadmin.shown import NOTHING, code, lasting, link, state, when


class SentAdmin(ReadOnlyAdmin):
    """What echoes and interactions share. Lists that grow without end are not counted."""

    paginator = InfinitePaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # each facet is a count of the whole list
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("conversation")

    @display(description="State", ordering="state")
    def shown_state(self, row: Any) -> SafeString:
        """How far it got."""
        return state(row.state)

    @display(description="Conversation")
    def shown_conversation(self, row: Any) -> SafeString:
        """Where."""
        return link(address(row.conversation), row.conversation)

    @display(description="Queued", ordering="id")
    def shown_queued(self, row: Any) -> SafeString:
        """When it was asked for."""
        return when(row.queued_at)


def _link_to(echo: int | None) -> SafeString:
    return link(reverse("admin:conversations_echo_change", args=[echo]), f"echo {echo}") if echo else NOTHING


@admin.register(Echo)
class EchoAdmin(SentAdmin):
    """Every utterance: what was to be said, and how far it got."""

    detail_template = "conversations/echo.html"
    list_display = (
        "shown_words",
        "shown_state",
        "shown_length",
        "shown_conversation",
        "actor",
        "shown_source",
        "shown_queued",
        "reason",
    )
    list_filter = ("state", "modality", "source")
    search_fields = ("inference_id", "text")
    search_help_text = "Words, or an inference_id"

    @display(description="Says")
    def shown_words(self, row: Echo) -> str:
        """Its words, or what it is."""
        return truncatechars(row.text, 80) if row.text else f"{row.modality} {row.inference_id}"

    @display(description="Length")
    def shown_length(self, row: Echo) -> str:
        """How long it lasts; of a text, as estimated."""
        return ("" if row.modality == "audio" else "≈ ") + lasting(row.seconds)

    @display(description="Source")
    def shown_source(self, row: Echo) -> SafeString | str:
        """By what it came; of one that says another again, that one."""
        origin = row.replay_of or row.again_of_id
        return format_html("{}, of {}", row.source, _link_to(origin)) if origin else row.source

    def facts(self, request: HttpRequest, row: Echo) -> Facts:
        times = [(name.capitalize(), when(at)) for name, at in row.times.items()]
        return [
            ("State", state(row.state)),
            ("Why", " ".join(part for part in (row.reason, row.detail) if part)),
            ("Conversation", self.shown_conversation(row)),
            ("Inference id", code(row.inference_id)),
            ("As sent", code(row.wire_id)),
            ("As the replica gave it back", code(row.heard_id)),
            ("Kind", row.modality),
            ("Length", self.shown_length(row)),
            ("Messages", f"{row.chunks_sent} taken by the room of {row.chunks} in the log"),
            ("By", f"{row.actor}, by {row.source}"),
            ("Says again", _link_to(row.replay_of or row.again_of_id)),
            *times,
            ("In the log", link(log_address(conversation=row.conversation.public_id, echo=str(row.pk)), "its entries")),
        ]

    def more_context(self, request: HttpRequest, row: Echo) -> dict[str, Any]:
        """Where an audio echo's sound is, and where it is said again."""
        replay = f"{address(row.conversation, 'replay')}?echo={row.pk}" if may(request.user, "operator") else ""
        path = f"/api/v1/conversations/{row.conversation.public_id}/echoes/{quote(row.inference_id)}/audio/"
        return {"sound": path if row.clip_id else "", "replay": replay}

    def documents(self, row: Echo) -> list[tuple[str, str]]:
        return [("What is said", row.text)] if row.text else []


@admin.register(Interaction)
class InteractionAdmin(SentAdmin):
    """Every other message that was to be sent."""

    list_display = ("event_type", "shown_state", "shown_conversation", "actor", "source", "shown_queued", "reason")
    list_filter = ("state", "event_type", "source")

    def facts(self, request: HttpRequest, row: Interaction) -> Facts:
        return [
            ("State", state(row.state)),
            ("Why", " ".join(part for part in (row.reason, row.detail) if part)),
            ("Conversation", self.shown_conversation(row)),
            ("By", f"{row.actor}, by {row.source}"),
            ("Queued", when(row.queued_at)),
            ("Sent", when(row.sent_at)),
            ("Ended", when(row.ended_at)),
        ]

    def documents(self, row: Interaction) -> list[tuple[str, str]]:
        return [("Message", pretty(row.message)), *document("What came of it", row.result)]
