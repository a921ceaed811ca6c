"""What the palette finds of conversations, echoes, workers, lines and scripts, and what it can do at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db.models import Max, Q
from django.urls import reverse

from conversations.models import (
    Budget,
    Conversation,
    Echo,
    Price,
    SavedLine,
    Script,
    SlotRequest,
    WebhookReceived,
    Worker,
)
from conversations.money.words import price_words
from echoadmin.accounts.roles import may
from echoadmin.form_tokens import new_token
from echoadmin.log.models import Entry
from echoadmin.palette import MOST, Asked, Hit, by_ids, finds, offers, page_of, rows

NEWEST = 20_000  # echoes among which an id that no index leads to is looked for
SHORTEST = 2  # letters of a name
PREPARED: dict[str, Any] = {"ln": SavedLine, "sc": Script, "wh": WebhookReceived}
MONEY: dict[str, Any] = {"bu": Budget, "pr": Price, "sl": SlotRequest}


@finds()
def conversations(asked: Asked) -> Iterator[Hit]:
    """By either id, by the room's address, and by a part of the name."""
    yield from by_ids(Conversation, asked, "public_id", "upstream_id")
    room = re.fullmatch(r"https://[^/\s]+/([\w-]+)(?:\?.*)?", asked.text)
    if room:
        yield from by_ids(Conversation, Asked(room[1], asked.user), "upstream_id")
    if len(asked.text) >= SHORTEST:
        yield from rows(Conversation.objects.filter(name__icontains=asked.text).order_by("-id"), asked, "public_id")


@finds()
def echoes(asked: Asked) -> Iterator[Hit]:
    """By the inference id; the log, which has an index of it, says which echo it was, whenever that was."""
    if not re.fullmatch(r"\S{4,140}", asked.text):
        return
    named = Entry.objects.filter(inference_id=asked.text, echo_id__isnull=False).order_by("-id")
    numbers = set(named.values_list("echo_id", flat=True)[:MOST])
    wanted = Q(pk__in=numbers) | (_among_newest() & (Q(inference_id=asked.text) | Q(wire_id=asked.text)))
    for echo in Echo.objects.filter(wanted).select_related("conversation").order_by("-id")[:MOST]:
        yield _echo(echo, asked.text)


@finds(late=True)
def echoes_of_a_request(asked: Asked) -> Iterator[Hit]:
    """What one request let be said."""
    if re.fullmatch(r"[A-Za-z0-9._:-]{6,128}", asked.text):
        wanted = Echo.objects.filter(_among_newest(), request_id=asked.text).select_related("conversation")
        for echo in wanted.order_by("id")[:MOST]:
            yield _echo(echo, f"request {asked.text}")


@finds()
def workers(asked: Asked) -> Iterator[Hit]:
    """By the beginning of the name."""
    yield from rows(Worker.objects.filter(name__startswith=asked.text).order_by("name"), asked, "name")


@finds()
def money(asked: Asked) -> Iterator[Hit]:
    """Budgets, prices and requests for a slot, by id."""
    if given := re.fullmatch(r"(bu|pr|sl)_\w+", asked.text):
        yield from by_ids(MONEY[given[1]], asked, "public_id")


@finds()
def prepared(asked: Asked) -> Iterator[Hit]:
    """Saved lines and scripts, by id; what is another's own is nobody else's."""
    given = re.fullmatch(r"(ln|sc|wh)_\w+", asked.text)
    if given is None:
        return
    found = PREPARED[given[1]].objects.filter(public_id=asked.text)
    if given[1] == "ln":
        found = found.filter(Q(shared=True) | Q(owner_id=asked.user.pk))
    yield from rows(found, asked, "public_id")


@offers("manager")
def starting(asked: Asked) -> Iterator[Hit]:
    """What costs money says so."""
    price = f"Persona, conversation and room at once. {price_words(settings.MAX_CALL_DURATION / 60)}"
    start, add = (reverse(f"admin:conversations_conversation_{name}") for name in ("start", "add"))
    yield Hit("action", "Start talking", start, price, post={"token": new_token()}, order=0)
    yield Hit("action", "New conversation", add, "Choose who, and for how long")


@offers("operator")
def stopping(asked: Asked) -> Iterator[Hit]:
    """Leads to the question, which is asked once."""
    ends = ", or end their conversations" if may(asked.user, "manager") else ""
    where = reverse("admin:conversations_conversation_changelist") + "#stop-confirm"
    yield Hit("action", "Stop everything…", where, f"Interrupt all rooms, then leave them{ends}")


def _among_newest() -> Q:
    newest = Echo.objects.aggregate(newest=Max("id"))["newest"] or 0
    return Q(pk__gt=newest - NEWEST)


def _echo(echo: Echo, detail: str) -> Hit:
    words = echo.text[:80] or f"audio, {echo.seconds:.1f} s"
    return Hit("echo", f"{echo.state}: {words}", page_of(echo), f"{detail} · {echo.conversation}", exact=True)
