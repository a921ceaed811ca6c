"""Which rooms may be joined: only those on Daily's domains."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings

from conversations.refusals import Refusal


def check_room_url(url: str) -> None:
    """Raises Refusal for a URL that is not https on one of DAILY_DOMAINS."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if parts.scheme == "https" and any(
        host == domain or host.endswith(f".{domain}") for domain in settings.DAILY_DOMAINS
    ):
        return
    raise Refusal(
        "conversation_url",
        f"The room is at {host or url[:100] or 'no address'}, which is none of {', '.join(settings.DAILY_DOMAINS)}. "
        "If it is right, add its domain to DAILY_DOMAINS.",
    )
