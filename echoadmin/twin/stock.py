"""What a new Tavus account already holds: stock replicas and personas, the common integrations' defaults among them.

``re8e740a42`` is the echo quickstart's; ``pipecat0`` and ``pipecat-stream`` are pipecat's; ``r4067604db72`` and
``pb87e71797da`` are LiveKit's. A name given in another test or tutorial can simply be made.
"""

from typing import Any

BORN = "2024-01-24T07:14:03.327000Z"
ECHO_TRANSPORT = {"transport_type": "daily", "input_settings": {"microphone": "disabled"}}
# The stock persona that Tavus takes when a conversation names only a replica.
FALLBACK_PERSONA = "pdced222244b"

NAMES = {
    "re8e740a42": ("Nathan - Office", "phoenix-3"),
    "r4067604db72": ("Lucy - Home", "phoenix-4.5"),
    "r90bbd427f71": ("Anna - Studio", "phoenix-4"),
    "rf4703150052": ("Charlie - Desk", "phoenix-4"),
    "r5f0577fc829": ("Rose - Window", "phoenix-4"),
}


def replicas() -> list[dict[str, Any]]:
    """Return the stock replicas, trained and ready, in the twin's own names."""
    return [
        {
            "replica_id": replica_id, "replica_name": name, "status": "completed", "training_progress": "100/100",
            "error_message": None, "replica_type": "system", "model_name": model, "default_voice_id": None,
            "original_voice_id": None, "created_at": BORN, "updated_at": BORN,
        }
        for replica_id, (name, model) in NAMES.items()
    ]  # fmt: skip


def personas() -> list[dict[str, Any]]:
    """Return the stock personas in the twin's own names."""
    echo = {"transport": ECHO_TRANSPORT}
    livekit = {"transport": {"transport_type": "livekit"}}
    return [
        _persona("pipecat0", "pipecat0", "echo", "r90bbd427f71", layers=echo),
        _persona("pipecat-stream", "pipecat-stream", "echo", "r90bbd427f71", layers={
            "transport": {"transport_type": "daily", "input_settings": {"microphone": "enabled"}}}),
        _persona("pb87e71797da", "LiveKit", "echo", "r4067604db72", layers=livekit),
        _persona(FALLBACK_PERSONA, "Sales Coach", "full", "re8e740a42",
                 system_prompt="You are a sales coach who helps people to practise their pitch."),
        _persona("p5317866", "Interviewer", "full", "r90bbd427f71",
                 system_prompt="You are an interviewer. Ask one question at a time."),
    ]  # fmt: skip


def _persona(
    persona_id: str, name: str, mode: str, replica_id: str, *, system_prompt: str = "", layers: Any = None
) -> dict[str, Any]:
    return {
        "persona_id": persona_id, "persona_name": name, "persona_type": "system", "pipeline_mode": mode,
        "system_prompt": system_prompt, "default_replica_id": replica_id, "document_ids": [], "document_tags": [],
        "layers": layers or {}, "greeting": "", "dynamic_greeting": False, "tool_ids": [], "guardrail_ids": [],
        "conferencing_email": None, "created_at": BORN, "updated_at": BORN,
    }  # fmt: skip
