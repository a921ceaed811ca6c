"""Personas that are other at Tavus than was asked for here: noticed, shown, pulled, pushed; in either vocabulary."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from echoadmin.actors import SYSTEM
from echoadmin.log.models import Entry
from echoadmin.mirror.drift import DriftChanged, compare
from echoadmin.mirror.kinds import NotPossible
from echoadmin.tavus import errors
from personas import drift, services
from personas.mirrored import REPLICA
from personas.models import Persona, Replica
from tests import make as rows
from tests.integration.mirror.conftest import ANA
from tests.twin_process import TwinProcess

pytestmark = pytest.mark.django_db(transaction=True)
Find = Callable[..., list[Entry]]


@pytest.fixture(params=["persona", "pal"])
def vocabulary(request: pytest.FixtureRequest, settings: LazySettings) -> str:
    settings.TAVUS_VOCABULARY = request.param
    return str(request.param)


def make(**more: Any) -> Persona:
    body = {"persona_name": "Echo", "pipeline_mode": "echo", "default_replica_id": "re8e740a42", **more}
    row = services.create_persona(actor=ANA, body=body)
    services.sync_persona(actor=ANA, persona=row)
    return row


def change_there(twin: TwinProcess, row: Persona, **fields: Any) -> None:
    """Somebody changes it at Tavus, past this console."""
    patch = [{"op": "add", "path": f"/{name.replace('__', '/')}", "value": value} for name, value in fields.items()]
    twin.request("PATCH", f"/v2/personas/{row.upstream_id}", patch)


def there(twin: TwinProcess, row: Persona) -> Any:
    return twin.request("GET", f"/v2/personas/{row.upstream_id}")


def look(row: Persona) -> Any:
    row.refresh_from_db()
    return drift.persona_drift(actor=ANA, persona=row)


@pytest.mark.usefixtures("vocabulary")
class TestLooking:
    def test_a_persona_as_it_was_made_does_not_differ(self, twin: TwinProcess) -> None:
        found = look(make(system_prompt="Be kind.", layers={"tts": {"tts_engine": "cartesia"}}))
        assert (found.state, found.differences, found.push, found.pull) == ("live", [], [], [])

    def test_each_field_is_told_with_both_values_since_when_and_both_patches(self, twin: TwinProcess) -> None:
        row = make()
        agreed = row.synced_at
        change_there(twin, row, persona_name="Other", greeting="Hello")
        found = look(row)
        told = {one.pointer: (one.here, one.upstream, one.asked) for one in found.differences}
        assert told == {"/greeting": ("", "Hello", False), "/persona_name": ("Echo", "Other", True)}
        assert all(one.agreed_at == agreed < one.since for one in found.differences)
        assert {"op": "add", "path": "/persona_name", "value": "Echo"} in found.push
        assert {"op": "add", "path": "/persona_name", "value": "Other"} in found.pull
        assert (row.name, row.drift) == ("Echo", None), "to look changes nothing here"

    def test_an_edit_made_here_is_no_drift(self, twin: TwinProcess) -> None:
        row = make()
        for path, value in (("/persona_name", "Renamed"), ("/layers/tts", {"tts_engine": "cartesia"})):
            services.patch_persona(actor=ANA, persona=row, operations=[{"op": "add", "path": path, "value": value}])
        assert look(row).differences == []
        change_there(twin, row, layers__tts__tts_engine="elevenlabs")
        assert [(one.pointer, one.here, one.asked) for one in look(row).differences] == [
            ("/layers/tts/tts_engine", "cartesia", True)
        ]


class TestNoticing:
    def test_a_sync_notes_what_differs_once_and_the_list_tells_without_a_call(
        self, twin: TwinProcess, entries: Find
    ) -> None:
        row = make()
        change_there(twin, row, persona_name="Other")
        for _ in range(2):
            services.sync_personas(actor=SYSTEM)
        row.refresh_from_db()
        assert (row.name, row.differs) == ("Other", ["/persona_name"])
        [entry] = entries(event_type="persona.differs")
        assert json.loads(entry.body)["fields"] == ["/persona_name"] and entry.persona_ref == row.public_id
        noticed = row.drift["/persona_name"]["since"]
        assert look(row).differences[0].since.isoformat() == noticed, "since when stays the time of the first notice"

    def test_what_upstream_takes_back_differs_no_more(self, twin: TwinProcess) -> None:
        row = make()
        for name in ("Other", "Echo"):
            change_there(twin, row, persona_name=name)
            services.sync_personas(actor=SYSTEM)
        row.refresh_from_db()
        assert row.differs == [] and row.drift is None

    def test_what_was_deleted_there_is_gone_with_what_runs_on_it(self, twin: TwinProcess, entries: Find) -> None:
        row = make()
        running = rows.conversation(persona=row, name="Tour")
        rows.conversation(persona=row, status="ended")
        twin.request("DELETE", f"/v2/personas/{row.upstream_id}")
        assert look(row).state == "gone"
        row.refresh_from_db()
        assert row.state == "gone" and entries(event_type="persona.gone")
        assert drift.uses(row) == [{"kind": "conversation", "id": running.public_id, "name": "Tour"}]
        for verb in (
            lambda: drift.pull(actor=ANA, persona=row),
            lambda: drift.push(actor=ANA, persona=row, patch_sha256="x"),
        ):
            with pytest.raises(NotPossible, match="doesn't have this persona"):
                verb()


@pytest.mark.usefixtures("vocabulary")
class TestPulling:
    def test_it_takes_over_what_is_there_and_that_is_asked_for_from_then_on(
        self, twin: TwinProcess, entries: Find
    ) -> None:
        row = make()
        change_there(twin, row, persona_name="Other", layers__tts={"tts_engine": "cartesia"})
        done = drift.pull(actor=ANA, persona=row, patch_sha256=look(row).pull_sha256)
        row.refresh_from_db()
        assert row.name == "Other" and row.payload["layers"]["tts"] == {"tts_engine": "cartesia"}
        assert look(row).differences == []
        [entry] = entries(event_type="persona.pulled")
        assert entry.actor == "ana" and json.loads(entry.body)["patch"] == done.pull
        assert row.requested["persona_name"] == "Echo", "what was asked for first is kept"
        change_there(twin, row, persona_name="Third")
        assert look(row).differences[0].here == "Other"

    def test_what_changed_since_it_was_shown_is_refused(self, twin: TwinProcess) -> None:
        row = make()
        change_there(twin, row, persona_name="Other")
        shown = look(row)
        change_there(twin, row, persona_name="Third")
        with pytest.raises(DriftChanged):
            drift.pull(actor=ANA, persona=row, patch_sha256=shown.pull_sha256)
        row.refresh_from_db()
        assert row.name == "Echo"


@pytest.mark.usefixtures("vocabulary")
class TestPushing:
    def test_upstream_becomes_what_was_asked_for(self, twin: TwinProcess, entries: Find) -> None:
        row = make(layers={"tts": {"tts_engine": "cartesia"}})
        change_there(twin, row, persona_name="Other", layers__tts__tts_engine="elevenlabs", layers__stt={"x": "y"})
        services.sync_personas(actor=SYSTEM)
        shown = look(row)
        drift.push(actor=ANA, persona=row, patch_sha256=shown.push_sha256)
        assert there(twin, row)["persona_name"] == "Echo"
        assert there(twin, row)["layers"]["tts"] == {"tts_engine": "cartesia"}
        row.refresh_from_db()
        assert (row.name, row.differs) == ("Echo", []) and look(row).differences == []
        [entry] = entries(event_type="persona.pushed")
        assert entry.actor == "ana" and json.loads(entry.body)["patch"] == shown.push

    def test_what_changed_since_it_was_shown_is_refused_and_nothing_is_sent(
        self, twin: TwinProcess, entries: Find
    ) -> None:
        row = make()
        change_there(twin, row, persona_name="Other")
        shown = look(row)
        change_there(twin, row, persona_name="Third")
        with pytest.raises(DriftChanged):
            drift.push(actor=ANA, persona=row, patch_sha256=shown.push_sha256)
        assert there(twin, row)["persona_name"] == "Third"
        assert not [entry for entry in entries(kind="upstream") if entry.event_type.startswith("PATCH")]

    def test_unpublished_edits_stand_in_the_way_until_what_is_lost_is_named(
        self, twin: TwinProcess, entries: Find
    ) -> None:
        row = make()
        change_there(twin, row, persona_name="Other")
        shown = look(row).push_sha256
        twin.fault("maker_changes")
        with pytest.raises(errors.Conflict) as caught:
            drift.push(actor=ANA, persona=row, patch_sha256=shown)
        assert caught.value.maker_changes and there(twin, row)["persona_name"] == "Other"
        assert entries(event_type="persona.push_failed", is_error=True)
        with pytest.raises(errors.InvalidRequest, match="discards all of these edits"):
            drift.push(actor=ANA, persona=row, patch_sha256=shown, force=True)
        drift.push(actor=ANA, persona=row, patch_sha256=shown, force=True, discards="maker_changes")
        assert there(twin, row)["persona_name"] == "Echo"

    def test_a_lost_answer_is_looked_up_and_told(self, twin: TwinProcess) -> None:
        row = make()
        change_there(twin, row, persona_name="Other")
        twin.fault("cut", method="PATCH", when="after")
        with pytest.raises(errors.AnswerLost):
            drift.push(actor=ANA, persona=row, patch_sha256=look(row).push_sha256)
        row.refresh_from_db()
        assert row.name == "Echo" and look(row).differences == []


def test_a_secret_is_never_drift_never_pushed_and_survives_both_ways(twin: TwinProcess, entries: Find) -> None:
    key, changed = "k" * 24, "c" * 24
    row = make(layers={"llm": {"model": "a", "api_key": key, "headers": {"X-Mine": key}}})
    change_there(twin, row, layers__llm__api_key=changed, layers__llm__model="b", persona_name="Other")
    found = look(row)
    assert [one.pointer for one in found.differences] == ["/layers/llm/model", "/persona_name"]
    assert found.not_compared == ["/layers/llm/api_key", "/layers/llm/headers/X-Mine"]
    drift.push(actor=ANA, persona=row, patch_sha256=found.push_sha256)
    assert there(twin, row)["layers"]["llm"] == {"model": "a", "api_key": changed, "headers": {"X-Mine": key}}
    change_there(twin, row, layers__llm__model="c")
    drift.pull(actor=ANA, persona=row)
    assert there(twin, row)["layers"]["llm"]["api_key"] == changed
    row.refresh_from_db()
    kept = json.dumps([row.payload, row.requested, row.asked, row.drift, [entry.body for entry in entries()]])
    assert key not in kept and changed not in kept


def test_a_layer_with_a_secret_that_came_there_is_told_and_left_there(twin: TwinProcess) -> None:
    key = "k" * 24
    row = make()
    change_there(twin, row, layers__llm={"model": "a", "api_key": key}, persona_name="Other")
    found = look(row)
    assert [(one.pointer, bool(one.kept_back)) for one in found.differences] == [
        ("/layers/llm", True),
        ("/persona_name", False),
    ]
    drift.push(actor=ANA, persona=row, patch_sha256=found.push_sha256)
    assert there(twin, row)["layers"]["llm"]["api_key"] == key


def test_a_stock_persona_and_a_replica_can_be_looked_at(twin: TwinProcess) -> None:
    services.sync_personas(actor=ANA)
    services.sync_replicas(actor=ANA)
    stock, replica = Persona.objects.get(upstream_id="pipecat0"), Replica.objects.get(upstream_id="re8e740a42")
    assert look(stock).differences == []
    assert compare(REPLICA, replica, actor=ANA).differences == []
    Replica.objects.filter(pk=replica.pk).update(payload=replica.payload | {"replica_name": "Before"})
    replica.refresh_from_db()
    assert [one.pointer for one in compare(REPLICA, replica, actor=ANA).differences] == ["/replica_name"]
    with pytest.raises(NotPossible, match="stock"):
        drift.push(actor=ANA, persona=stock, patch_sha256="x")


def test_personas_that_were_edited_before_drift_was_known_are_taken_as_upstream_has_them() -> None:
    take_as_is = import_module("personas.migrations.0002_drift").take_as_is
    asked = {"persona_name": "Before", "layers": {"tts": {"x": 1}}}
    edited_row = rows.persona(requested=asked, payload=asked | {"persona_name": "After"})
    same = rows.persona(requested=asked, payload=asked)
    take_as_is(apps, None)
    edited_row.refresh_from_db()
    same.refresh_from_db()
    assert (edited_row.asked, same.asked) == (asked | {"persona_name": "After"}, None)


class TestCommand:
    def run(self, *words: str) -> tuple[int, str]:
        out = StringIO()
        try:
            call_command("drift", *words, stdout=out)
        except SystemExit as end:
            return int(end.code or 0), out.getvalue()
        return 0, out.getvalue()

    def test_it_shows_first_and_does_then(self, twin: TwinProcess) -> None:
        row = make()
        assert self.run(row.public_id) == (0, "It is the same here and at Tavus.\n")
        change_there(twin, row, persona_name="Other")
        assert self.run("--check")[0] == 0, "nothing was noticed yet"
        services.sync_personas(actor=SYSTEM)
        code, told = self.run("--json", "--check")
        assert code == 1 and json.loads(told)["results"][0]["differs"] == ["/persona_name"]
        code, told = self.run(row.public_id, "--json", "--check")
        facts = json.loads(told)
        assert code == 1 and facts["differs"] and facts["differences"][0]["upstream"] == "Other"
        assert 'asked for: "Echo"' in self.run(row.public_id)[1]
        with pytest.raises(CommandError, match="--patch-sha256"):
            self.run(row.public_id, "--push")
        assert self.run(row.public_id, "--push", "--patch-sha256", facts["push"]["patch_sha256"])[0] == 0
        assert there(twin, row)["persona_name"] == "Echo"

    def test_a_refusal_for_unpublished_edits_names_what_is_lost(self, twin: TwinProcess) -> None:
        row = make()
        change_there(twin, row, persona_name="Other")
        digest = look(row).push_sha256
        twin.fault("maker_changes")
        with pytest.raises(CommandError, match=r"discards all of these edits.*--discard-maker-changes"):
            self.run(row.public_id, "--push", "--patch-sha256", digest)
        self.run(row.public_id, "--push", "--patch-sha256", digest, "--discard-maker-changes")
        assert there(twin, row)["persona_name"] == "Echo"

    def test_who_is_not_there_is_told(self) -> None:
        with pytest.raises(CommandError, match="There is no persona"):
            self.run("pe_nobody")
