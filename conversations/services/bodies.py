"""What a new conversation is asked for with: the caller's body, our defaults, and what is odd in it."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from django.conf import settings

from conversations.models import Conversation
from conversations.webhooks import secrets
from echoadmin.mirror.kinds import Payload
from echoadmin.tavus.errors import InvalidRequest
from echoadmin.tavus.wire import to_wire
from personas.mirrored import PERSONA, REPLICA, upstream_id_for
from personas.models import Persona


def read_body(body: Any) -> Payload:
    """The caller's body in the old vocabulary, with upstream's ids. Raises InvalidRequest for what this console must
    be able to read itself, NotPossible for a persona or replica that upstream doesn't have; all else is upstream's to
    judge.
    """
    if not isinstance(body, dict):
        raise InvalidRequest("A conversation is a JSON object.", fields={"body": ["must be a JSON object"]})
    asked = to_wire(body, "persona")
    for name, kind, words in (
        ("properties", dict, "an object"),
        ("callback_url", str, "a URL"),
        ("test_mode", bool, "true or false"),
    ):
        if asked.get(name) is not None and not isinstance(asked[name], kind):
            raise InvalidRequest(f"{name} must be {words}.", fields={name: [f"must be {words}"]})
    for name, mirrored in (("persona_id", PERSONA), ("replica_id", REPLICA)):
        if name in asked:
            asked[name] = upstream_id_for(mirrored, name, asked[name])
    return asked


def with_defaults(asked: Payload, public_id: str) -> Payload:
    """The body as it will be sent: with limits, and with our webhook's address, unless the caller gave their own.

    The vendor's own `participant_left_timeout` of 0 would end a paid conversation when this console restarts.
    """
    limits = {
        "participant_left_timeout": settings.PARTICIPANT_LEFT_TIMEOUT,
        "max_call_duration": settings.MAX_CALL_DURATION,
    }
    sent = {**asked, "properties": {**limits, **(asked.get("properties") or {})}}
    if not asked.get("callback_url") and settings.PUBLIC_URL:
        sent["callback_url"] = webhook_url(public_id)
    return sent


def webhook_url(public_id: str) -> str:
    """Where upstream reports to this console about one conversation; the address holds the installation's secret."""
    return f"{secrets.base_url()}?{urlencode({'ref': public_id})}"


def is_our_webhook(url: Any) -> bool:
    """Whether a `callback_url` leads to this console, with a secret of today or of before."""
    if not settings.PUBLIC_URL or not isinstance(url, str):
        return False
    before, _, after = url.partition("/webhooks/tavus/")
    return before == settings.PUBLIC_URL and "/" in after and secrets.is_ours(after.partition("/")[0])


def reference_in(payload: Payload) -> str:
    """Our own id from an upstream row's `callback_url`; "" when it has none."""
    url = payload.get("callback_url")
    try:
        return parse_qs(urlsplit(url).query).get("ref", [""])[0] if isinstance(url, str) else ""
    except ValueError:
        return ""


def warnings_about(asked: Payload, persona: Persona | None, *, join: bool) -> list[str]:
    """What is odd in the body that the caller gave, in words. It is sent as given all the same."""
    properties = asked.get("properties") or {}
    told = []
    if properties.get("participant_left_timeout") == 0:
        told.append(
            "participant_left_timeout is 0: it ends when the last participant leaves, also when this console restarts."
        )
    if asked.get("callback_url") and not is_our_webhook(asked["callback_url"]):
        told.append("It has a callback_url of its own: its webhooks don't come to this console.")
    if asked.get("test_mode") and join:
        told.append("With test_mode it ends at once, so there is no room to join.")
    return told + _about_echo(asked, persona)


def _about_echo(asked: Payload, persona: Persona | None) -> list[str]:
    if not asked.get("persona_id"):
        return ["It names no persona_id: Tavus takes a stock persona, which is none for echoes."]
    if persona is None or not persona.pipeline_mode:
        return []
    if not persona.is_echo:
        return [
            f"The persona's pipeline_mode is {persona.pipeline_mode}, not echo: the replica also speaks for itself."
        ]
    useless = [name for name in ("conversational_context", "custom_greeting") if asked.get(name)]
    return [f"{name} is of no use with an echo persona." for name in useless]


def columns_of(sent: Payload) -> dict[str, Any]:
    """The columns of a conversation that is asked for with this body."""
    properties = sent["properties"]
    return {
        "name": str(sent.get("conversation_name") or "")[:300],
        "upstream_persona_id": str(sent.get("persona_id") or "")[:128],
        "upstream_replica_id": str(sent.get("replica_id") or "")[:128],
        "max_call_duration": _seconds(properties.get("max_call_duration")),
        "participant_left_timeout": _seconds(properties.get("participant_left_timeout")),
        "audio_only": sent.get("audio_only") is True,
        "test_mode": sent.get("test_mode") is True,
        "webhooks_here": is_our_webhook(sent.get("callback_url")),
    }


def _seconds(value: Any) -> int | None:
    fits = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31
    return value if fits else None


def refers(row: Conversation, payload: Payload) -> bool:
    """Whether an upstream row carries this row's reference."""
    return reference_in(payload) == row.public_id
