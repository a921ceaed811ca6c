"""The drift pages: what differs, what exactly would be done, and that only what was shown is done."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from echoadmin.actors import SYSTEM
from personas import services
from personas.models import Persona, Replica
from tests import make
from tests.twin_process import TwinProcess

pytestmark = pytest.mark.django_db(transaction=True)
Visitor = Callable[[str | None], Client]


@pytest.fixture
def row(twin: TwinProcess) -> Persona:
    """One that somebody renamed at Tavus."""
    body = {"persona_name": "Echo", "pipeline_mode": "echo", "default_replica_id": "re8e740a42"}
    made = services.create_persona(actor=SYSTEM, body=body)
    services.sync_persona(actor=SYSTEM, persona=made)
    rename(twin, made, "Other")
    return made


def rename(twin: TwinProcess, persona: Persona, name: str) -> None:
    patch = [{"op": "add", "path": "/persona_name", "value": name}]
    twin.request("PATCH", f"/v2/personas/{persona.upstream_id}", patch)


def page(persona: Any, name: str = "drift") -> str:
    """ "" is its own page."""
    return f"/admin/personas/{persona._meta.model_name}/{persona.public_id}/change/{name}{'/' if name else ''}"


def shown(client: Client, persona: Persona, way: str) -> dict[str, str]:
    """The hidden fields of the form that would push or pull."""
    text = client.get(page(persona)).content.decode()
    form = text[text.index(f'action="{page(persona, way)}"') :].split("</form>")[0]
    return dict(re.findall(r'name="(patch_sha256|discards)" value="(\w+)"', form))


def there(twin: TwinProcess, persona: Persona) -> str:
    return str(twin.request("GET", f"/v2/personas/{persona.upstream_id}")["persona_name"])


def test_both_values_and_exactly_what_is_sent_are_on_the_page(visitor: Visitor, row: Persona) -> None:
    text = visitor("manager").get(page(row)).content.decode()
    assert "1 field differs" in text
    for words in ("/persona_name", "Echo", "Other", f"PATCH /v2/personas/{row.upstream_id}", "Push this", "Pull this"):
        assert words in text
    assert "&quot;value&quot;: &quot;Echo&quot;" in text


def test_a_push_sends_what_was_shown(visitor: Visitor, row: Persona, twin: TwinProcess) -> None:
    client = visitor("manager")
    answer = client.post(page(row, "push"), shown(client, row, "push"), follow=True)
    assert "is changed at Tavus: /persona_name." in answer.content.decode()
    assert there(twin, row) == "Echo"


def test_a_pull_takes_over_what_was_shown(visitor: Visitor, row: Persona, twin: TwinProcess) -> None:
    client = visitor("manager")
    client.post(page(row, "pull"), shown(client, row, "pull"))
    row.refresh_from_db()
    assert (row.name, there(twin, row)) == ("Other", "Other")


@pytest.mark.parametrize("way", ["push", "pull"])
def test_what_changed_meanwhile_is_refused_and_shown_anew(
    visitor: Visitor, row: Persona, twin: TwinProcess, way: str
) -> None:
    client = visitor("manager")
    given = shown(client, row, way)
    rename(twin, row, "Third")
    answer = client.post(page(row, way), given)
    assert answer.status_code == 409
    assert "It changed since it was shown" in answer.content.decode() and "Third" in answer.content.decode()
    row.refresh_from_db()
    assert (row.name, there(twin, row)) == ("Echo", "Third")


def test_force_is_offered_only_after_a_refusal_that_names_what_is_lost(
    visitor: Visitor, row: Persona, twin: TwinProcess
) -> None:
    client = visitor("manager")
    given = shown(client, row, "push")
    assert "discards" not in given
    twin.fault("maker_changes")
    refused = client.post(page(row, "push"), given)
    text = refused.content.decode()
    assert refused.status_code == 409 and there(twin, row) == "Other"
    assert "What would be lost." in text and "Discard the unpublished edits, and push" in text
    client.post(page(row, "push"), given | {"discards": "maker_changes", "force": "1"})
    assert there(twin, row) == "Echo"


@pytest.mark.parametrize("role", ["auditor", "operator"])
def test_who_may_not_change_it_sees_it_without_buttons(visitor: Visitor, row: Persona, role: str) -> None:
    client = visitor(role)
    text = client.get(page(row)).content.decode()
    assert "Other" in text and "Push this" not in text and "Pull this" not in text
    assert client.post(page(row, "push"), {"patch_sha256": "x"}).status_code == 403


def test_the_lists_the_home_and_its_own_page_tell_what_a_sync_noticed(visitor: Visitor, row: Persona) -> None:
    services.sync_personas(actor=SYSTEM)
    client = visitor("manager")
    assert 'data-state="differs"' in client.get("/admin/personas/persona/").content.decode()
    listed = {
        answer: client.get(f"/admin/personas/persona/?differs={answer}").context["cl"].queryset
        for answer in ("yes", "no")
    }
    assert list(listed["yes"]) == [row] and row not in listed["no"]
    assert "It differs from what was asked for here" in client.get(page(row, "")).content.decode()
    home = client.get("/admin/").content.decode()
    assert "Changed at Tavus: /persona_name" in home and page(row) in home


def test_what_was_deleted_there_is_told_with_what_runs_on_it(visitor: Visitor, row: Persona, twin: TwinProcess) -> None:
    running = make.room(conversation__persona=row, conversation__name="Tour").conversation
    twin.request("DELETE", f"/v2/personas/{row.upstream_id}")
    client = visitor("manager")
    text = client.get(page(row)).content.decode()
    assert "have it any more" in text and f">{running}</a>, which runs on it" in text
    assert "Push this" not in text
    assert f">{running}</a>, which runs on it" in client.get(page(row, "")).content.decode()
    assert "Deleted at Tavus, and running: persona Echo" in client.get("/admin/").content.decode()


def test_a_replica_that_was_deleted_there_names_the_personas_whose_default_it_is(visitor: Visitor) -> None:
    replica = make.replica(state="gone", name="Anna")
    using = make.persona(default_replica_id=replica.upstream_id, name="Reader")
    client = visitor("manager")
    text = client.get(page(replica, "")).content.decode()
    assert "the persona" in text and f">{using}</a>" in text
    assert "Deleted at Tavus, and still the default of personas" in client.get("/admin/").content.decode()


def test_a_replica_and_a_conversation_have_the_page_without_buttons(visitor: Visitor, twin: TwinProcess) -> None:
    services.sync_replicas(actor=SYSTEM)
    client = visitor("manager")
    replica = Replica.objects.get(upstream_id="re8e740a42")
    assert "The same here and at Tavus" in client.get(page(replica)).content.decode()
    gone = make.conversation()
    answer = client.get(f"/admin/conversations/conversation/{gone.public_id}/change/drift/")
    assert answer.status_code == 200 and "have it any more" in answer.content.decode()


def test_a_tavus_that_does_not_answer_is_told(visitor: Visitor, row: Persona, twin: TwinProcess) -> None:
    twin.fault("status", status=401, body={"message": "Invalid access token"}, count=None)
    answer = visitor("manager").get(page(row))
    assert answer.status_code == 502 and "TAVUS_API_KEY" in answer.content.decode()
