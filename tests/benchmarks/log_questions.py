"""What the log is asked: its filters, each with a common value and a rare one, likely pairs, words, bars."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import httpx
from log_names import (
    COMMON_ACTOR,
    COMMON_KEY,
    COMMON_PERSONA,
    COMMON_WORD,
    OURS,
    RARE_ACTOR,
    RARE_KEY,
    RARE_PERSONA,
    RARE_WORD,
)
from log_subjects import DEEP, Params, Subject, stamp

Question = Callable[[Subject, int], httpx.Response]


def ask(**params: str) -> Question:
    """A page of the log with these filters; a value in braces is one of those learnt."""

    def question(made: Subject, turn: int) -> httpx.Response:
        told: Params = {}
        for name, value in params.items():
            if value != "{}":
                told[name] = value
                continue
            one = made.some[name][turn % len(made.some[name])]
            told |= one if isinstance(one, dict) else {name: one}
        return made.api.get("/api/v1/entries/", params=told)

    return question


def place(name: str, **params: str) -> Question:
    """The page at a cursor."""
    return lambda made, turn: made.api.get("/api/v1/entries/", params={**params, "cursor": made.some[name][0]})


def opened(made: Subject, turn: int) -> httpx.Response:
    """A row with its neighbours."""
    return made.api.get(f"/api/v1/entries/{made.some['id'][turn % len(made.some['id'])]}/")


def bars(**params: str) -> Question:
    """The histogram over everything."""
    return lambda made, turn: made.api.get("/api/v1/entries/histogram/", params=params)


def last_day(made: Subject, turn: int) -> httpx.Response:
    """The histogram over the last day."""
    since = stamp(made.last_at - timedelta(days=1))
    return made.api.get("/api/v1/entries/histogram/", params={"at_after": since, "at_before": stamp(made.last_at)})


TYPE, RARE_TYPE = "conversation.utterance", "conversation.tool_call"
QUESTIONS: dict[str, Question] = {
    "first page": ask(),
    f"page {DEEP:,} deep by cursor": place("deep", order="newest"),
    "kind, common": ask(kind="app_message"),
    "kind, rare": ask(kind="room"),
    "family, common": ask(family="presence"),
    "family, rare": ask(family="tool"),
    "type, common": ask(event_type="conversation.echo"),
    "type, rare": ask(event_type=RARE_TYPE),
    "direction in": ask(direction="in"),
    "direction out": ask(direction="out"),
    "conversation": ask(conversation="{}"),
    "conversation, the account": ask(conversation="account"),
    "persona, common": ask(persona=COMMON_PERSONA),
    "persona, rare": ask(persona=RARE_PERSONA),
    "sender, common": ask(sender=OURS),
    "sender, rare": ask(sender="{}"),
    "actor, common": ask(actor=COMMON_ACTOR),
    "actor, rare": ask(actor=RARE_ACTOR),
    "API key, common": ask(api_key=COMMON_KEY),
    "API key, rare": ask(api_key=RARE_KEY),
    "inference id": ask(inference_id="{}"),
    "echo": ask(echo="{}"),
    "errors": ask(is_error="true"),
    "an hour": ask(hour="{}"),
    "conversation + type": ask(conversation="{}", event_type=TYPE),
    "conversation + rare type": ask(conversation="{}", event_type=RARE_TYPE),
    "conversation + direction": ask(conversation="{}", direction="out"),
    "persona + type": ask(persona=COMMON_PERSONA, event_type=TYPE),
    "persona + rare type": ask(persona=COMMON_PERSONA, event_type=RARE_TYPE),
    "rare persona + type": ask(persona=RARE_PERSONA, event_type=TYPE),
    "actor + hour": ask(actor=COMMON_ACTOR, hour="{}"),
    "rare actor + hour": ask(actor=RARE_ACTOR, hour="{}"),
    "errors + hour": ask(is_error="true", hour="{}"),
    "sender + rare type": ask(sender=OURS, event_type=RARE_TYPE),
    "tail from a cursor": place("tail", order="oldest"),
    "a row with its neighbours": opened,
    "bars, all": bars(),
    "bars, one type": bars(event_type=TYPE),
    "bars, last day": last_day,
    "search: common word": ask(text=COMMON_WORD),
    "search: rare word": ask(text=RARE_WORD),
    "search: two words": ask(text=f"{COMMON_WORD} babadi"),
    "search: phrase": ask(text='"to the"'),
    "search: beginning": ask(text="bab*"),
    "search: two letters": ask(text="ba*"),
    "search: word + persona": ask(text=COMMON_WORD, persona=COMMON_PERSONA),
    "search: word + rare persona": ask(text=COMMON_WORD, persona=RARE_PERSONA),
    "search: word + hour": ask(text=COMMON_WORD, hour="{}"),
    "search: field:value": ask(text="status:404"),
    "search: common field:value": ask(text="modality:audio"),
}
# The same page twice: the console's own, and Django's.
BESIDE: dict[str, tuple[Params, Params]] = {
    "first page": ({}, {}),
    "one type": ({"event_type": TYPE}, {"event_type__exact": TYPE}),
    "rare actor": ({"actor": RARE_ACTOR}, {"actor__exact": RARE_ACTOR}),
    "word": ({"text": COMMON_WORD}, {"q": COMMON_WORD}),
    "deep": ({"cursor": "deep"}, {"p": "deep"}),
}
