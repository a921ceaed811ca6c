"""Drafts for the log's tests."""

from __future__ import annotations

from typing import Any

from echoadmin.log.writer import Draft


def draft(stream: str = "cv_1", **columns: Any) -> Draft:
    """An inbound utterance, but for what is given."""
    usual: dict[str, Any] = {
        "kind": "app_message",
        "event_type": "conversation.utterance",
        "direction": "in",
        "family": "utterance",
        "sender": "replica-1",
        "conversation_ref": None if stream == "account" else stream,
        "message": {"event_type": "conversation.utterance", "properties": {"speech": "Hello"}},
    }
    return Draft(stream, **{**usual, **columns})
