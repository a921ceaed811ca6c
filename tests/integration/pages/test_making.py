"""The pages that make personas and conversations, against a real twin."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.conf import LazySettings
from django.test import Client

from conversations.models import Conversation, Room
from personas.models import Persona, Replica
from tests import make
from tests.twin_process import TwinProcess

Visitor = Callable[[str | None], Client]
NEW_PERSONA = "/admin/personas/persona/add/"
NEW_CONVERSATION = "/admin/conversations/conversation/add/"

pytestmark = pytest.mark.django_db(transaction=True)


def token(client: Client, path: str) -> str:
    return str(client.get(path).context["token"])


@pytest.fixture
def manager(visitor: Visitor, twin: TwinProcess) -> Client:
    client = visitor("manager")
    client.post("/admin/personas/persona/sync/")
    client.post("/admin/personas/replica/sync/")
    return client


def start(client: Client, **fields: object) -> object:
    given = {"token": token(client, NEW_CONVERSATION), "persona": "pipecat0", "minutes": 5, "left_timeout": 60}
    return client.post(NEW_CONVERSATION, given | fields)


def test_an_echo_persona_is_one_name_and_a_click(manager: Client, twin: TwinProcess) -> None:
    form = {"token": token(manager, NEW_PERSONA), "name": "Music host", "replica": "re8e740a42"}
    answer = manager.post(NEW_PERSONA, form)
    made = Persona.objects.get(name="Music host")
    assert answer["Location"].endswith(f"/{made.public_id}/change/")
    upstream = twin.get(f"/v2/personas/{made.upstream_id}")
    assert upstream["pipeline_mode"] == "echo"
    assert upstream["default_replica_id"] == "re8e740a42"


def test_a_form_that_is_sent_twice_makes_one(manager: Client) -> None:
    form = {"token": token(manager, NEW_PERSONA), "name": "Only one", "replica": ""}
    first, second = manager.post(NEW_PERSONA, form), manager.post(NEW_PERSONA, form)
    assert first["Location"] == second["Location"]
    assert Persona.objects.filter(name="Only one").count() == 1


def test_any_other_persona_is_made_from_its_json(manager: Client, twin: TwinProcess) -> None:
    body = '{"persona_name": "Coach", "system_prompt": "Be kind.", "default_replica_id": "re8e740a42"}'
    path = NEW_PERSONA + "?kind=json"
    answer = manager.post(path, {"token": token(manager, path), "body": body})
    assert answer.status_code == 302
    made = Persona.objects.get(name="Coach")
    assert twin.get(f"/v2/personas/{made.upstream_id}")["system_prompt"] == "Be kind."


@pytest.mark.parametrize("body", ["", "{", "[]", '"x"', "{" * 5000])
def test_json_that_is_no_object_is_told_and_kept(body: str, manager: Client) -> None:
    path = NEW_PERSONA + "?kind=json"
    answer = manager.post(path, {"token": token(manager, path), "body": body})
    assert answer.status_code == 400
    assert answer.context["form"].errors["body"]
    assert answer.context["form"]["body"].value() == body


def test_upstreams_refusal_stands_beside_its_field_and_the_form_keeps_what_was_typed(
    manager: Client, twin: TwinProcess
) -> None:
    answer = start(manager, replica="r-nowhere", name="Keep me")
    assert answer.status_code == 400
    form = answer.context["form"]
    assert form["name"].value() == "Keep me"
    assert form.errors
    assert not Conversation.objects.filter(state="live").exists()


def test_a_conversation_is_created_and_its_room_wanted(manager: Client, twin: TwinProcess) -> None:
    answer = start(manager, name="Music Chat", create_and_join="1")
    made = Conversation.objects.get(name="Music Chat")
    assert answer["Location"].endswith(f"/{made.public_id}/change/")
    assert Room.objects.get(conversation=made).wanted == "joined"
    assert (made.max_call_duration, made.participant_left_timeout) == (300, 60)


def test_a_conversation_can_be_created_without_joining(manager: Client) -> None:
    start(manager, name="Later", create_only="1")
    assert Room.objects.get(conversation__name="Later").wanted == "idle"


def test_a_conversation_whose_answer_was_lost_is_shown_and_not_offered_again(
    manager: Client, twin: TwinProcess
) -> None:
    twin.fault("cut", method="POST", path="/v2/conversations", when="after")
    answer = start(manager, name="Lost")
    row = Conversation.objects.get(name="Lost")
    assert row.state == "unknown"
    assert answer["Location"].endswith(f"/{row.public_id}/change/")
    page = manager.get(answer["Location"]).content.decode()
    assert "It is not known whether Tavus made this" in page


def test_price_and_limits_stand_before_the_button(visitor: Visitor, settings: LazySettings) -> None:
    settings.PRICE_PER_MINUTE, settings.CONVERSATION_SLOTS, settings.MAX_CALL_DURATION = 0.37, 10, 3600
    make.room()
    page = visitor("manager").get(NEW_CONVERSATION).content.decode()
    assert "About 0.37 USD a minute, at most 22.20 USD in 60 min." in page
    assert "1 of 10 slots are taken" in page
    assert page.index("at most 22.20") < page.index("Create and join (starts the clock)")


@pytest.mark.parametrize("path", [NEW_PERSONA, NEW_CONVERSATION])
def test_an_operator_may_not_make_what_costs(path: str, visitor: Visitor) -> None:
    answer = visitor("operator").get(path)
    assert answer.status_code == 403
    assert "role manager or higher" in answer.content.decode()


def test_ending_stops_the_vendors_clock(manager: Client, twin: TwinProcess) -> None:
    start(manager, name="Short", create_only="1")
    row = Conversation.objects.get(name="Short")
    manager.post(f"/admin/conversations/conversation/{row.public_id}/change/end/")
    row.refresh_from_db()
    assert row.status == "ended"
    assert twin.get(f"/v2/conversations/{row.upstream_id}")["status"] == "ended"


def test_a_persona_is_changed_by_a_patch_and_deleted(manager: Client, twin: TwinProcess) -> None:
    manager.post(NEW_PERSONA, {"token": token(manager, NEW_PERSONA), "name": "Before", "replica": "re8e740a42"})
    row = Persona.objects.get(name="Before")
    base = f"/admin/personas/persona/{row.public_id}/change/"
    patch = '[{"op": "replace", "path": "/persona_name", "value": "After"}]'
    assert manager.post(base + "patch/", {"token": "-", "operations": patch}).status_code == 302
    row.refresh_from_db()
    assert row.name == "After"
    assert manager.post(base + "patch/", {"token": "-", "operations": "{}"}).status_code == 200
    manager.post(base + "delete-upstream/")
    row.refresh_from_db()
    assert row.state == "gone"


def lost(manager: Client, twin: TwinProcess, when: str) -> Conversation:
    """A conversation of which nobody knows whether Tavus made it."""
    twin.fault("cut", method="POST", path="/v2/conversations", when=when)
    start(manager, name="Lost", create_only="1")
    return Conversation.objects.get(name="Lost", state="unknown")


def test_a_lost_conversation_is_adopted_by_a_person(manager: Client, twin: TwinProcess) -> None:
    row = lost(manager, twin, "after")
    listed = twin.get("/v2/conversations?status=active&limit=100")["data"]
    theirs = next(one["conversation_id"] for one in listed if one["conversation_name"] == "Lost")
    base = f"/admin/conversations/conversation/{row.public_id}/change/"
    page = manager.post(base + "adopt/", {"upstream_id": "c-nowhere"}, follow=True).content.decode()
    assert "errornote" in page
    manager.post(base + "adopt/", {"upstream_id": theirs})
    row.refresh_from_db()
    assert (row.state, row.upstream_id) == ("live", theirs)


def test_a_conversation_that_was_never_made_is_given_up(manager: Client, twin: TwinProcess) -> None:
    row = lost(manager, twin, "before")
    manager.post(f"/admin/conversations/conversation/{row.public_id}/change/give-up/")
    row.refresh_from_db()
    assert row.state == "rejected"


def test_a_replicas_picture_comes_from_the_consoles_own_host(manager: Client, twin: TwinProcess) -> None:
    row = Replica.objects.exclude(thumbnail_url="").first()
    assert row is not None
    answer = manager.get(f"/admin/personas/replica/{row.public_id}/picture/")
    assert answer.status_code == 200
    assert answer["Content-Type"].partition("/")[0] in ("image", "video")
    assert row.thumbnail_url not in manager.get("/admin/personas/replica/").content.decode()
    row.thumbnail_url = "http://169.254.169.254/latest/meta-data/"
    row.save()
    refused = manager.get(f"/admin/personas/replica/{row.public_id}/picture/")
    assert refused.status_code == 404
