"""Examples made from schemas: by the name of a property where it is known here, else by its type."""

from __future__ import annotations

from typing import Any

TIME = "2026-03-02T09:30:00Z"
CONVERSATION, PERSONA, REPLICA = "cv_3kq8rm5dw2hs", "pe_7n2vx4tb9ycf", "re_6d8mw3qk1zjp"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

PLACES: dict[tuple[str, str], Any] = {
    ("Conversation", "id"): CONVERSATION,
    ("Persona", "id"): PERSONA,
    ("Replica", "id"): REPLICA,
    ("Run", "id"): "rn_2c9fh7tq4xbw",
    ("Run", "kind"): "export",
    ("Run", "state"): "done",
    ("Run", "label"): "kind webhook as ndjson",
    ("Run", "params"): {"format": "ndjson", "filters": {"kind": "webhook"}},
    ("Run", "result"): {"entries": 120},
    ("Line", "id"): "ln_8w5kd3vn6rzt",
    ("Script", "id"): "sc_4j7pm2xc9hqb",
    ("View", "id"): "vw_9t3bk6wz2nfd",
    ("Rule", "id"): "ru_5q8hx1mv7cjr",
    ("Alert", "id"): "al_1z6rn4kt8wpb",
    ("Alert", "filters"): {"is_error": "true"},
    ("Alert", "event_type"): "conversations.create",
    ("Key", "id"): "Ab3dEf9h",
    ("Key", "label"): "studio",
    ("Key", "user"): "ana",
    ("Key", "state"): "active",
    ("Key", "personas"): [PERSONA],
    ("Key", "conversations"): None,
    ("Key", "replaced_by"): "",
    ("NewKey", "id"): "Ab3dEf9h",
    ("NewKey", "label"): "studio",
    ("NewKey", "user"): "ana",
    ("NewKey", "state"): "active",
    ("NewKey", "personas"): [PERSONA],
    ("NewKey", "conversations"): None,
    ("NewKey", "replaced_by"): "",
    ("NewKey", "key"): "Ab3dEf9h.shown-this-once",
    ("Subscription", "id"): "sb_3v9cd7hq5mxk",
    ("NewSubscription", "id"): "sb_3v9cd7hq5mxk",
    ("Delivery", "id"): "dl_6k2wt8zb4nrf",
    ("Delivery", "body"): '{"type": "echo.spoken", "data": {}}',
    ("Delivery", "event_type"): "echo.spoken",
    ("Delivery", "state"): "delivered",
    ("Delivery", "ref"): CONVERSATION,
    ("Delivery", "tries"): [{"at": TIME, "status": 200, "seconds": 0.12, "error": "", "answer": "ok"}],
    ("Webhook", "id"): "wh_7c3mq9xk2vtd",
    ("Webhook", "event_type"): "system.shutdown",
    ("Webhook", "state"): "processed",
    ("Webhook", "message"): {"event_type": "system.shutdown", "conversation_id": "c123456", "properties": {}},
    ("Webhook", "duplicate_of"): None,
    ("Echo", "state"): "spoken",
    ("Echo", "id"): 41,
    ("Echo", "source"): "rest",
    ("Interaction", "state"): "sent",
    ("Interaction", "event_type"): "conversation.respond",
    ("Interaction", "source"): "rest",
    ("Interaction", "result"): None,
    ("Entry", "id"): 1203,
    ("Entry", "message"): {"message_type": "conversation", "event_type": "conversation.echo", "properties": {}},
    ("Entry", "kind"): "app_message",
    ("Entry", "echo"): 41,
    ("Entry", "event_type"): "conversation.echo",
    ("Duty", "state"): "waiting",
    ("Duty", "name"): "sync",
    ("Worker", "state"): "alive",
    ("Worker", "name"): "echo-1",
    ("OneWorker", "state"): "alive",
    ("OneWorker", "name"): "echo-1",
    ("HeldRoom", "state"): "joined",
    ("Check", "name"): "slot",
    ("Gap", "id"): 7,
    ("Gap", "kind"): "missing_seq",
    ("Gap", "reason"): "lost",
    ("Stopped", "runs"): ["rn_2c9fh7tq4xbw"],
    ("Halted", "problems"): [],
    ("Sync", "problems"): [],
    ("Budget", "id"): "bu_7r4nd9wk2xqt",
    ("Budget", "name"): "November",
    ("Budget", "scope"): "all",
    ("Budget", "period"): "month",
    ("Budget", "state"): "ok",
    ("Price", "id"): "pr_2m8vc5tz6hjf",
    ("SlotRequest", "id"): "sl_9k3qb7nw4zxd",
    ("SlotRequest", "state"): "waiting",
    ("SlotRequest", "error"): None,
    ("SlotRequest", "requested"): {"replica_id": "re8e740a42", "persona_id": "p5d317866f"},
    ("Cost", "key"): "2026-03-02",
    ("Cost", "name"): "2026-03-02",
    ("Conversation", "error"): None,
    ("Persona", "error"): None,
    ("Replica", "error"): None,
    ("Replica", "status"): "completed",
    ("Latencies", "states"): {"spoken": 498, "interrupted": 2},
    ("Latencies", "steps"): {"queued_to_sent": {"count": 500, "p50": 0.02, "p95": 0.04, "p99": 0.08, "longest": 0.2}},
}
"""By the name of the component's schema and of its property."""

NAMES: dict[str, Any] = {
    "acknowledged_by": "ana",
    "amount": "200.00",
    "actor": "ana (key shell)",
    "conversation": CONVERSATION,
    "conversation_id": "c1a2b3c4d5",
    "conversation_name": "Morning news",
    "conversation_url": "https://tavus.daily.co/c1a2b3c4d5",
    "conversational_context": "The morning news of a local station.",
    "cost": 0.42,
    "created_by": "ana",
    "currency": "USD",
    "decided_by": "",
    "default_replica_id": "re8e740a42",
    "description": "The studio's screen",
    "detail": "",
    "duplicate_of": None,
    "direction": "out",
    "edited_by": "",
    "ended_reason": "",
    "error": "",
    "event_types": ["echo.spoken"],
    "filters": {"kind": "webhook"},
    "field": "system_prompt",
    "first_at": TIME,
    "heard_id": "2b5c9f0e7d",
    "holder": "",
    "inference_id": "good-morning-1",
    "layers": {},
    "left": "157.20",
    "lines": [{"text": "Good morning, {{guest}}.", "pause": 1.5, "wait": "spoken"}],
    "modality": "text",
    "model_name": "phoenix-4",
    "name": "Welcome",
    "next": None,
    "pacing": "lead",
    "participants": [{"id": "1", "name": "Reader", "joined_at": TIME, "is_replica": True, "is_us": False}],
    "patch": [{"op": "replace", "path": "/system_prompt", "value": "Read the news."}],
    "patch_sha256": SHA256,
    "payload": {},
    "per_minute": "0.37",
    "persona": PERSONA,
    "persona_id": "p5d317866f",
    "persona_name": "Reader",
    "persona_type": "user",
    "pipeline_mode": "echo",
    "previous": None,
    "properties": {},
    "reason": "",
    "replay_of": None,
    "again_of": None,
    "replica": REPLICA,
    "replica_id": "re8e740a42",
    "replica_name": "Anna",
    "replica_type": "system",
    "room": {
        "wanted": "joined",
        "state": "joined",
        "worker": "echo-1",
        "participants": [{"id": "1", "name": "Reader", "joined_at": TIME, "is_replica": True, "is_us": False}],
        "replica_present": True,
        "error": "",
    },
    "rule": "ru_5q8hx1mv7cjr",
    "rule_name": "Calls that failed",
    "sample_rate": 24000,
    "script": "sc_4j7pm2xc9hqb",
    "seconds": 2.5,
    "sender": "",
    "spent": "42.80",
    "state": "live",
    "still": "0.00",
    "status": "active",
    "subscription": "sb_3v9cd7hq5mxk",
    "system_prompt": None,
    "text": "Good morning.",
    "url": "https://hooks.example.com/echoadmin",
    "variables": {"guest": "Ana"},
    "version": "0.1.0",
    "view": "vw_9t3bk6wz2nfd",
    "view_name": "Failed calls",
    "warnings": [],
    "wire_id": "good-morning-1",
}
"""By the property's name alone."""

WHOLE: dict[str, Any] = {
    "EchoRequestRequest": {"text": "Good morning.", "inference_id": "good-morning-1"},
    "ConversationRequestRequest": {
        "replica_id": "re8e740a42",
        "persona_id": "p5d317866f",
        "conversation_name": "Morning news",
        "join": True,
    },
    "PersonaRequestRequest": {"persona_name": "Reader", "pipeline_mode": "echo"},
    "PatchedPersonaRequestRequest": {"persona_name": "Evening reader"},
    "OperationRequest": {"op": "replace", "path": "/persona_name", "value": "Evening reader"},
    "PatchedChangeRequestRequest": {"text": "Good evening.", "revision": 1},
    "ApproveRequestRequest": {"revision": 1},
    "RejectRequestRequest": {"reason": "The name is wrong."},
    "FloorRequestRequest": {"action": "take"},
    "InteractionRequestRequest": {"event_type": "conversation.respond", "properties": {"text": "Who are you?"}},
    "LineRequestRequest": {"name": "Welcome", "text": "Welcome to the show.", "shared": True},
    "ClipRequestRequest": {"audio": "AAAAAAEAAQACAAIAAwADAAQA", "sample_rate": 24000},
    "RunRequestRequest": {"kind": "export", "params": {"format": "ndjson", "filters": {"kind": "webhook"}}},
    "ScriptRunRequestRequest": {"conversation": CONVERSATION, "variables": {"guest": "Ana"}},
    "KeyRequestRequest": {"label": "studio", "scopes": ["read", "speak"], "personas": [PERSONA]},
    "KeyRotateRequestRequest": {"overlap": 3600},
    "StopRequestRequest": {"then": "leave", "reason": "The wrong script."},
    "RuleRequestRequest": {"view": "vw_9t3bk6wz2nfd", "name": "Calls that failed", "threshold": 3, "window": 300},
    "PatchedRuleRequestRequest": {"threshold": 5},
    "AgainRequestRequest": {"subscription": "sb_3v9cd7hq5mxk", "state": "failed"},
    "BudgetRequestRequest": {"name": "November", "period": "month", "amount": "200.00", "warns_at": 80, "stops": True},
    "PatchedBudgetRequestRequest": {"amount": "250.00"},
    "PriceRequest": {"valid_from": TIME, "per_minute": "0.37", "currency": "USD"},
    "PatchedPriceRequest": {"per_minute": "0.35"},
    "PullRequestRequest": {"patch_sha256": SHA256},
    "PushRequestRequest": {"patch_sha256": SHA256},
    "PatchedScriptRequestRequest": {"name": "Evening", "revision": 3},
    "SubscriptionRequestRequest": {"url": "https://hooks.example.com/echoadmin", "event_types": ["echo.spoken"]},
    "PatchedSubscriptionRequestRequest": {"enabled": False},
    "RotateRequestRequest": {"at_once": False},
}
"""Whole bodies, where not all properties go together."""


def example(schema: dict[str, Any], schemas: dict[str, Any], *, binary: bool = False) -> Any:
    """A value that fits `schema`, whose references lie in `schemas`. binary: whether files can be in it."""
    return _value(schema, schemas, "", "", binary)


def _value(schema: dict[str, Any], schemas: dict[str, Any], component: str, name: str, binary: bool) -> Any:
    if "$ref" in schema:
        component = schema["$ref"].rpartition("/")[2]
        if component in WHOLE:
            return WHOLE[component]
        return _value(schemas[component], schemas, component, "", binary)
    for part in ("allOf", "oneOf", "anyOf"):
        if schema.get(part) and not name:
            return _value(schema[part][0], schemas, component, name, binary)
    if schema.get("properties"):
        return _object(schema, schemas, component, binary)
    known = PLACES.get((component, name), NAMES.get(name, ...))
    if known is not ... and _fits(known, schema):
        return known
    for part in ("allOf", "oneOf", "anyOf"):
        if schema.get(part):
            return _value(schema[part][0], schemas, component, "", binary)
    return _by_type(schema, schemas, component, binary)


def _object(schema: dict[str, Any], schemas: dict[str, Any], component: str, binary: bool) -> dict[str, Any]:
    made = {}
    for name, inner in schema["properties"].items():
        if inner.get("format") == "binary" and not binary:
            continue
        made[name] = _value(inner, schemas, component, name, binary)
    return made


def _by_type(schema: dict[str, Any], schemas: dict[str, Any], component: str, binary: bool) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    types = schema.get("type", "object")
    first = types if isinstance(types, str) else types[0]
    if first == "array":
        return [_value(schema["items"], schemas, component, "", binary)]
    if first == "string":
        return {"date-time": TIME, "uri": "https://echo.example.com/"}.get(schema.get("format", ""), "")
    if first == "integer":
        return max(1, int(schema.get("minimum", 1)))
    return {"number": 1.5, "boolean": True, "null": None}.get(first, {})


def _fits(value: Any, schema: dict[str, Any]) -> bool:
    """Whether a known value is of one of the schema's types: names mean different things in different places."""
    types = schema.get("type")
    if types is None:
        return not {"format", "enum"} & set(schema)
    kinds = {
        "string": isinstance(value, str) and "format" not in schema and value in schema.get("enum", [value]),
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
        "boolean": isinstance(value, bool),
        "array": isinstance(value, list),
        "object": isinstance(value, dict),
        "null": value is None,
    }
    return any(kinds[one] for one in ([types] if isinstance(types, str) else types))
