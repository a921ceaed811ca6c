"""Checks of request bodies, with the words of the validator that the vendor uses (marshmallow)."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from .refusals import Invalid
from .vocabulary import NEW, Vocabulary

Check = Callable[[Any], str | None]


def text(value: Any) -> str | None:
    return None if isinstance(value, str) else "Not a valid string."


def boolean(value: Any) -> str | None:
    return None if isinstance(value, bool) else "Not a valid boolean."


def integer(value: Any) -> str | None:
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**31
    return None if whole else "Not a valid integer."


def mapping(value: Any) -> str | None:
    return None if isinstance(value, dict) else "Not a valid mapping type."


def any_list(value: Any) -> str | None:
    return None if isinstance(value, list) else "Not a valid list."


def url(value: Any) -> str | None:
    if not isinstance(value, str):
        return "Not a valid string."
    parts = urlsplit(value)
    return None if value == "" or (parts.scheme in ("http", "https") and parts.hostname) else "Not a valid URL."


def texts(at_most: int | None = None) -> Check:
    def check(value: Any) -> str | None:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            return "Not a valid list."
        return f"Longer than maximum length {at_most}." if at_most and len(value) > at_most else None

    return check


def one_of(*choices: str) -> Check:
    def check(value: Any) -> str | None:
        return None if value in choices else f"Must be one of: {', '.join(choices)}."

    return check


def at_least(least: int) -> Check:
    def check(value: Any) -> str | None:
        if wrong := integer(value):
            return wrong
        return None if value >= least else f"Must be greater than or equal to {least}."

    return check


PIPELINES = ("full", "echo", "speech-to-speech")
PERSONA: dict[str, Check] = {
    "persona_name": text, "system_prompt": text, "pipeline_mode": one_of(*PIPELINES), "default_replica_id": text,
    "document_ids": texts(), "document_tags": texts(), "objectives_id": text, "guardrails_id": text,
    "guardrail_ids": texts(50), "guardrail_tags": texts(50), "tool_ids": texts(50), "layers": mapping, "context": text,
    "greeting": text, "memories": any_list, "is_template": boolean, "languages": texts(),
    "disclosure_type": one_of("always", "auto", "off"), "dynamic_greeting": boolean,
}  # fmt: skip
LAYERS = ("perception", "stt", "conversational_flow", "llm", "tts", "sts", "transport", "conferencing")
REPLICA: dict[str, Check] = {
    "train_video_url": url, "train_image_url": url, "consent_video_url": url, "callback_url": url, "voice_name": text,
    "default_voice_id": text, "auto_fix_training_image": boolean, "replica_name": text, "model_name": text,
    "properties": mapping,
}  # fmt: skip
CONVERSATION: dict[str, Check] = {
    "replica_id": text, "persona_id": text, "audio_only": boolean, "callback_url": url, "conversation_name": text,
    "conversational_context": text, "custom_greeting": text, "memory_stores": texts(), "document_ids": texts(),
    "document_tags": texts(), "document_retrieval_strategy": one_of("speed", "quality", "balanced"),
    "test_mode": boolean, "require_auth": boolean, "max_participants": at_least(2),
    "properties": mapping, "policy": text,
}  # fmt: skip
PROPERTIES: dict[str, Check] = {
    "max_call_duration": at_least(1), "participant_left_timeout": at_least(0),
    "participant_absent_timeout": at_least(1), "enable_recording": boolean, "enable_closed_captions": boolean,
    "apply_greenscreen": boolean, "require_auth": boolean, "language": text, "languages": texts(),
    "enable_transcription": boolean, "recording_storage": mapping, "livekit_ws_url": text, "livekit_room_token": text,
}  # fmt: skip


def wrong_fields(body: dict[str, Any], checks: dict[str, Check]) -> dict[str, list[str]]:
    """Return what is wrong with each known field; a null counts as a field left out, unknown fields pass."""
    found = {key: check(body[key]) for key, check in checks.items() if body.get(key) is not None}
    return {key: [wrong] for key, wrong in found.items() if wrong}


def check_persona(body: dict[str, Any], vocabulary: Vocabulary, *, created: bool) -> None:
    """Raise :class:`Invalid` for a persona that does not validate; ``body`` in the twin's own names."""
    wrong: dict[str, Any] = dict(wrong_fields(body, PERSONA))
    if not wrong.get("layers") and (layers := _wrong_layers(body.get("layers") or {})):
        wrong["layers"] = layers
    if created and vocabulary is NEW and not body.get("default_replica_id"):
        wrong["default_replica_id"] = ["default_face_id is required when creating a pal."]
    if created and body.get("pipeline_mode", "full") == "full" and not body.get("system_prompt"):
        wrong["system_prompt"] = ["system_prompt is required when pipeline_mode is full."]
    refuse(wrong, vocabulary)


def _wrong_layers(layers: dict[str, Any]) -> dict[str, list[str]]:
    wrong = {name: ["Not a valid mapping type."] for name in LAYERS if not isinstance(layers.get(name, {}), dict)}
    llm, tts = layers.get("llm"), layers.get("tts")
    if isinstance(llm, dict) and llm.get("base_url") and not llm.get("api_key"):
        wrong["llm"] = ["api_key is required with base_url."]
    if isinstance(tts, dict) and tts.get("external_voice_id") and tts.get("voice_id"):
        wrong["tts"] = ["Only one of external_voice_id and voice_id can be given."]
    return wrong


def check_replica(body: dict[str, Any], vocabulary: Vocabulary) -> None:
    """Raise for a replica that does not validate; ``body`` in the twin's own names."""
    wrong: dict[str, Any] = dict(wrong_fields(body, REPLICA))
    if body.get("train_image_url") and not (body.get("voice_name") or body.get("default_voice_id")):
        wrong["voice_name"] = ["voice_name is required with train_image_url."]
    refuse(wrong, vocabulary)


def check_conversation(body: dict[str, Any], vocabulary: Vocabulary) -> None:
    """Raise :class:`Invalid` for a conversation that does not validate; ``body`` in the twin's own names."""
    wrong: dict[str, Any] = dict(wrong_fields(body, CONVERSATION))
    properties = body.get("properties")
    if isinstance(properties, dict) and (inner := wrong_fields(properties, PROPERTIES)):
        wrong["properties"] = inner
    if not body.get("replica_id") and not body.get("persona_id"):
        wrong["replica_id"] = [f"{vocabulary.say('replica_id')} or {vocabulary.say('persona_id')} is required."]
    refuse(wrong, vocabulary)


def refuse(wrong: dict[str, Any], vocabulary: Vocabulary) -> None:
    """Raise :class:`Invalid` if there is anything wrong, in the caller's own names."""
    if wrong:
        raise Invalid({vocabulary.say(key): value for key, value in wrong.items()})
