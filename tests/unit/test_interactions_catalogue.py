"""The catalogue of interactions: what its forms give becomes what Tavus documents, or a refusal by field."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conversations.interactions.catalogue import CATALOGUE, KINDS, LIMIT, built, catalogue
from conversations.refusals import Empty, Refusal, TooLarge

ID = "c123456"
LLM = "conversation.append_llm_context"


@pytest.mark.parametrize(
    ("event_type", "given", "properties"),
    [
        ("conversation.interrupt", {}, None),
        ("conversation.respond", {"text": "Hi"}, {"text": "Hi"}),
        ("conversation.overwrite_llm_context", {"context": "x"}, {"context": "x"}),
        (LLM, {"context": "x", "job_status": ""}, {"context": "x"}),
        (LLM, {"context": "x", "job_status": "completed"}, {"context": "x", "job_status": "completed"}),
        (
            "conversation.sensitivity",
            {"participant_pause_sensitivity": "auto", "participant_interrupt_sensitivity": ""},
            {"participant_pause_sensitivity": "auto"},
        ),
        (
            "conversation.tool_result",
            {"tool_call_id": "call_1", "output": ' {"c": 22}', "name": "weather"},
            {"tool_call_id": "call_1", "output": {"c": 22}, "status": "success", "name": "weather"},
        ),
        (
            "conversation.tool_result",
            {"tool_call_id": "call_1", "output": "22 C", "status": "error"},
            {"tool_call_id": "call_1", "output": "22 C", "status": "error"},
        ),
        ("conversation.objective.confirm", {}, None),
        ("conversation.objective.confirm", {"objective_name": "age"}, {"objective_name": "age"}),
    ],
)
def test_a_form_becomes_the_documented_message(event_type: str, given: Any, properties: Any) -> None:
    message = built(event_type, ID, given)
    assert (message["message_type"], message["event_type"], message["conversation_id"]) == (
        *("conversation", event_type, ID),
    )
    assert message.get("properties") == properties


@pytest.mark.parametrize(
    ("event_type", "given", "field", "kind"),
    [
        ("conversation.echo", {}, "event_type", Refusal),
        ("conversation.respond", {}, "text", Empty),
        ("conversation.respond", {"text": "  "}, "text", Empty),
        ("conversation.respond", {"text": 5}, "text", Refusal),
        ("conversation.respond", {"text": "x", "done": "yes"}, "done", Refusal),
        ("conversation.respond", {"text": "x" * 5_000}, "message", TooLarge),
        ("conversation.sensitivity", {}, "participant_pause_sensitivity", Refusal),
        (
            "conversation.sensitivity",
            {"participant_pause_sensitivity": "loud"},
            "participant_pause_sensitivity",
            Refusal,
        ),
        (LLM, {"context": "x", "job_status": "begun"}, "job_status", Refusal),
        ("conversation.tool_result", {"tool_call_id": "c", "output": "{no"}, "output", Refusal),
        ("conversation.tool_result", {"tool_call_id": "c" * 201, "output": "x"}, "tool_call_id", Refusal),
        ("conversation.tool_result", {"tool_call_id": "c", "output": "x", "status": "ok"}, "status", Refusal),
    ],
)
def test_what_cannot_be_sent_is_named_by_its_field(event_type: str, given: Any, field: str, kind: Any) -> None:
    with pytest.raises(kind) as refused:
        built(event_type, ID, given)
    assert refused.value.field == field


def test_each_is_explained_in_full() -> None:
    assert LIMIT == 4096
    for offer in CATALOGUE:
        assert offer.title and offer.about and offer.echo_words
        assert len({one.name for one in offer.fields}) == len(offer.fields)
        for one in offer.fields:
            assert one.kind in KINDS and one.label and one.help
            assert bool(one.choices) == (one.kind == "choice")
    assert json.loads(json.dumps(catalogue())) == catalogue()
