"""What is behind a line of the transcript: its app messages, the calls and the webhooks that belong to it."""

from __future__ import annotations

from datetime import timedelta

from conversations import interactions
from echoadmin.log import reader
from echoadmin.log.models import Direction, Entry, Kind
from echoadmin.log.pages.lines import light

TOLD_TWICE = ("joined", "started", "stopped", "shutdown")  # in both vocabularies, and by webhook too
MOST = 60  # entries that are shown; the rest are in the log
AROUND = 40  # entries on either side among which those of the same request, or of the same fact, are looked for
SAME_FACT = timedelta(seconds=15)  # between an app message and the webhook that tells the same


def behind(entry: Entry) -> list[Entry]:
    """In the order in which they were written, as light as the log's rows need them: those of the same echo (of its
    chunks the first alone), of the same request, and those that tell the same fact at about that time. `entry` itself
    is among them."""
    before, after = reader.neighbours(entry, AROUND)
    found = {entry.pk, *(one.pk for one in [*before, *after] if _belongs(one, entry))}
    if entry.echo_id is not None:
        of_echo = Entry.objects.filter(echo_id=entry.echo_id).exclude(direction=Direction.OUT, clip_start__gt=0)
        found |= set(of_echo.order_by("id").values_list("id", flat=True)[:MOST])
    return list(light(Entry.objects.filter(pk__in=found)).order_by("pk")[:MOST])


def _belongs(other: Entry, entry: Entry) -> bool:
    if entry.request_id and other.request_id == entry.request_id:
        # Every line that one request asked for has its messages under itself.
        return other.kind != Kind.APP_MESSAGE or other.echo_id in (None, entry.echo_id)
    if entry.echo_id is not None or abs(other.at - entry.at) > SAME_FACT:
        return False
    fact = interactions.read({"event_type": entry.event_type}).fact
    return fact in TOLD_TWICE and fact == interactions.read({"event_type": other.event_type}).fact
