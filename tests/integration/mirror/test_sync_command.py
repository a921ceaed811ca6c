"""`manage.py sync`, and the duties that do the same by themselves."""

from __future__ import annotations

import io
import socket

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from conversations.models import Conversation
from conversations.services import mirroring
from echoadmin.duties import REGISTRY
from echoadmin.tavus import errors
from personas.models import Persona, Replica
from tests.integration.mirror.conftest import ANA
from tests.twin_process import TwinProcess

pytestmark = pytest.mark.django_db(transaction=True)
BODY = {"replica_id": "re8e740a42", "persona_id": "pipecat0", "conversation_name": "By command"}


def test_it_brings_everything_and_finds_what_was_lost(twin: TwinProcess) -> None:
    twin.fault("cut", method="POST", path="/v2/conversations", when="after")
    with pytest.raises(errors.AnswerLost):
        mirroring.create_conversation(actor=ANA, body=BODY)
    twin.post("/v2/conversations", {**BODY, "conversation_name": "Another's"})
    told = io.StringIO()
    call_command("sync", stdout=told)
    assert "personas: " in told.getvalue() and "replicas: " in told.getvalue()
    assert Persona.objects.filter(upstream_id="pipecat0").exists() and Replica.objects.exists()
    assert set(Conversation.objects.values_list("state", "status")) == {("live", "active")}
    assert Conversation.objects.filter(persona__upstream_id="pipecat0", replica__upstream_id="re8e740a42").count() == 2


def test_a_conversation_that_was_mirrored_before_its_persona_is_linked_to_it_later(twin: TwinProcess) -> None:
    row = mirroring.create_conversation(actor=ANA, body=BODY)
    assert row.persona is None and row.upstream_persona_id == "pipecat0"
    call_command("sync", stdout=io.StringIO())
    row.refresh_from_db()
    assert row.persona is not None and row.persona.upstream_id == "pipecat0"


def test_it_says_what_stood_in_the_way_and_fails(twin: TwinProcess, settings: LazySettings) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        settings.TAVUS_API_URL = f"http://127.0.0.1:{unused.getsockname()[1]}"
        told = io.StringIO()
        with pytest.raises(CommandError):
            call_command("sync", "replicas", stderr=told)
    assert "TAVUS_API_URL" in told.getvalue()


def test_a_kind_that_is_none_is_named(twin: TwinProcess) -> None:
    with pytest.raises(CommandError, match="rooms"):
        call_command("sync", "rooms")


def test_each_duty_does_its_work(twin: TwinProcess) -> None:
    row = mirroring.create_conversation(actor=ANA, body=BODY)
    twin.request("POST", f"/v2/conversations/{row.upstream_id}/end")
    mirroring.ask_for_look(row)
    names = {
        "look_where_asked", "sync_active_conversations", "sync_conversations", "resolve_unknown_conversations",
        "look_for_orphans", "sync_personas", "sync_replicas", "resolve_unknown_personas",
    }  # fmt: skip
    assert names <= set(REGISTRY)
    told = {name: REGISTRY[name].do() for name in sorted(names)}
    assert told["look_where_asked"] == "1 looked at"
    assert "seen" in str(told["sync_conversations"])
