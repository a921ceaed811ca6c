"""Tavus misbehaves: one row a fault, for what costs money (creating, ending), for what is only read, and for changes.

Each goes the user's way: the API or a button of the page, the real httpx, the twin. Whatever the fault, the console
knows in the end every conversation that it caused and that costs.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from conversations.models import Conversation
from conversations.services import mirroring
from conversations.services.mirroring import look_where_asked, resolve_unknown
from echoadmin.actors import SYSTEM
from echoadmin.log.models import Entry
from echoadmin.tavus.errors import TavusError
from echoadmin.twin import refusals
from personas import services as personas
from personas.models import Persona
from tests.faults.asking import Console, text_of
from tests.faults.wrong_answers import FAULTS, SLOW, Asked, Fault, fault, refused, table
from tests.integration.mirror.conftest import ANA
from tests.integration.rooms.driving import InRoom
from tests.waiting import until

NOTHING_MADE = "Tavus refused it; nothing was made."
NOBODY_KNOWS = "It is not known whether Tavus made this."
LOST = "upstream_answer_lost"


@table(
    Asked("401", 502, "upstream_unauthorised", NOTHING_MADE, "rejected"),
    Asked("402", 402, "upstream_out_of_credits", NOTHING_MADE, "rejected"),
    Asked("400-concurrency", 409, "upstream_concurrency", NOTHING_MADE, "rejected"),
    Asked("404", 502, "upstream_bad_reply", NOTHING_MADE, "rejected"),
    Asked("409", 409, "upstream_conflict", NOTHING_MADE, "rejected"),
    Asked("422", 400, "upstream_invalid", NOTHING_MADE, "rejected"),
    Asked("429-wait-1s", 429, "upstream_rate_limited", NOTHING_MADE, "rejected"),
    Asked("429-bare", 429, "upstream_rate_limited", NOTHING_MADE, "rejected"),
    Asked("redirect-307", 502, "upstream_bad_reply", NOTHING_MADE, "rejected"),
    Asked("500", 504, LOST, NOBODY_KNOWS, "unknown"),
    Asked("500-after", 504, LOST, NOBODY_KNOWS, "unknown", done=True),
    Asked("502-html", 504, LOST, NOBODY_KNOWS, "unknown"),
    Asked("502-html-after", 504, LOST, NOBODY_KNOWS, "unknown", done=True),
    Asked("redirect-302", 502, "upstream_bad_reply", NOBODY_KNOWS, "unknown"),
    Asked("redirect-302-after", 502, "upstream_bad_reply", NOBODY_KNOWS, "unknown", done=True),
    Asked("empty-body", 504, LOST, NOBODY_KNOWS, "unknown"),
    Asked("empty-body-after", 504, LOST, NOBODY_KNOWS, "unknown", done=True),
    Asked("half-a-body", 504, LOST, NOBODY_KNOWS, "unknown", done=True),
    Asked("wrong-shape", 504, LOST, NOBODY_KNOWS, "unknown"),
    Asked("wrong-shape-after", 504, LOST, NOBODY_KNOWS, "unknown", done=True),
    Asked("cut", 504, LOST, NOBODY_KNOWS, "unknown"),
    Asked("cut-after", 504, LOST, NOBODY_KNOWS, "unknown", done=True),
    Asked("slow-1s", 201, "", "A lesson", "live", done=True),
    Asked("slow-60s", 504, LOST, NOBODY_KNOWS, "unknown", done=True),
)
def test_a_create(console: Console, row: Asked) -> None:
    console.twin.fault(**fault(row.fault), method="POST", path="/v2/conversations")
    answer = console.create()
    made = Conversation.objects.get()
    assert (answer.status_code, (answer.json()["error"] or {}).get("code", "")) == (row.status, row.code)
    assert made.state == row.state
    assert row.says in console.page(made)
    assert len(console.calls("POST /v2/conversations")) == 1, "it is never sent twice"
    assert console.told(made) == ["requested", {"live": "created"}.get(row.state, row.state)]
    if row.done:
        until(console.running, "upstream has made it", 60)
    assert len(console.made()) == row.done
    settle(console, made, row)
    assert console.unknown_here() == [], "nothing costs that the console does not know of"
    assert (made.state, len(console.running())) == ("live" if row.done else "rejected", row.done)
    if row.done:
        end(console, made)


def settle(console: Console, made: Conversation, row: Asked) -> None:
    """What the duties do within a minute; and a person, where there is nothing to be found."""
    was, found = made.state, resolve_unknown(actor=SYSTEM)
    made.refresh_from_db()
    assert found == ([made] if was == "unknown" and row.done else [])
    if found:
        [adopted] = Entry.objects.filter(event_type="conversation.adopted")
        assert json.loads(adopted.body)["found_by"] == "reference"
        assert "active" in console.page(made)
    if made.state == "unknown":
        assert "It is settled: Tavus never made it." in console.press(made, "give-up")
        made.refresh_from_db()


def end(console: Console, made: Conversation) -> None:
    assert "It is ended; it costs nothing more." in console.press(made, "end")
    assert console.running() == []
    [paid] = console.made().values()
    assert paid["to"] is not None


STILL_RUNS = "active"
ENDED = "It is ended; it costs nothing more."


@table(
    Asked("401", 0, "end_asked", "Tavus doesn't accept the key"),
    Asked("402", 0, "end_asked", "No credits left"),
    Asked("400-concurrency", 0, "end_asked", "All slots are taken"),
    Asked("404", 0, "end_asked", "Tavus has no such object"),
    Asked("409", 0, "end_asked", "Something else changed it in the meantime"),
    Asked("422", 0, "end_asked", "Tavus refused POST"),
    Asked("429-wait-1s", 0, "end_asked", "Too many requests"),
    Asked("429-bare", 0, "end_asked", "Too many requests"),
    Asked("redirect-302", 0, "end_asked", "with a key in hand none is followed"),
    Asked("redirect-302-after", 0, "ended", ENDED, done=True),
    Asked("500", 0, "end_asked", "nobody knows whether it did it"),
    Asked("500-after", 0, "ended", ENDED, done=True),
    Asked("502-html", 0, "end_asked", "nobody knows whether it did it"),
    Asked("502-html-after", 0, "ended", ENDED, done=True),
    Asked("empty-body", 0, "end_asked", "Tavus took it and has not ended it yet"),
    Asked("empty-body-after", 0, "ended", ENDED, done=True),
    Asked("half-a-body", 0, "ended", ENDED, done=True),
    Asked("wrong-shape", 0, "end_asked", "Tavus took it and has not ended it yet"),
    Asked("wrong-shape-after", 0, "ended", ENDED, done=True),
    Asked("cut", 0, "end_asked", "was lost"),
    Asked("cut-after", 0, "ended", ENDED, done=True),
    Asked("slow-1s", 0, "ended", ENDED, done=True),
    Asked("slow-60s", 0, "end_asked", "was lost", done=True),
)
def test_an_end(console: Console, row: Asked) -> None:
    assert console.create().status_code == 201
    made = Conversation.objects.get()
    console.twin.fault(**fault(row.fault), method="POST", path=f"/v2/conversations/{made.upstream_id}/end")
    page = console.press(made, "end")
    made.refresh_from_db()
    assert row.says in page
    assert row.code in console.told(made)
    assert made.is_active is (row.code == "end_asked"), "it is told as what upstream itself says of it"
    assert len(console.calls("POST /v2/conversations/{id}/end")) == 1
    if row.done:
        until(lambda: not console.running(), "upstream has ended it", 60)
    assert console.running() == ([] if row.done else [made.upstream_id])
    if made.is_active and row.done:  # done after nobody waited any more: the look that was asked for finds it
        look_again(made)
    if made.is_active:
        assert ENDED in console.press(made, "end"), "it is known, and can be ended"
    made.refresh_from_db()
    assert (made.status, console.running()) == ("ended", [])


def look_again(made: Conversation) -> None:
    """The duty's look, half a minute early."""
    assert made.sync_wanted_at is not None
    Conversation.objects.update(sync_wanted_at=timezone.now() - timedelta(seconds=1))
    assert look_where_asked(actor=SYSTEM) == 1
    made.refresh_from_db()


SYNCED = "It is as Tavus has it now."


@table(
    Asked("401", 0, "", "Tavus doesn't accept the key", "live"),
    Asked("402", 0, "", "No credits left", "live"),
    Asked("400-concurrency", 0, "", "All slots are taken", "live"),
    Asked("404", 0, "", "Tavus doesn't have it any more.", "gone"),
    Asked("409", 0, "", "Something else changed it in the meantime", "live"),
    Asked("422", 0, "", "Tavus refused GET", "live"),
    Asked("429-wait-1s", 0, "", SYNCED, "live", calls=2),
    Asked("429-wait-10s", 0, "", SYNCED, "live", calls=2),
    Asked("429-wait-an-hour", 0, "", "Too many requests", "live"),
    Asked("429-bare", 0, "", SYNCED, "live", calls=2),
    Asked("500", 0, "", "Tavus could not answer", "live"),
    Asked("502-html", 0, "", SYNCED, "live", calls=2),
    Asked("redirect-302", 0, "", "with a key in hand none is followed", "live"),
    Asked("empty-body", 0, "", "The answer to GET", "live"),
    Asked("half-a-body", 0, "", SYNCED, "live", calls=2),
    Asked("wrong-shape", 0, "", "The answer to GET", "live"),
    Asked("cut", 0, "", SYNCED, "live", calls=2),
    Asked("slow-1s", 0, "", SYNCED, "live"),
    Asked("slow-60s", 0, "", SYNCED, "live", calls=2),
)
def test_a_look_at_one(console: Console, row: Asked) -> None:
    assert console.create().status_code == 201
    made = Conversation.objects.get()
    known = dict(made.payload)
    console.twin.fault(**fault(row.fault), method="GET", path=f"/v2/conversations/{made.upstream_id}")
    page = console.press(made, "sync")
    made.refresh_from_db()
    assert row.says in page
    assert made.state == row.state
    assert known.items() <= made.payload.items(), "no answer empties the row"
    assert [attempt for _, attempt in console.calls("GET /v2/conversations/{id}")] == [*range(1, row.calls + 1)]
    assert SYNCED in console.press(made, "sync")
    made.refresh_from_db()
    assert (made.state, made.is_active, console.unknown_here()) == ("live", True, [])


@pytest.mark.parametrize("name", [name for name in FAULTS if name not in ("slow-1s", *SLOW)])
def test_a_list_that_goes_wrong_to_the_end_takes_nothing_away(console: Console, name: str) -> None:
    assert console.create().status_code == 201
    before = Conversation.objects.values().get()
    console.twin.fault(**fault(name), method="GET", path="/v2/conversations", count=None)
    with pytest.raises(TavusError) as caught:
        mirroring.sync_conversations(actor=ANA)
    assert caught.value.way_out
    assert Conversation.objects.values().get() == before


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        pytest.param({"kind": "maker_changes"}, 409, "Maker holds unsaved changes", id="409-maker"),
        pytest.param({**refused(refusals.bad_patch()), "method": "PATCH"}, 400, "Invalid JSON patch", id="422-patch"),
    ],
)
def test_a_change_that_is_refused_changes_nothing(console: Console, change: Fault, code: int, says: str) -> None:
    made = personas.create_echo_persona(actor=ANA, name="As it was", replica_id="re8e740a42")
    console.twin.fault(**change)
    address = f"/api/v1/personas/{made.public_id}/"
    answer = console.client.patch(address, {"persona_name": "Another"}, content_type="application/json")
    assert (answer.status_code, says in text_of(answer)) == (code, True)
    assert Persona.objects.get().name == "As it was"
    assert console.twin.get(f"/v2/personas/{made.upstream_id}")["persona_name"] == "As it was"
    assert len(console.calls("PATCH /v2/personas/{id}")) == 1


@pytest.mark.parametrize(
    "seconds", [1, pytest.param(60, marks=[pytest.mark.slow_fault, pytest.mark.timeout(240)])], ids="slow-{}s".format
)
def test_while_an_answer_is_slow_nobody_else_waits(room: InRoom, console: Console, seconds: int) -> None:
    """A room goes on speaking, another page answers; and what was asked for comes in the end, at the second try."""
    console.twin.fault("delay", seconds=seconds, method="GET", path="/v2/conversations")

    def ask() -> bool:
        try:
            return mirroring.sync_conversations(actor=ANA).complete
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as other:
        asked, began = other.submit(ask), time.monotonic()
        room.until_state(room.say("Nobody waits for Tavus."), "spoken")
        assert "Nobody waits for Tavus." in console.page(room.conversation)
        assert not asked.done() or time.monotonic() - began > seconds
        assert asked.result(seconds + 60)
