"""What an echo persona needs, and what is odd in a persona that was asked for."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

# docs.tavus.io, Echo Mode: app messages drive the replica, the participants' microphones don't
ECHO_TRANSPORT: dict[str, Any] = {"transport_type": "daily", "input_settings": {"microphone": "disabled"}}
_USELESS_IN_ECHO = (
    "system_prompt",
    "context",
    "greeting",
    "document_ids",
    "document_tags",
    "objectives_id",
    "guardrails_id",
)
_USELESS_LAYERS = ("llm", "stt", "perception", "conversational_flow")


def echo_persona(*, name: str, replica_id: str = "", microphone: str = "disabled") -> dict[str, Any]:
    """The body of a persona that says what it is sent. microphone: `enabled` lets the replica also say participants'
    speech."""
    transport = deepcopy(ECHO_TRANSPORT)
    transport["input_settings"]["microphone"] = microphone
    body: dict[str, Any] = {"persona_name": name, "pipeline_mode": "echo", "layers": {"transport": transport}}
    return body | ({"default_replica_id": replica_id} if replica_id else {})


def with_echo_transport(body: dict[str, Any]) -> dict[str, Any]:
    """An echo persona without `layers.transport` gets the one that echoes need; any other body comes back as it
    is."""
    layers = body.get("layers") or {}
    if body.get("pipeline_mode") != "echo" or not isinstance(layers, dict) or layers.get("transport"):
        return body
    return {**body, "layers": {**layers, "transport": deepcopy(ECHO_TRANSPORT)}}


def warnings_about(body: dict[str, Any]) -> list[str]:
    """What is odd in the body of a persona, in words. It is forwarded as given all the same."""
    if body.get("pipeline_mode") != "echo":
        return []
    told = [f"{field} has no effect in echo mode." for field in _USELESS_IN_ECHO if body.get(field)]
    layers = body.get("layers") if isinstance(body.get("layers"), dict) else {}
    told += [f"layers.{layer} has no effect in echo mode." for layer in _USELESS_LAYERS if layers and layers.get(layer)]
    if not body.get("default_replica_id"):
        told.append("No default_replica_id: each conversation must name a replica_id.")
    return told
