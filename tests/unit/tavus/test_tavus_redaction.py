"""No secret gets past the redaction, and nothing harmless is lost to it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoadmin.tavus.wire import MASK, holds_mask, is_secret_key, redact

SECRET = "not-to-be-seen-0123456789"


@pytest.mark.parametrize(
    "key",
    [
        "api_key", "x-api-key", "X-API-Key", "apiKey", "APIKey", "meeting_token", "meetingToken", "livekit_room_token",
        "Authorization", "client_secret", "password", "access_token_2", "credentials", "aws_secret_access_key",
    ],
)  # fmt: skip
def test_a_value_under_a_secret_name_is_masked(key: str) -> None:
    assert redact({key: SECRET}) == {key: MASK}


@pytest.mark.parametrize(
    "key",
    [
        "token_count",
        "max_token_count",
        "s3_key",
        "key_template",
        "token_type",
        "keywords",
        "monkey",
        "hotwords",
        "tokenizer",
        "",
    ],
)
def test_a_harmless_name_keeps_its_value(key: str) -> None:
    assert not is_secret_key(key)
    assert redact({key: "seen"}) == {key: "seen"}


def test_numbers_booleans_and_emptiness_tell_nothing_and_stay() -> None:
    harmless = {"max_tokens": 200, "has_api_key": True, "api_key": "", "meeting_token": None}
    assert redact(harmless) == harmless


@pytest.mark.parametrize(
    "body",
    [
        {"layers": {"llm": {"api_key": SECRET, "model": "m"}}},
        {"layers": {"llm": {"headers": {"X-Whatever": SECRET}}}},
        {"layers": {"llm": {"default_query": {"anything": SECRET}}}},
        {"layers": {"llm": {"extra_body": {"my_token": SECRET}}}},
        {"layers": {"tts": {"api_key": SECRET}, "sts": {"api_key": SECRET}}},
        {"properties": {"livekit_room_token": SECRET}},
        {"data": [{"meeting_token": SECRET}]},
        {"callback_url": f"https://console.example/webhooks/tavus/{SECRET}/?ref=cv_1"},
        {"webhook_url": f"https://elsewhere.example/in?anything={SECRET}"},
        {"callback_url": f"https://elsewhere.example/in/{SECRET}/more"},
        {"callback_url": f"https://me:{SECRET}@elsewhere.example/in"},
        {"conversation_url": f"https://tavus.daily.co/c1?t={SECRET}"},
        {"train_video_url": f"https://b.s3.amazonaws.com/v.mp4?X-Amz-Signature={SECRET}&X-Amz-Credential={SECRET}"},
        {"train_video_url": f"https://a.blob.core.windows.net/v.mp4?sv=1&sig={SECRET}"},
        {"error": f"the key sk-{SECRET} is wrong"},
        {"error": f"Authorization: Bearer {SECRET}"},
        {"note": f"eyJhbGciOiJIUzI1NiJ9.{SECRET}.{SECRET}"},
        [{"op": "add", "path": "/layers/llm/api_key", "value": SECRET}],
        [{"op": "add", "path": "/layers/llm/headers/X-Whatever", "value": SECRET}],
        [{"op": "replace", "path": "/layers/llm/headers", "value": {"X-Whatever": SECRET}}],
        [{"op": "replace", "path": "/layers/llm", "value": {"api_key": SECRET}}],
        [{"op": "replace", "path": "/callback_url", "value": f"https://elsewhere.example/{SECRET}"}],
    ],
)
def test_no_place_of_a_secret_gets_past(body: Any) -> None:
    masked = redact(body)
    assert SECRET not in json.dumps(masked)
    assert MASK in json.dumps(masked)
    assert redact(masked) == masked, "masking twice changes nothing"


def test_our_own_reference_in_a_callback_url_stays_readable() -> None:
    url = f"https://console.example/webhooks/tavus/{SECRET}/?ref=cv_1"
    assert redact({"callback_url": url})["callback_url"] == f"https://console.example/webhooks/tavus/{MASK}/?ref=cv_1"


def test_a_tool_parameter_called_token_keeps_its_description_but_not_its_default() -> None:
    tool = {
        "function": {
            "name": "look_up",
            "parameters": {"type": "object", "properties": {"token": {"type": "string", "default": SECRET}}},
        }
    }
    masked = redact({"layers": {"llm": {"tools": [tool]}}})["layers"]["llm"]["tools"][0]["function"]["parameters"]
    assert masked["properties"]["token"] == {"type": "string", "default": MASK}


def test_a_known_secret_is_masked_wherever_it_stands() -> None:
    assert redact({"error": f"wrong key: {SECRET}!"}, [SECRET]) == {"error": f"wrong key: {MASK}!"}


def test_words_and_addresses_without_secrets_stay_as_they_are() -> None:
    body = {
        "system_prompt": "Is 1/2 + 1/2 = 1? Ask & listen; say a=b.",
        "thumbnail_video_url": "https://cdn.example/replica/thumb.mp4?width=200",
        "conversation_url": "https://tavus.daily.co/c123456",
        "persona_name": "Key account manager",
        "properties": {"participant_left_timeout": 120},
    }
    assert redact(body) == body


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=40),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
        max_leaves=20,
    )
)
def test_redaction_never_fails_and_is_idempotent(value: Any) -> None:
    masked = redact(value)
    assert redact(masked) == masked


def test_nesting_without_end_is_cut_not_followed() -> None:
    deep: Any = SECRET
    for _ in range(500):
        deep = [deep]
    assert SECRET not in json.dumps(redact(deep))


def test_a_mask_is_found_by_its_path() -> None:
    assert holds_mask({"layers": {"llm": {"api_key": MASK}}}) == "layers.llm.api_key"
    assert holds_mask({"layers": [{"api_key": "********"}]}) == "layers.0.api_key"
    assert holds_mask({"persona_name": "Echo ***"}) is None
