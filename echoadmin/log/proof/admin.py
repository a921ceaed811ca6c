"""Pages of proof and of keeping, to read: checkpoints, what was pruned, what is on hold."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, Subquery
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.decorators import display

from echoadmin.log.models import Checkpoint, Hold, Pruned, SigningKey, Stream
from echoadmin.log.proof import checkpoints
from echoadmin.read_only import Facts, ReadOnlyAdmin
from echoadmin.shown import code, when


@admin.register(Checkpoint)
class CheckpointAdmin(ReadOnlyAdmin):
    """Where streams ended at a moment, signed."""

    list_display = ("number", "shown_at", "heads", "shown_key", "shown_sha256")
    ordering = ("-number",)

    @display(description="Signed", ordering="at")
    def shown_at(self, row: Checkpoint) -> SafeString:
        """When."""
        return when(row.at)

    @display(description="Key")
    def shown_key(self, row: Checkpoint) -> SafeString | str:
        """Which key signed it."""
        return code(row.key_id)

    @display(description="SHA-256")
    def shown_sha256(self, row: Checkpoint) -> SafeString | str:
        """Of its document, as the next one holds it."""
        return code(bytes(row.sha256).hex())

    def facts(self, request: HttpRequest, row: Any) -> Facts:
        return [
            ("Signed", when(row.at)),
            ("Streams that had grown", row.heads),
            ("Key", code(row.key_id)),
            ("SHA-256 of the document", code(bytes(row.sha256).hex())),
            ("SHA-256 of the one before", code(bytes(row.previous).hex())),
            ("Signature", code(bytes(row.signature).hex())),
        ]

    def documents(self, row: Any) -> list[tuple[str, str]]:
        return [("What was signed", checkpoints.stored_document(row).decode("ascii"))]


@admin.register(SigningKey)
class SigningKeyAdmin(ReadOnlyAdmin):
    """The public keys that signed here."""

    list_display = ("key_id", "shown_public", "shown_first")

    @display(description="Public key")
    def shown_public(self, row: SigningKey) -> SafeString | str:
        """As `verify_export.py --key` takes it."""
        return code(checkpoints.key_line(row.key_id, bytes(row.public_key))["public_key"])

    @display(description="First used", ordering="first_used_at")
    def shown_first(self, row: SigningKey) -> SafeString:
        """Since when."""
        return when(row.first_used_at)

    def facts(self, request: HttpRequest, row: Any) -> Facts:
        return [("Public key", self.shown_public(row)), ("First used", when(row.first_used_at))]


@admin.register(Pruned)
class PrunedAdmin(ReadOnlyAdmin):
    """Entries that went by age: their leaves are kept, so that the chain still verifies."""

    list_display = ("id", "shown_stream", "first_n", "last_n", "count", "rule", "shown_at")
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> Any:
        name = Stream.objects.filter(pk=OuterRef("stream")).values("public_id")
        return super().get_queryset(request).defer("leaves").annotate(stream_name=Subquery(name))

    @display(description="Stream")
    def shown_stream(self, row: Pruned) -> SafeString | str:
        """Its public id."""
        return code(getattr(row, "stream_name", None))

    @display(description="Pruned", ordering="at")
    def shown_at(self, row: Pruned) -> SafeString:
        """When."""
        return when(row.at)

    def facts(self, request: HttpRequest, row: Any) -> Facts:
        return [
            ("Stream", self.shown_stream(row)),
            ("Entries", row.count),
            ("Numbers", row.numbers if len(row.numbers) < 1000 else f"{row.numbers[:1000]}…"),
            ("Rule", row.rule),
            ("Pruned", when(row.at)),
            ("Key", code(row.key_id)),
            ("Signature", code(bytes(row.signature).hex())),
        ]


@admin.register(Hold)
class HoldAdmin(ReadOnlyAdmin):
    """Conversations of which nothing may be pruned or erased: now, and in the past."""

    list_display = ("conversation_ref", "reason", "actor", "shown_placed", "shown_released")
    ordering = ("-id",)

    @display(description="Placed", ordering="placed_at")
    def shown_placed(self, row: Hold) -> SafeString:
        """When."""
        return when(row.placed_at)

    @display(description="Released", ordering="released_at")
    def shown_released(self, row: Hold) -> SafeString | str:
        """When; nothing while it holds."""
        return when(row.released_at) if row.released_at else "on hold"

    def facts(self, request: HttpRequest, row: Any) -> Facts:
        return [
            ("Conversation", code(row.conversation_ref)),
            ("Reason", row.reason),
            ("Placed", when(row.placed_at)),
            ("By", row.actor),
            ("Released", self.shown_released(row)),
            ("By", row.released_by),
            ("Reason for that", row.release_reason),
        ]
