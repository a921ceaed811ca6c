"""What a script's run is started with: its lines as they are now, filled in. Changing the script changes no run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError

from conversations.models import Conversation, Script
from conversations.refusals import NotNow
from conversations.replay.asking import check_room
from conversations.scripts.lines import check_lines, fill
from echoadmin.runs import ENDED, Asked, Run

KNOWN = ("script", "to", "variables")


class ScriptRuns(NotNow):
    """Another script has not ended in this conversation."""

    code = "script_running"


def check(params: Mapping[str, Any]) -> Asked:
    """{"script": "sc_…", "to": "cv_…", "variables": {"guest": "Ana"}}. Raises ValidationError, and Refusal where the
    room can't be spoken into now."""
    if strangers := sorted(set(params) - set(KNOWN)):
        raise ValidationError({strangers[0]: [f"A script's run takes {', '.join(KNOWN)}."]})
    script = _script(params.get("script"))
    target = _conversation(params.get("to"))
    lines = fill(check_lines(script.lines), script.variables, params.get("variables") or {})
    check_room(target)
    _check_alone(target)
    asked = {"script": script.public_id, "name": script.name, "revision": script.revision}
    label = f"{script.name} into {target.name or target.public_id}"
    return Asked(asked | {"to": target.public_id, "lines": lines}, label, target.public_id)


def _check_alone(target: Conversation) -> None:
    """Two scripts would speak between each other's lines. Raises ScriptRuns."""
    runs = Run.objects.filter(kind="script", conversation_ref=target.public_id).exclude(state__in=ENDED)
    if (other := runs.first()) is not None:
        words = f"A script has not ended there: {other.params['name']}, which is {other.state}. Stop it first."
        raise ScriptRuns("to", words)


def _script(public_id: Any) -> Script:
    found = Script.objects.filter(public_id=public_id[:32]).first() if isinstance(public_id, str) else None
    if found is None:
        raise ValidationError({"script": ["Is the id of a script. They are listed under /api/v1/scripts/."]})
    return found


def _conversation(any_id: Any) -> Conversation:
    found = None
    if isinstance(any_id, str) and any_id:
        found = Conversation.objects.select_related("room").by_any_id(any_id).first()
    if found is None:
        raise ValidationError({"to": ["Is the id of a conversation, ours or Tavus's."]})
    assert isinstance(found, Conversation)
    return found
