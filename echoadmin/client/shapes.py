"""What the console answers with: its JSON as typed dicts. States are open sets: a new one may come at any time."""

from __future__ import annotations

from typing import Any, TypedDict


class Mirrored(TypedDict):
    """What all mirrored objects have. `id` is the console's; Tavus's has a name of its own."""

    id: str
    state: str
    error: Any
    warnings: list[str]
    created_by: str
    created_at: str
    updated_at: str
    synced_at: str | None
    payload: dict[str, Any]


class Persona(Mirrored):
    """A persona."""

    differs: list[str]

    persona_id: str | None
    persona_name: str
    pipeline_mode: str
    persona_type: str
    default_replica_id: str
    system_prompt: str | None
    layers: dict[str, Any]


class Replica(Mirrored):
    """A replica."""

    replica_id: str | None
    replica_name: str
    status: str
    replica_type: str
    model_name: str
    training_progress: str
    ready: bool


class Participant(TypedDict):
    """Somebody in a room."""

    id: str
    name: str
    joined_at: str
    is_replica: bool
    is_us: bool


class Room(TypedDict):
    """A conversation's Daily room: what is wanted of it, and what is."""

    wanted: str
    state: str
    worker: str | None
    participants: list[Participant]
    replica_present: bool
    error: str


class Conversation(Mirrored):
    """A conversation. `seconds` and `cost` are from its creation to its end, or now."""

    conversation_id: str | None
    conversation_name: str
    conversation_url: str
    status: str
    persona_id: str
    replica_id: str
    persona: str | None
    replica: str | None
    conversational_context: str | None
    properties: dict[str, Any]
    max_call_duration: int | None
    participant_left_timeout: int | None
    audio_only: bool
    test_mode: bool
    webhooks_here: bool
    ended_at: str | None
    ended_reason: str
    seconds: int
    exact_seconds: float
    ended_at_source: str
    cost: str | None  # a decimal number
    currency: str
    room: Room


class Times(TypedDict):
    """When an echo took each step (ISO 8601, UTC); None where it did not, or nobody saw it."""

    queued: str | None
    sending: str | None
    sent: str | None
    speaking: str | None
    spoken: str | None
    ended: str | None


class Echo(TypedDict):
    """One utterance."""

    id: int
    inference_id: str
    conversation: str
    conversation_id: str | None
    modality: str
    text: str
    sample_rate: int | None
    seconds: float
    pacing: str
    position: int
    source: str
    actor: str
    state: str
    reason: str
    detail: str
    times: Times
    chunks: int
    chunks_sent: int
    wire_id: str
    heard_id: str
    closed_at: str | None
    again_of: str | None
    replay_of: int | None
    revision: int
    edited_by: str
    decided_by: str
    decided_at: str | None


class Interrupted(TypedDict):
    """What an interrupt did."""

    cancelled: list[str]
    interrupted: str | None
    confirmed: bool


class Interaction(TypedDict):
    """A message to the replica that is no echo."""

    id: int
    event_type: str
    message: dict[str, Any]
    state: str
    reason: str
    detail: str
    result: Any
    actor: str
    source: str
    queued_at: str
    sent_at: str | None
    ended_at: str | None


class Entry(TypedDict):
    """One row of the log."""

    id: int
    n: int
    at: str
    kind: str
    direction: str | None
    event_type: str | None
    sender: str | None
    sender_name: str | None
    inference_id: str | None
    echo: int | None
    conversation: str | None
    conversation_id: str | None
    actor: str | None
    seq: int | None
    is_error: bool
    message: Any


class Floor(TypedDict):
    """Who alone may speak."""

    name: str
    key: str
    since: str | None


class FloorAnswer(TypedDict):
    """`floor` is None where everybody with the role may speak."""

    floor: Floor | None


class Script(TypedDict):
    """An ordered list of lines and clips."""

    id: str
    name: str
    lines: list[dict[str, Any]]
    variables: dict[str, str]
    seconds: float
    revision: int
    created_by: str
    updated_at: str


class Run(TypedDict):
    """Something long that is done once: an export, a verification, a replay, a script."""

    id: str
    kind: str
    label: str
    params: Any
    state: str
    done: int
    total: int | None
    percent: int | None
    result: Any
    error: str
    file_name: str
    file_bytes: int
    conversation: str
    actor: str
    created_at: str
    started_at: str | None
    ended_at: str | None
    holder: str


class Synced(TypedDict):
    """What a sync found."""

    seen: int
    new: int
    changed: int
    gone: int
    complete: bool
    problems: list[str]
