"""Personas, replicas and conversations."""

from __future__ import annotations

from typing import Any, Literal

from echoadmin.client.calls import API, Call, Pages, Until, at, get, pages, post
from echoadmin.client.shapes import (
    Conversation,
    Persona,
    Replica,
    Synced,
)


def personas(**filters: Any) -> Pages[Persona]:
    """All personas, newest first; filters as the API takes them: name, state, pipeline_mode, persona_type."""
    return pages("personas/", **filters)


def persona(persona_id: str) -> Call[Persona]:
    """One persona, as the console knows it."""
    return get(at("personas", persona_id))


def create_persona(
    name: str, *, pipeline_mode: str = "echo", idempotency_key: str | None = None, **fields: Any
) -> Call[Persona]:
    """A new persona at Tavus; `fields` are Tavus's: system_prompt, default_replica_id, layers, …"""
    body = {"persona_name": name, "pipeline_mode": pipeline_mode, **fields}
    return post("personas/", body, key=idempotency_key)


def delete_persona(persona_id: str) -> Call[None]:
    """Deletes it at Tavus; the console's row stays, as gone."""
    return Call("DELETE", API + at("personas", persona_id))


def replicas(**filters: Any) -> Pages[Replica]:
    """All replicas; filters: name, state, status, replica_type."""
    return pages("replicas/", **filters)


def replica(replica_id: str) -> Call[Replica]:
    """One replica, as the console knows it."""
    return get(at("replicas", replica_id))


def sync(kind: Literal["personas", "replicas", "conversations"], *, idempotency_key: str | None = None) -> Call[Synced]:
    """Reads all of a kind anew from Tavus."""
    return post(at(kind, "sync"), key=idempotency_key)


def conversations(**filters: Any) -> Pages[Conversation]:
    """All conversations, newest first; filters: state, status, persona, replica, room, name."""
    return pages("conversations/", **filters)


def conversation(conversation_id: str) -> Call[Conversation]:
    """One conversation, as the console knows it."""
    return get(at("conversations", conversation_id))


def create_conversation(
    *,
    persona_id: str,
    replica_id: str | None = None,
    name: str | None = None,
    join: bool = False,
    idempotency_key: str | None = None,
    **fields: Any,
) -> Call[Conversation]:
    """A new conversation at Tavus, whose clock and price run from then on; `fields` are Tavus's."""
    named = {"persona_id": persona_id, "replica_id": replica_id, "conversation_name": name}
    body = {**{field: value for field, value in named.items() if value is not None}, "join": join, **fields}
    return post("conversations/", body, key=idempotency_key)


def join(conversation_id: str, *, idempotency_key: str | None = None) -> Call[Conversation]:
    """Have the console enter the room; it is in it once `room.state` says joined."""
    return post(at("conversations", conversation_id, "join"), key=idempotency_key)


def leave(conversation_id: str, *, idempotency_key: str | None = None) -> Call[Conversation]:
    """Have the console leave the room; Tavus ends a conversation some time after the last one left."""
    return post(at("conversations", conversation_id, "leave"), key=idempotency_key)


def end(conversation_id: str, *, idempotency_key: str | None = None) -> Call[Conversation]:
    """End it at Tavus, which stops its clock. One that has ended stays as it is."""
    return post(at("conversations", conversation_id, "end"), key=idempotency_key)


def sync_conversation(conversation_id: str, *, idempotency_key: str | None = None) -> Call[Conversation]:
    """Read it anew from Tavus."""
    return post(at("conversations", conversation_id, "sync"), key=idempotency_key)


def until_joined(conversation_id: str, *, seconds: float = 60.0) -> Until[Conversation]:
    """Until the console is in the room and the replica, too: now it can be spoken. Raises TookTooLong."""

    def done(found: Conversation) -> bool:
        return found["room"]["state"] == "joined" and found["room"]["replica_present"]

    return Until(conversation(conversation_id), done, f"{conversation_id}: joined, and the replica there", seconds)
