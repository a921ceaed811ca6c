"""Personas and replicas: made, changed, deleted, synced, in either vocabulary."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import LazySettings

from echoadmin.actors import SYSTEM
from echoadmin.log.models import Entry
from echoadmin.mirror.kinds import NotPossible
from echoadmin.tavus import errors
from personas import services
from personas.models import Persona, Replica
from tests.integration.mirror.conftest import ANA
from tests.twin_process import TwinProcess

pytestmark = pytest.mark.django_db(transaction=True)
Find = Callable[..., list[Entry]]
TRANSPORT = {"transport_type": "daily", "input_settings": {"microphone": "disabled"}}


@pytest.fixture(params=["persona", "pal"], autouse=True)
def vocabulary(request: pytest.FixtureRequest, settings: LazySettings) -> str:
    settings.TAVUS_VOCABULARY = request.param
    return str(request.param)


def make(name: str = "Echo", **more: Any) -> Persona:
    body = {"persona_name": name, "pipeline_mode": "echo", "default_replica_id": "re8e740a42", **more}
    return services.create_persona(actor=ANA, body=body)


def test_the_preset_makes_a_persona_that_says_what_it_is_sent(twin: TwinProcess) -> None:
    row = services.create_echo_persona(actor=ANA, name="Console echo", replica_id="re8e740a42")
    services.sync_persona(actor=ANA, persona=row)
    upstream = twin.request("GET", f"/v2/personas/{row.upstream_id}")
    assert upstream["layers"]["transport"] == TRANSPORT
    assert (row.state, row.is_echo, row.microphone, row.default_replica_id) == ("live", True, "disabled", "re8e740a42")
    assert row.warnings == []


def test_an_echo_persona_gets_the_transport_that_echoes_need_unless_it_has_one(twin: TwinProcess) -> None:
    assert make().requested["layers"] == {"transport": TRANSPORT}
    own = {"transport_type": "daily", "input_settings": {"microphone": "enabled"}}
    assert make(layers={"transport": own, "tts": {"tts_engine": "cartesia"}}).requested["layers"]["transport"] == own
    full = services.create_persona(
        actor=ANA, body={"persona_name": "Full", "system_prompt": "Be kind.", "default_replica_id": "re8e740a42"}
    )
    assert "layers" not in full.requested and full.pipeline_mode == "full"


def test_what_is_useless_in_echo_mode_is_forwarded_with_a_warning(twin: TwinProcess) -> None:
    row = make(system_prompt="Be kind.", layers={"llm": {"model": "tavus-gemma-4"}})
    assert any("system_prompt" in words for words in row.warnings)
    assert any("layers.llm" in words for words in row.warnings)
    assert row.requested["system_prompt"] == "Be kind."


def test_our_own_replica_id_is_taken_for_upstreams(twin: TwinProcess) -> None:
    services.sync_replicas(actor=ANA)
    replica = Replica.objects.get(upstream_id="re8e740a42")
    assert make(default_replica_id=replica.public_id).default_replica_id == "re8e740a42"


def test_no_secret_of_a_persona_is_kept_anywhere(twin: TwinProcess, entries: Find) -> None:
    secret = "do-not-keep-me-0123456789"
    layers = {
        "llm": {"model": "m", "base_url": "https://llm.example", "api_key": secret, "headers": {"X-Mine": secret}}
    }
    row = services.create_persona(
        actor=ANA,
        body={"persona_name": "Keys", "system_prompt": "x", "default_replica_id": "re8e740a42", "layers": layers},
    )
    services.sync_persona(actor=ANA, persona=row)
    services.patch_persona(
        actor=ANA, persona=row, operations=[{"op": "add", "path": "/layers/tts", "value": {"api_key": secret}}]
    )
    assert twin.request("GET", f"/v2/personas/{row.upstream_id}")["layers"]["llm"]["api_key"] == secret
    kept = json.dumps([row.payload, row.requested, [entry.body for entry in entries()]])
    assert secret not in kept
    assert row.payload["layers"]["llm"]["api_key"] == "[redacted]"
    with pytest.raises(errors.InvalidRequest, match="masked secret"):
        services.patch_persona(
            actor=ANA,
            persona=row,
            operations=[{"op": "replace", "path": "/layers/llm", "value": row.payload["layers"]["llm"]}],
        )


class TestChanging:
    def test_a_patch_changes_it_there_and_here(self, twin: TwinProcess, entries: Find) -> None:
        row = make()
        patch = [{"op": "replace", "path": "/persona_name", "value": "Renamed"}]
        assert services.patch_persona(actor=ANA, persona=row, operations=patch) is True
        assert row.name == "Renamed"
        assert twin.request("GET", f"/v2/personas/{row.upstream_id}")["persona_name"] == "Renamed"
        [entry] = entries(event_type="persona.patched")
        assert entry.actor == "ana" and json.loads(entry.body)["patch"] == patch

    def test_who_asked_is_in_the_log_before_upstream_is(self, twin: TwinProcess) -> None:
        row = make()
        services.patch_persona(actor=ANA, persona=row, operations=[{"op": "remove", "path": "/greeting"}])
        services.delete_persona(actor=ANA, persona=row)
        events = [one.event_type for one in Entry.objects.filter(persona_ref=row.public_id, actor="ana").order_by("id")]
        words = [event.split(" ")[0] for event in events]  # of a call its method: both vocabularies
        assert words.index("persona.patch_asked") < words.index("PATCH") < words.index("persona.patched")
        assert words.index("persona.delete_asked") < words.index("DELETE") < words.index("persona.deleted")

    def test_nothing_to_change_is_no_error(self, twin: TwinProcess) -> None:
        row = make()
        patch = [{"op": "replace", "path": "/persona_name", "value": row.name}]
        assert services.patch_persona(actor=ANA, persona=row, operations=patch) is False

    def test_unsaved_edits_stand_in_the_way_until_forced(self, twin: TwinProcess, entries: Find) -> None:
        row = make()
        patch = [{"op": "replace", "path": "/persona_name", "value": "Forced"}]
        twin.fault("maker_changes")
        with pytest.raises(errors.Conflict) as caught:
            services.patch_persona(actor=ANA, persona=row, operations=patch)
        assert caught.value.maker_changes
        assert entries(event_type="persona.patch_failed", is_error=True)
        with pytest.raises(errors.InvalidRequest, match="discards"):
            services.patch_persona(actor=ANA, persona=row, operations=patch, force=True)
        services.patch_persona(actor=ANA, persona=row, operations=patch, force=True, discards="maker_changes")
        assert row.name == "Forced"

    def test_a_lost_answer_is_looked_up(self, twin: TwinProcess) -> None:
        row = make()
        twin.fault("cut", method="PATCH", when="after")
        with pytest.raises(errors.AnswerLost):
            services.patch_persona(
                actor=ANA, persona=row, operations=[{"op": "replace", "path": "/persona_name", "value": "Lost"}]
            )
        row.refresh_from_db()
        assert row.name == "Lost", "the row says what upstream says now"

    def test_a_stock_persona_is_left_alone(self, twin: TwinProcess) -> None:
        services.sync_personas(actor=ANA)
        stock = Persona.objects.get(upstream_id="pipecat0")
        assert (stock.persona_type, stock.is_echo) == ("system", True)
        with pytest.raises(NotPossible, match="stock"):
            services.patch_persona(actor=ANA, persona=stock, operations=[{"op": "remove", "path": "/greeting"}])
        with pytest.raises(NotPossible, match="stock"):
            services.delete_persona(actor=ANA, persona=stock)


class TestDeleting:
    def test_it_is_gone_there_and_kept_here(self, twin: TwinProcess) -> None:
        row = make()
        services.delete_persona(actor=ANA, persona=row)
        assert row.state == "gone"
        with pytest.raises(errors.NotFound):
            from echoadmin.upstream import client

            client().get_persona(str(row.upstream_id))
        services.delete_persona(actor=ANA, persona=row)

    def test_a_lost_answer_is_looked_up(self, twin: TwinProcess) -> None:
        row = make()
        twin.fault("cut", method="DELETE", when="after")
        services.delete_persona(actor=ANA, persona=row)
        assert row.state == "gone"

    def test_a_refusal_is_told_and_the_row_stays(self, twin: TwinProcess) -> None:
        row = make()
        twin.fault("status", status=401, body={"message": "Invalid access token"}, method="DELETE", when="before")
        with pytest.raises(errors.Unauthorised):
            services.delete_persona(actor=ANA, persona=row)
        row.refresh_from_db()
        assert row.state == "live"


class TestSyncing:
    def test_own_and_stock_are_told_apart(self, twin: TwinProcess) -> None:
        row = make()
        result = services.sync_personas(actor=ANA)
        assert result.complete and not result.problems
        row.refresh_from_db()
        assert row.persona_type == "user"
        assert {"pipecat0", "pb87e71797da"} <= set(
            Persona.objects.filter(persona_type="system").values_list("upstream_id", flat=True)
        )
        assert not Persona.objects.filter(state="live", pipeline_mode="").exists(), (
            "modes that lists leave out are looked up"
        )

    def test_replicas_come_with_status_and_picture(self, twin: TwinProcess) -> None:
        services.sync_replicas(actor=ANA)
        replica = Replica.objects.get(upstream_id="re8e740a42")
        assert replica.is_ready and replica.name and replica.replica_type == "system"

    def test_what_was_deleted_there_is_gone_here_and_comes_back_if_it_does(
        self, twin: TwinProcess, entries: Find
    ) -> None:
        row = make()
        twin.request("DELETE", f"/v2/personas/{row.upstream_id}")
        assert services.sync_personas(actor=ANA).gone == 1
        row.refresh_from_db()
        assert row.state == "gone"
        other = make()
        Persona.objects.filter(pk=other.pk).update(state="gone")
        services.sync_personas(actor=ANA)
        other.refresh_from_db()
        assert other.state == "live"
        assert entries(event_type="persona.returned")

    def test_a_second_sync_changes_nothing_and_the_console_itself_then_writes_no_entry(
        self, twin: TwinProcess, entries: Find
    ) -> None:
        services.sync_personas(actor=SYSTEM)
        result = services.sync_personas(actor=SYSTEM)
        assert (result.new, result.changed, result.gone) == (0, 0, 0)
        assert len(entries(event_type="persona.synced")) <= 1


class TestLostAnswer:
    def test_it_is_found_by_name_replica_and_time(self, twin: TwinProcess, vocabulary: str) -> None:
        path = "/v2/pals" if vocabulary == "pal" else "/v2/personas"
        twin.fault("cut", method="POST", path=path, when="after")
        with pytest.raises(errors.AnswerLost) as caught:
            make(f"Lost {vocabulary}")
        row = Persona.objects.get(public_id=caught.value.reference)
        assert row.state == "unknown"
        services.sync_personas(actor=ANA)
        assert Persona.objects.filter(name=row.name).count() == 1, "a sync leaves it to be resolved"
        assert services.resolve_unknown_personas(actor=SYSTEM) == [row]
        row.refresh_from_db()
        assert (row.state, row.is_echo) == ("live", True)

    def test_a_refusal_names_the_field_in_our_words(self, twin: TwinProcess, vocabulary: str) -> None:
        body = {"persona_name": "x", "pipeline_mode": "echo"} | (
            {} if vocabulary == "pal" else {"default_replica_id": "r-nobody"}
        )
        with pytest.raises(errors.InvalidRequest) as caught:
            services.create_persona(actor=ANA, body=body)
        row = Persona.objects.get(public_id=caught.value.reference)
        assert row.state == "rejected"
        if vocabulary == "pal":
            assert list(caught.value.fields) == ["default_replica_id"]
