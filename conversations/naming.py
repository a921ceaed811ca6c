"""Tells the log what Tavus, and what people, call the conversations that it knows by our ids."""

from __future__ import annotations

from conversations.models import Conversation
from echoadmin.log import api as log_api
from echoadmin.log import naming as log_naming


def upstream_ids(refs: set[str]) -> dict[str, str | None]:
    """Tavus's ids of conversations by ours. One query."""
    return dict(Conversation.objects.filter(public_id__in=refs).values_list("public_id", "upstream_id"))


def names(refs: set[str]) -> dict[str, str]:
    """What people call conversations, by our ids. One query."""
    return dict(Conversation.objects.filter(public_id__in=refs).exclude(name="").values_list("public_id", "name"))


log_api.use_upstream_ids(upstream_ids)
log_naming.use_names(names)
