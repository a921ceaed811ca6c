"""Who does something: a snapshot that is written beside every echo and every entry."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What a key is limited to: personas with their conversations, and conversations, by our ids (pe_…, cv_…)."""

    personas: tuple[str, ...] = ()
    conversations: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ", ".join((*self.personas, *self.conversations))


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, a key of theirs, or the console itself, as they were at that moment.

    `name` is the user's name ("ana"), "system", or "ana (key tts)"; `api_key_ref` is the key's prefix; `source` says by
    which door they came: page, rest, websocket, quickstart, command, replay, script or system. `reviewed`: what
    they say waits for a second person. `limits`: of their key; they see and do nothing outside of them.
    """

    name: str
    user_id: int | None = None
    api_key_ref: str | None = None
    role: str | None = None
    request_id: str | None = None
    source: str = "system"
    reviewed: bool = False
    limits: Limits | None = None


SYSTEM = Actor(name="system")
