"""What is to be replayed: checked when it is asked for, and from then on the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError

from conversations import interactions
from conversations.models import Conversation, Echo, Wanted
from conversations.refusals import ConversationOver, NotJoined, Refusal
from echoadmin.runs import Asked

MOST_LINES = 2_000
FASTEST = 1_000.0
KNOWN = ("from", "echoes", "to", "speed", "longest_pause", "texts", "dry")


class Line(NamedTuple):
    """One echo to be said: its origin, when (seconds after the first, as it was), and other words for it."""

    origin: int
    at: float
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Replay:
    """`speed`: 2 is twice as fast, 0 without pauses; `longest_pause`: in seconds, after the speed."""

    to: str  # our id
    lines: list[Line]
    speed: float = 1.0
    longest_pause: float | None = None
    dry: bool = False

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Replay:
        """From a run's params."""
        return cls(**{**params, "lines": [Line(*line) for line in params["lines"]]})

    def times(self) -> list[float]:
        """Seconds from the start at which each line is handed over."""
        found: list[float] = []
        for at, line in enumerate(self.lines):
            pause = (line.at - self.lines[at - 1].at) / self.speed if at and self.speed else 0.0
            if self.longest_pause is not None:
                pause = min(pause, self.longest_pause)
            found.append((found[-1] if found else 0.0) + max(0.0, pause))
        return found


def check(params: Mapping[str, Any]) -> Asked:
    """{"to": "cv_…", "from": "cv_…" or "echoes": [3, 4], "speed": 1, "longest_pause": null, "texts": {"3": "Other
    words", "4": null}, "dry": false}; a text of null leaves that echo out. Raises ValidationError, and Refusal where
    the room can't be spoken into now."""
    if strangers := sorted(set(params) - set(KNOWN)):
        raise ValidationError({strangers[0]: [f"A replay takes {', '.join(KNOWN)}."]})
    target = _conversation(params.get("to"), "to")
    dry = params.get("dry", False)
    if not isinstance(dry, bool):
        raise ValidationError({"dry": ["Is true or false."]})
    if not dry:
        check_room(target)
    lines = _lines(_origins(params), _texts(params.get("texts", {})))
    replay = Replay(
        to=target.public_id,
        lines=lines,
        speed=_number(params, "speed", 1.0, FASTEST),
        longest_pause=None if params.get("longest_pause") is None else _number(params, "longest_pause", 0.0, 86_400),
        dry=dry,
    )
    label = f"{len(lines)} echoes into {target.name or target.public_id}{', dry' if dry else ''}"
    return Asked(asdict(replay), label, target.public_id)


def check_room(conversation: Conversation) -> None:
    """Raises ConversationOver and NotJoined."""
    if not conversation.is_active:
        raise ConversationOver("to", "It has ended; nothing can be said in it. Choose a conversation that runs.")
    room = getattr(conversation, "room", None)
    if room is None or room.wanted != Wanted.JOINED:
        raise NotJoined("to", "Its room is not joined, so nobody would hear it. Join it first.")


def _conversation(any_id: Any, name: str) -> Conversation:
    found = None
    if isinstance(any_id, str) and any_id:
        found = Conversation.objects.select_related("room").by_any_id(any_id).first()
    if found is None:
        raise ValidationError({name: ["Is the id of a conversation, ours or Tavus's."]})
    assert isinstance(found, Conversation)
    return found


def _origins(params: Mapping[str, Any]) -> list[Echo]:
    """The echoes in the order in which they are to be said: all that a conversation sent, or those that are named."""
    named, source = params.get("echoes"), params.get("from")
    if (named is None) == (source is None):
        raise ValidationError({"echoes": ["Name echoes, or a conversation in `from`; one of the two."]})
    if source is not None:
        sent = Echo.objects.filter(conversation=_conversation(source, "from"), sending_at__isnull=False)
        found = list(sent.order_by("position")[: MOST_LINES + 1])
    else:
        found = _named(named)
    if not found and named is None:
        raise ValidationError({"from": ["Holds no echo that was sent."]})
    if not found:
        raise ValidationError({"echoes": ["Names no echo. Pick at least one."]})
    if len(found) > MOST_LINES:
        raise ValidationError({"echoes": [f"A replay has at most {MOST_LINES:,} echoes; make several."]})
    return found


def _named(ids: Any) -> list[Echo]:
    whole = isinstance(ids, list) and all(isinstance(one, int) and not isinstance(one, bool) for one in ids)
    if not whole or len(ids) > MOST_LINES or len(set(ids)) < len(ids):
        raise ValidationError({"echoes": [f"Is a list of at most {MOST_LINES:,} numbers of echoes, each once."]})
    rows = {echo.pk: echo for echo in Echo.objects.filter(pk__in=[one for one in ids if 0 < one < 2**63])}
    if missing := [one for one in ids if one not in rows]:
        raise ValidationError({"echoes": [f"There is no echo {missing[0]}."]})
    return [rows[one] for one in ids]


def _texts(given: Any) -> dict[int, str | None]:
    if not isinstance(given, Mapping):
        raise ValidationError({"texts": ['Is an object: {"3": "Other words"}.']})
    texts: dict[int, str | None] = {}
    for name, text in given.items():
        if not name.isascii() or not name.isdigit() or len(name) > 18:
            raise ValidationError({"texts": [f"{name[:20]!r} is no number of an echo."]})
        try:
            texts[int(name)] = None if text is None else interactions.check_text(text)
        except Refusal as refusal:
            raise ValidationError({f"texts.{name}": [refusal.message]}) from None
    return texts


def _lines(origins: Sequence[Echo], texts: dict[int, str | None]) -> list[Line]:
    if strangers := texts.keys() - {echo.pk for echo in origins}:
        raise ValidationError({"texts": [f"Echo {min(strangers)} is none of those that are replayed."]})
    kept = [echo for echo in origins if texts.get(echo.pk, "") is not None]
    if not kept:
        raise ValidationError({"texts": ["Leaves nothing to be said."]})
    first = kept[0].sending_at or kept[0].queued_at
    lines: list[Line] = []
    for echo in kept:
        at = ((echo.sending_at or echo.queued_at) - first).total_seconds()
        lines.append(Line(echo.pk, max(at, lines[-1].at if lines else 0.0), texts.get(echo.pk)))
    return lines


def _number(params: Mapping[str, Any], name: str, default: float, most: float) -> float:
    value = params.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise ValidationError({name: [f"Is a number from 0 to {most:g}."]})
    return float(value)
