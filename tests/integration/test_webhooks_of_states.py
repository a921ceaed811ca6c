"""Webhooks out for states: noted by the database in the statement that changes them, told once, and not for nothing."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.checks import run_checks
from django.db import connection, transaction
from django.utils import timezone

from conversations import outbox
from conversations.changes import telling, triggers
from conversations.changes.telling import conversation_names, tell_changes
from conversations.models import Conversation, Echo, EchoState, Room, StateChange
from conversations.serializers import ConversationSerializer, echo_dict
from echoadmin.deliveries.models import Delivery, Subscription
from echoadmin.deliveries.publishing import EVENT_TYPES
from tests import make
from tests.integration.pages import told

pytestmark = pytest.mark.django_db(transaction=True)


def wanted(*event_types: str, **more: Any) -> Subscription:
    return told.subscription(event_types=list(event_types), **more)


def deliveries() -> list[dict[str, Any]]:
    """What is to be sent, in its order, once all changes are told."""
    while tell_changes():
        pass
    return [json.loads(body) for body in Delivery.objects.order_by("id").values_list("body", flat=True)]


def types() -> list[str]:
    return [one["type"] for one in deliveries()]


def test_without_a_subscription_that_wants_to_know_nothing_is_written() -> None:
    wanted("ping", "alert.raised")
    wanted("echo.*", enabled=False)
    make.room()
    Echo.objects.filter(pk=make.echo(state="queued").pk).update(state="cancelled")
    assert not StateChange.objects.exists()


def test_every_state_of_an_echo_is_told_with_what_was_so_then() -> None:
    row = make.room()
    tenure = outbox.Tenure(row.pk, row.conversation_id, row.worker_id, row.epoch)
    wanted("echo.*")
    echo = make.echo(conversation=row.conversation, state="queued", text="A secret line")
    at = timezone.now()
    assert outbox.claim_echo(tenure, echo.pk, revision=0, chunks=1)
    assert outbox.mark_sent(tenure, echo.pk, at=at, sent=1, seconds=2.0)
    assert outbox.mark_speaking(tenure, echo.pk, at=at + timedelta(seconds=1), heard_id="heard")
    assert outbox.mark_spoken(tenure, echo.pk, at=at + timedelta(seconds=2))
    found = deliveries()
    assert [one["type"] for one in found] == [f"echo.{s}" for s in ("queued", "sending", "sent", "speaking", "spoken")]
    assert [one["data"]["state"] for one in found] == ["queued", "sending", "sent", "speaking", "spoken"]
    assert [len([t for t in one["data"]["times"].values() if t]) for one in found] == [1, 2, 3, 4, 6]
    assert [one["data"]["chunks_sent"] for one in found] == [0, 0, 1, 1, 1]
    assert sorted(one["timestamp"] for one in found) == [one["timestamp"] for one in found]
    echo = Echo.objects.select_related("conversation").get(pk=echo.pk)
    shape = json.loads(json.dumps(echo_dict(echo), default=str))
    assert {**found[-1]["data"], "text": "A secret line"} == shape
    assert not StateChange.objects.exists()
    assert {row.ref for row in Delivery.objects.all()} == {echo.inference_id}


def test_what_changes_no_state_is_told_to_nobody() -> None:
    row = make.room()
    tenure = outbox.Tenure(row.pk, row.conversation_id, row.worker_id, row.epoch)
    echo = make.echo(conversation=row.conversation, state="sending", epoch=row.epoch)
    wanted("echo.*", "room.*", "conversation.*")
    assert outbox.claim_more(tenure, echo.pk, chunks=2, sent=1)
    assert outbox.note_sent(tenure, echo.pk, 2)
    outbox.take_place(row.conversation_id)
    Room.objects.filter(pk=row.pk).update(last_seen_at=timezone.now(), state="joined")
    Conversation.objects.get(pk=row.conversation_id).save()
    assert not StateChange.objects.exists()


@pytest.mark.parametrize("state", [state for state in EchoState if state != "queued"])
def test_each_state_has_its_event_type(state: str) -> None:
    wanted(f"echo.{state}")
    echo = make.echo(state="queued")
    Echo.objects.filter(pk=echo.pk).update(state=state)
    assert types() == [f"echo.{state}"]
    assert f"echo.{state}" in EVENT_TYPES


def test_a_room_is_told_as_it_is_joined_lost_and_left_without_the_names_of_people() -> None:
    row = make.room(state="idle")
    wanted("room.*")
    for state in ("joining", "joined", "lost", "joining", "joined", "leaving", "idle"):
        Room.objects.filter(pk=row.pk).update(state=state)
    found = deliveries()
    names = [one["type"] for one in found]
    assert names == [f"room.{n}" for n in ("joining", "joined", "lost", "joining", "joined", "leaving", "left")]
    data = found[1]["data"]
    assert (data["conversation"], data["state"], data["worker"]) == (
        *(row.conversation.public_id, "joined", row.worker.name),
    )
    assert "participants" not in data
    assert set(names) <= set(EVENT_TYPES)


def test_a_conversation_is_told_from_its_creation_to_its_end() -> None:
    wanted("conversation.*")
    row = make.conversation(state="reserved", status="", upstream_id=None)
    Conversation.objects.filter(pk=row.pk).update(state="live", status="active", upstream_id="c-1")
    Conversation.objects.filter(pk=row.pk).update(status="ended", ended_at=timezone.now(), ended_reason="by hand")
    Conversation.objects.filter(pk=row.pk).update(state="gone")
    found = deliveries()
    assert [one["type"] for one in found] == [f"conversation.{n}" for n in ("created", "ended", "gone")]
    assert [one["data"]["status"] for one in found] == ["active", "ended", "ended"]
    assert found[0]["data"]["ended_at"] is None and found[1]["data"]["ended_reason"] == "by hand"
    shape = ConversationSerializer(Conversation.objects.get(pk=row.pk)).data
    assert set(found[0]["data"]) == set(shape) - {"payload", "conversational_context", "properties", "room"}


@pytest.mark.parametrize(
    ("was", "now", "names"),
    [
        ("", "live/active", ["found"]),
        ("", "live/ended", ["found"]),
        ("", "reserved/", []),
        ("reserved/", "live/ended", ["created", "ended"]),
        ("reserved/", "unknown/", ["unknown"]),
        ("reserved/", "rejected/", ["rejected"]),
        ("unknown/", "live/active", ["created"]),
        ("gone/ended", "live/ended", ["returned"]),
        ("live/active", "gone/ended", ["gone", "ended"]),
    ],
)
def test_a_change_of_a_conversation_has_these_names(was: str, now: str, names: list[str]) -> None:
    assert conversation_names(was, now) == names
    assert {f"conversation.{name}" for name in names} <= set(EVENT_TYPES)


def test_a_subscription_to_one_conversation_or_persona_is_told_of_no_other() -> None:
    mine, other = make.conversation(), make.conversation()
    first = wanted("echo.queued", conversation_ref=mine.public_id)
    second = wanted("echo.queued", persona_ref=other.persona.public_id)
    for conversation in (mine, other):
        make.echo(conversation=conversation, state="queued", inference_id=conversation.public_id)
    deliveries()
    got = [(row.subscription_id, row.ref) for row in Delivery.objects.order_by("id")]
    assert got == [(first.pk, mine.public_id), (second.pk, other.public_id)]


def test_what_is_rolled_back_was_never_noted_and_a_telling_that_fails_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted("echo.*")
    echo = make.echo(state="queued")
    with pytest.raises(RuntimeError), transaction.atomic():
        Echo.objects.filter(pk=echo.pk).update(state="sending")
        raise RuntimeError
    assert [change.state for change in StateChange.objects.all()] == ["queued"]

    def broken(*args: Any) -> None:
        raise RuntimeError("the process dies here")

    monkeypatch.setattr(telling, "publish_all", broken)
    with pytest.raises(RuntimeError):
        tell_changes()
    monkeypatch.undo()
    assert types() == ["echo.queued"]


def test_two_who_tell_at_once_tell_each_change_once(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted("echo.*")
    make.echo(state="queued")
    make_events = telling.events_of

    def meanwhile(changes: Any) -> Any:
        monkeypatch.undo()
        assert tell_changes() == 1  # another process, between the look and the transaction
        return make_events(changes)

    monkeypatch.setattr(telling, "events_of", meanwhile)
    assert tell_changes() == 0
    assert types() == ["echo.queued"]


def test_a_row_that_is_gone_is_told_nothing_of() -> None:
    wanted("echo.*")
    echo = make.echo(state="queued")
    Echo.objects.filter(pk=echo.pk).delete()
    assert types() == []
    assert not StateChange.objects.exists()


def test_a_batch_takes_few_queries_however_many_changes_it_has(django_assert_max_num_queries: Any) -> None:
    wanted("echo.*", "room.*")
    conversation = make.conversation()
    for _ in range(40):
        make.echo(conversation=conversation, state="queued")
    with django_assert_max_num_queries(8):
        assert tell_changes() == 40
    assert Delivery.objects.count() == 40


def test_triggers_that_are_gone_are_named_and_made_anew() -> None:
    assert triggers.missing() == []
    triggers.remove()
    try:
        assert len(triggers.missing()) == 6
        found = [one for one in run_checks(databases=["default"]) if one.id == "echoadmin.E010"]
        assert "conversations_echo_told_on_update" in found[0].msg
    finally:
        triggers.install()
    assert triggers.missing() == []
    assert not [one for one in run_checks(databases=["default"]) if one.id == "echoadmin.E010"]


def test_they_make_way_for_a_migration_where_a_table_is_made_anew() -> None:
    """SQLite's schema editor drops and renames tables that the triggers name."""
    triggers.before_migrate(None, using="default", plan=[("a migration", False)])
    try:
        assert bool(triggers.missing()) == (connection.vendor == "sqlite")
        with connection.schema_editor() as editor:
            field = Subscription._meta.get_field("description")
            wider = field.clone()
            wider.max_length = 201
            wider.set_attributes_from_name("description")
            editor.alter_field(Subscription, field, wider)
            editor.alter_field(Subscription, wider, field)
    finally:
        triggers.after_migrate(None, using="default")
    assert triggers.missing() == []
