"""Who did what, as entries of the stream `account`."""

from __future__ import annotations

from typing import Any

from echoadmin.actors import Actor
from echoadmin.log.models import Kind, Stream
from echoadmin.log.writer import Draft, append


def record(event_type: str, actor: Actor, facts: dict[str, Any], *, is_error: bool = False) -> None:
    """One `operator` entry. `facts` are JSON and hold no secret. In an open transaction, make it the last statement."""
    entry = Draft(
        stream=Stream.ACCOUNT,
        kind=Kind.OPERATOR,
        event_type=event_type,
        actor=actor.name,
        api_key_ref=actor.api_key_ref,
        request_id=actor.request_id,
        is_error=is_error,
        message=facts,
    )
    append([entry])
