"""One conversation as the vendor keeps it, and what it costs."""

import datetime
import secrets
from dataclasses import asdict, dataclass, field, replace
from typing import Any

DEFAULTS = {"participant_left_timeout": 0, "participant_absent_timeout": 300}
DOMAIN = "tavus"


def new_id(letter: str, digits: int = 11) -> str:
    """Return a fresh id in the vendor's style: a letter, then hex digits."""
    return letter + secrets.token_hex(digits)[:digits]


def iso(at: float) -> str:
    """Return epoch seconds as the vendor writes times: ISO 8601, six digits, ``Z``."""
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass
class Conversation:
    """A conversation, from creation to end. Times in epoch seconds, ``longest`` in seconds.

    ``request`` is the body that made it, in the twin's own names.
    """

    conversation_id: str
    vocabulary: str
    request: dict[str, Any]
    name: str
    persona_id: str
    replica_id: str
    created: float
    updated: float
    longest: int
    ended: float | None = None
    shutdown_reason: str | None = None
    meeting_token: str | None = None
    token_expires: float = 0.0
    people_came: bool = False
    deleted: bool = False
    events: list[dict[str, Any]] = field(default_factory=list)
    transcript: list[dict[str, Any]] = field(default_factory=list)

    @property
    def active(self) -> bool:
        return self.ended is None

    @property
    def test_mode(self) -> bool:
        return bool(self.request.get("test_mode"))

    @property
    def callback_url(self) -> str:
        return self.request.get("callback_url") or ""

    @property
    def url(self) -> str:
        return f"https://{DOMAIN}.daily.co/{self.conversation_id}"

    @property
    def max_participants(self) -> int | None:
        return self.request.get("max_participants")

    def limit(self, name: str) -> int:
        """Return the time limit on people who left, or never came, in seconds."""
        given = (self.request.get("properties") or {}).get(name)
        return DEFAULTS[name] if given is None else int(given)

    def seconds(self, now: float) -> float:
        """Return what the vendor bills: the seconds from creation to end; a test costs nothing."""
        return 0.0 if self.test_mode else max((now if self.ended is None else self.ended) - self.created, 0.0)

    def document(self) -> dict[str, Any]:
        """Return it for the store, all but the transcript, whose lines are kept one by one."""
        return asdict(replace(self, transcript=[]))
