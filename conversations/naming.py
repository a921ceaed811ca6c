"""Tells the log what Tavus calls the conversations that it knows by our ids."""

from __future__ import annotations

from conversations.models import Conversation
from echoadmin.log import api as log_api


def upstream_ids(refs: set[str]) -> dict[str, str | None]:
    """Tavus's ids of conversations by ours. One query."""
    return dict(Conversation.objects.filter(public_id__in=refs).values_list("public_id", "upstream_id"))


log_api.use_upstream_ids(upstream_ids)
