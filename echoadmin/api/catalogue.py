"""Every code that the API answers with, what it means, and the way out. `docs/errors.md` is made of this.

A code is a promise: it keeps its meaning and its status. A new one goes here first; a test finds those that do not.
"""

from __future__ import annotations

from dataclasses import dataclass

REST, SOCKET, WITHIN = "REST", "WebSocket", "in an answer"
"""Where a code comes: as an answer, as an `error` message of the WebSocket alone, or inside an answer that is 200."""


@dataclass(frozen=True)
class Code:
    """`status` is the HTTP status, also of what comes over the WebSocket; 200 for what comes within an answer."""

    name: str
    status: int
    meaning: str
    way_out: str
    where: str = REST


ALL = (
    # --- every request ---
    Code("invalid", 400, "A field, a parameter or the body can't be used.", "`fields` names each; correct them."),
    Code("unauthenticated", 401, "No key, or one that opens nothing.", "Send `Authorization: Bearer <key>`."),
    Code("forbidden", 403, "The role, or the key's scope, is missing.", "The message names it; an admin can give it."),
    Code(
        "second_factor_missing",
        403,
        "You are signed in, and your role needs an authenticator.",
        "Set one up under `/admin/second-factor/`.",
    ),
    Code("not_found", 404, "There is nothing under this id or address.", "Lists show the ids that there are."),
    Code("method_not_allowed", 405, "The address does not take this method.", "The Allow header says which it takes."),
    Code("not_acceptable", 406, "The Accept header rules out JSON.", "Accept `application/json`, or leave it out."),
    Code("too_slow", 408, "The body did not come in time.", "Send it again, faster, or in several requests."),
    Code("too_large", 413, "More than one request, echo or message may carry.", "Send it in several."),
    Code("unsupported_media_type", 415, "The body is of a type not read here.", "Send JSON, or what the page says."),
    Code(
        "rate_limited",
        429,
        "This key sends more than it may, or your address too many keys that open nothing.",
        "Wait for `Retry-After` seconds; see `RateLimit`.",
    ),
    Code("overloaded", 429, "More requests wait than can be answered soon.", "Send it again after `Retry-After` s."),
    Code("internal", 500, "A fault of this console's.", "Tell whoever runs it the `request_id`; it is in the log."),
    Code("database_unavailable", 503, "The database does not answer.", "Try again after `Retry-After` seconds."),
    # --- Idempotency-Key ---
    Code(
        "idempotency_key_reused",
        409,
        "The key was used with another body or query in the last 24 hours.",
        "Take a new key for a new request.",
    ),
    Code(
        "idempotency_in_progress",
        409,
        "The first request with this key is still under way.",
        "Send the same again after `Retry-After` seconds.",
    ),
    # --- what can't be said ---
    Code("empty", 400, "There is nothing to say.", "Send words, or samples."),
    Code("unspeakable", 400, "Characters, numbers or nesting that Daily's SDK can't carry.", "Take them out."),
    Code("bad_sample_rate", 400, "The replica can't be sent this rate.", "Take 8,000 to 48,000 Hz."),
    Code("broken_audio", 400, "The audio can't be decoded, or ends too early.", "Make the file anew."),
    Code("not_audio", 400, "A file of another kind.", "Send WAV, FLAC, OGG, Opus, MP3 or AIFF."),
    Code("too_long", 413, "The audio lasts longer than an echo may (`ECHO_MAX_SECONDS`).", "Cut it into several."),
    # --- what can't be said now ---
    Code("not_now", 409, "It is in a state in which this can't be done.", "The message says which; look at `state`."),
    Code("not_joined", 409, "Nobody wants the room joined, so nobody would hear it.", "POST `join/` first."),
    Code("conversation_over", 409, "The conversation has ended, or never began.", "Create another one."),
    Code(
        "inference_id_taken", 409, "The inference_id belongs to an echo with another body.", "Take a new inference_id."
    ),
    Code("floor_taken", 409, "Another one alone may speak now.", "Wait until it is released, or ask who has it."),
    Code("queue_full", 429, "As many echoes wait in this conversation as may.", "Wait until some are said."),
    Code("changed_meanwhile", 409, "Somebody, or the room's worker, was faster.", "Read it again and decide anew."),
    Code("not_a_second_person", 409, "Who said a line can't approve or reject it.", "Ask somebody else to."),
    # --- scripts, runs, webhooks out ---
    Code("changed", 409, "The script was changed since it was read.", "Read it again; send its `revision`."),
    Code("script_running", 409, "A script is being said in this conversation.", "Stop it, or wait for its end."),
    Code("not_pausable", 409, "The run has ended.", "Only one that waits or runs is paused."),
    Code("not_skippable", 409, "The run is no script, or has ended.", "Only a script that has not ended skips."),
    Code("not_resumable", 409, "The run waits, runs or is done.", "Only one stopped, paused or failed goes on."),
    Code("not_done", 409, "The run has not ended.", "Wait until its `state` is done, or stop it first."),
    Code("range_not_satisfiable", 416, "The file ends before the Range begins.", "`Content-Range` has its length."),
    Code("delivered", 409, "The delivery has arrived.", "Nothing is to be done; nothing is sent twice."),
    Code("duplicate", 409, "The webhook repeats another one.", "Process the one that `fields` names."),
    Code("too_many_streams", 429, "As many event streams are open as may (`SSE_STREAMS`).", "Close some, or wait."),
    # --- money ---
    Code(
        "budget_reached", 402, "A budget leaves no room for it; nothing was created.", "The message names the budget."
    ),
    Code("not_waiting", 409, "The request for a slot is past waiting.", "Look at its `state`."),
    # --- mirrored objects and upstream ---
    Code("drift_changed", 409, "It changed since it was shown; nothing was done.", "Look at the drift again."),
    Code("wrong_state", 409, "The object is not in a state for it.", "The message says what must be so first."),
    Code("upstream_invalid", 400, "Tavus refused the request.", "`fields` and `upstream` have its words; correct it."),
    Code("upstream_out_of_credits", 402, "The Tavus account has no credits left.", "Buy some; nothing was created."),
    Code("upstream_not_found", 404, "Tavus does not have it.", "Sync to bring this console up to date."),
    Code(
        "upstream_concurrency",
        409,
        "All of Tavus's slots for conversations are taken.",
        "End one that is active; nothing was created.",
    ),
    Code(
        "upstream_conflict",
        409,
        "Unpublished edits at Tavus stand in the way.",
        "Publish them, or force: they are lost then.",
    ),
    Code("upstream_rate_limited", 429, "Tavus wants fewer requests.", "Wait for `Retry-After` seconds."),
    Code("upstream_unauthorised", 502, "Tavus refuses this console's key.", "Whoever runs it checks TAVUS_API_KEY."),
    Code("upstream_bad_reply", 502, "Tavus's answer can't be read.", "Whoever runs it checks TAVUS_API_URL."),
    Code("upstream_unavailable", 503, "Tavus can't be reached.", "Try again; see Tavus's status page."),
    Code(
        "upstream_answer_lost",
        504,
        "The answer got lost: it may have happened, and may cost money.",
        "Don't repeat it. `reference` is the row that the next sync settles.",
    ),
    # --- the WebSocket ---
    Code("no_audio", 409, "No audio is open on this connection.", "Send a message of type `audio` first.", SOCKET),
    Code("audio_open", 409, "Audio is open on this connection.", "Send `audio_end` first.", SOCKET),
    Code("no_text", 409, "No text is open on this connection.", "Send a message of type `text` first.", SOCKET),
    Code("text_open", 409, "A text is open on this connection.", "Send `text_end` first.", SOCKET),
    Code("echo_closed", 409, "The echo takes no more audio.", "Open another one.", SOCKET),
    # --- the problems of a stop ---
    Code("not_confirmed", 200, "The replica did not say that it stopped.", "Look into the room, or end it.", WITHIN),
    Code("upstream_silent", 200, "Tavus took too long to end it.", "Stop again; it may run on, and cost.", WITHIN),
    Code("refused", 200, "What was asked of one conversation was refused.", "The message says why.", WITHIN),
)

CODES = {code.name: code for code in ALL}

ANYWHERE = (
    *(
        "invalid",
        "unauthenticated",
        "forbidden",
        "second_factor_missing",
        "not_acceptable",
        "rate_limited",
        "overloaded",
        "internal",
    ),
    "database_unavailable",
)
"""What any address can answer."""

ABOUT_BODIES = ("too_slow", "too_large", "unsupported_media_type")
ABOUT_KEYS = ("idempotency_key_reused", "idempotency_in_progress")
UPSTREAM = (
    *("upstream_invalid", "upstream_out_of_credits", "upstream_not_found", "upstream_concurrency"),
    *("upstream_conflict", "upstream_rate_limited", "upstream_unauthorised", "upstream_bad_reply"),
    *("upstream_unavailable", "upstream_answer_lost", "wrong_state"),
)
"""What an address can answer that calls Tavus."""

SAYING = ("conversation_over", "not_joined", "floor_taken")
TEXT = ("empty", "unspeakable", "too_large")
AUDIO = ("empty", "broken_audio", "not_audio", "bad_sample_rate", "too_long", "too_large")


INTRODUCTION = """\
# Errors

Made from `echoadmin/api/catalogue.py` by `manage.py error_catalogue --write`; a test keeps them equal.

Every error of the API has one shape, whatever went wrong:

```json
{"error": {"code": "not_joined", "message": "conversation: Join the room first.",
           "fields": {"conversation": ["Join the room first."]}, "upstream": null,
           "request_id": "5f0c2a9be4d14c0f9d3f0a6a5f1c7e21"}}
```

`code` is for programs and keeps its meaning; `message` is for people and may change. `fields`: what is wrong with
which field. `upstream`: `{status, body}`, Tavus's own words, where it was Tavus that said no. `request_id` is also in
the header `X-Request-Id` and in the log. `reference`, where there is one, is the id of the row that tells what became
of a request whose answer got lost. New codes may come: treat one that you do not know by its status.
"""


def page() -> str:
    """`docs/errors.md`."""
    lines = [INTRODUCTION]
    for title, where in (("Answers", REST), ("The WebSocket alone", SOCKET), ("Inside the answer to `stop/`", WITHIN)):
        lines += [f"## {title}", "", "| status | code | what it means | the way out |", "|---|---|---|---|"]
        rows = sorted((code for code in ALL if code.where == where), key=lambda code: (code.status, code.name))
        lines += [f"| {code.status} | `{code.name}` | {code.meaning} | {code.way_out} |" for code in rows]
        lines.append("")
    return "\n".join(lines)
