"""What webhooks out need of a database: the triggers that note changes of states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Tags, register

from conversations.changes import triggers
from echoadmin.trigger_checks import lacking

FIRST = ("conversations", "0008_webhooks")  # from this migration on there are triggers


@register(Tags.database)
def triggers_are_there(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Without them, subscriptions are told of nothing."""
    missing = lacking(databases, FIRST, triggers.missing)
    if not missing:
        return []
    return [
        Error(
            f"Triggers of webhooks out are not as they should be: {', '.join(missing)}.",
            hint="`manage.py migrate --skip-checks` makes them anew. What changed meanwhile was told to nobody.",
            id="echoadmin.E010",
        )
    ]
