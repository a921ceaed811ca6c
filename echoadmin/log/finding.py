"""What the palette finds in the log: entries by their number, messages by inference id, and what a request did."""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.db.models import Max
from django.urls import reverse

from echoadmin.log.models import Entry
from echoadmin.pages import log_address
from echoadmin.palette import LAST, MOST, Asked, Hit, finds, offers

NEWEST = 20_000  # entries among which a request id, which no index leads to, is looked for
REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{6,128}")


@finds()
def entries(asked: Asked) -> Iterator[Hit]:
    """`123` or `#123`: an entry's number over all streams. `cv_…/5`: the fifth of a conversation."""
    given = re.fullmatch(r"#?(\d{1,18})", asked.text)
    if given:
        for entry in Entry.objects.filter(pk=int(given[1])).only("id", "event_type", "n"):
            yield _entry(entry)
    of = re.fullmatch(r"(\w{1,64})[/#](\d{1,18})", asked.text)
    if of:
        for entry in Entry.objects.filter(stream__public_id=of[1], n=int(of[2])).only("id", "event_type", "n"):
            yield _entry(entry)


@finds()
def messages(asked: Asked) -> Iterator[Hit]:
    """By the inference id as on the wire."""
    if Entry.objects.filter(inference_id=asked.text).order_by("-id").exists():
        yield Hit("log", "What was sent and heard of it", log_address(inference_id=asked.text), asked.text, exact=True)


@finds(late=True)
def requests(asked: Asked) -> Iterator[Hit]:
    """What one request did, among the newest entries."""
    if not REQUEST_ID.fullmatch(asked.text):
        return
    newest = Entry.objects.aggregate(newest=Max("id"))["newest"] or 0
    found = Entry.objects.filter(pk__gt=newest - NEWEST, request_id=asked.text).order_by("id")
    for entry in found.only("id", "event_type", "n")[:MOST]:
        yield Hit("request", f"{entry.event_type} #{entry.n}", _address(entry), f"request {asked.text}", exact=True)


@offers()
def search(asked: Asked) -> Iterator[Hit]:
    """The log, asked for these words."""
    if asked.text:
        quoted = asked.text.replace('"', " ")
        words = f"Search the log for “{asked.text[:60]}”"
        yield Hit("action", words, log_address(text=f'"{quoted}"'), asked.text, order=LAST)


def _entry(entry: Entry) -> Hit:
    return Hit("entry", f"{entry.event_type} #{entry.n}", _address(entry), f"entry {entry.pk}", exact=True)


def _address(entry: Entry) -> str:
    return reverse("admin:log_entry_change", args=[entry.pk])
