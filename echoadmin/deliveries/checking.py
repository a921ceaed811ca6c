"""What a subscription may hold. Each raises ValidationError that names the field."""

from __future__ import annotations

import re
from typing import Any

from django.core.exceptions import ValidationError

from echoadmin.deliveries.addresses import BadAddress, resolve
from echoadmin.deliveries.publishing import EVENT_TYPES, families

LONGEST_URL = 2_000
COLUMNS = {"conversation": "conversation_ref", "persona": "persona_ref"}  # by our names for them
_PREFIXES = {"conversation": "cv", "persona": "pe"}


def check_url(url: Any) -> str:
    """An address that webhooks can, and may, go to; looks its name up."""
    if not isinstance(url, str) or len(url) > LONGEST_URL:
        raise ValidationError({"url": [f"Is a URL of at most {LONGEST_URL:,} characters."]})
    try:
        resolve(url)
    except BadAddress as error:
        raise ValidationError({"url": [str(error)]}) from None
    return url


def check_types(event_types: Any) -> list[str]:
    """Types that somebody tells, or whole families of them."""
    if not isinstance(event_types, list) or not all(isinstance(one, str) for one in event_types):
        raise ValidationError({"event_types": ["Is a list of event types; an empty one means all."]})
    known = [*families(), *sorted(EVENT_TYPES)]
    if strangers := [one for one in event_types if one not in known]:
        words = f"There is no {strangers[0][:80]!r}. There are: {', '.join(known)}."
        raise ValidationError({"event_types": [words]})
    return sorted(set(event_types))


def check_words(description: Any) -> str:
    """A text for people."""
    if not isinstance(description, str) or len(description) > 200:
        raise ValidationError({"description": ["Is a text of at most 200 characters."]})
    return description


def check_flag(enabled: Any) -> bool:
    """True or false."""
    if not isinstance(enabled, bool):
        raise ValidationError({"enabled": ["Is true or false."]})
    return enabled


def check_ref(name: str, value: Any) -> str:
    """Our id of a conversation or a persona; "" for all."""
    prefix = _PREFIXES[name]
    if value in ("", None):
        return ""
    if not isinstance(value, str) or not re.fullmatch(rf"{prefix}_[0-9a-z]{{1,40}}", value):
        raise ValidationError({name: [f"Is this console's own id of a {name}: {prefix}_…"]})
    return value


CHECKS = {
    "url": check_url,
    "event_types": check_types,
    "description": check_words,
    "enabled": check_flag,
    "conversation": lambda value: check_ref("conversation", value),
    "persona": lambda value: check_ref("persona", value),
}


def checked(given: dict[str, Any]) -> dict[str, Any]:
    """The columns of what is given, each checked."""
    return {COLUMNS.get(name, name): CHECKS[name](value) for name, value in given.items()}
