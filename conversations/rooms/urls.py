"""Which rooms may be joined: only those on Daily's domains."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings

from conversations.refusals import Refusal
from conversations.rooms.events import JoinFailed


def check_room_url(url: str) -> None:
    """Raises Refusal for a URL that is not https on one of DAILY_DOMAINS."""
    scheme, host = _scheme_and_host(url)
    if scheme == "https" and any(host == domain or host.endswith(f".{domain}") for domain in settings.DAILY_DOMAINS):
        return
    raise Refusal(
        "conversation_url",
        f"The room is at {host or url[:100] or 'no address'}, which is none of {', '.join(settings.DAILY_DOMAINS)}. "
        "If it is right, add its domain to DAILY_DOMAINS.",
    )


def check_before_joining(url: str) -> None:
    """The same where a room is joined, whoever wanted it and when; raises JoinFailed."""
    try:
        check_room_url(url)
    except Refusal as refusal:
        raise JoinFailed("not_allowed", refusal.message) from refusal


def _scheme_and_host(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
        return parts.scheme, (parts.hostname or "").lower()
    except ValueError:  # brackets that don't close, and the like
        return "", ""
