"""Conversations: made, ended, deleted, synced; and every way in which making one can go wrong."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection, transaction
from django.utils import timezone

from conversations.models import Conversation, Echo, EchoState, Room, Wanted
from conversations.services import mirroring
from conversations.services.orphans import look_for_orphans
from echoadmin.actors import SYSTEM
from echoadmin.installation import stamp
from echoadmin.log.models import Entry
from echoadmin.mirror.creating import reserve
from echoadmin.mirror.kinds import NotPossible
from echoadmin.tavus import errors
from echoadmin.upstream import CallInTransaction, client
from personas import services as personas
from personas.models import Persona
from tests.integration.mirror.conftest import ANA
from tests.twin_process import TwinProcess

pytestmark = pytest.mark.django_db(transaction=True)
Find = Callable[..., list[Entry]]
BODY = {"replica_id": "re8e740a42", "persona_id": "pipecat0", "conversation_name": "A lesson"}


def make(**more: Any) -> Conversation:
    return mirroring.create_conversation(actor=ANA, body={**BODY, **more})


def lose_the_answer(twin: TwinProcess) -> None:
    """The twin does the next create, and the answer never comes."""
    twin.fault("cut", method="POST", path="/v2/conversations", when="after")


def lost(**more: Any) -> Conversation:
    with pytest.raises(errors.AnswerLost) as caught:
        make(**more)
    return Conversation.objects.get(public_id=caught.value.reference)


def test_a_new_conversation_is_live_with_limits_and_our_webhook(twin: TwinProcess, settings: LazySettings) -> None:
    row = make()
    upstream = twin.request("GET", f"/v2/conversations/{row.upstream_id}")
    secret = stamp(settings.MODE).webhook_secret
    assert (row.state, row.status, row.is_active, row.name) == ("live", "active", True, "A lesson")
    assert row.conversation_url == upstream["conversation_url"]
    assert upstream["callback_url"] == f"https://console.example/webhooks/tavus/{secret}/?ref={row.public_id}"
    assert row.requested["callback_url"] == f"https://console.example/webhooks/tavus/[redacted]/?ref={row.public_id}"
    assert row.requested["properties"] == {"participant_left_timeout": 120, "max_call_duration": 3600}
    assert (row.participant_left_timeout, row.max_call_duration, row.webhooks_here) == (120, 3600, True)
    assert (row.upstream_persona_id, row.upstream_replica_id, row.made_here) == ("pipecat0", "re8e740a42", True)
    assert Room.objects.get(conversation=row).wanted == Wanted.IDLE
    assert abs(row.started_at - timezone.now()) < timedelta(minutes=1)


def test_what_the_caller_gave_wins_and_what_is_odd_is_said(twin: TwinProcess) -> None:
    row = make(
        callback_url="https://mine.example/in?key=abc", properties={"participant_left_timeout": 0, "language": "german"}
    )
    assert row.requested["properties"] == {
        "participant_left_timeout": 0,
        "max_call_duration": 3600,
        "language": "german",
    }
    assert row.requested["callback_url"] == "https://mine.example/in?key=[redacted]"
    assert not row.webhooks_here
    assert any("participant_left_timeout" in words for words in row.warnings)
    assert any("callback_url" in words for words in row.warnings)


def test_joining_at_once_wants_the_room(twin: TwinProcess, settings: LazySettings) -> None:
    settings.DAILY_DOMAINS = ["daily.co"]
    row = mirroring.create_conversation(actor=ANA, body=BODY, join=True)
    assert Room.objects.get(conversation=row).wanted == Wanted.JOINED


def test_a_room_that_may_not_be_joined_does_not_hide_the_conversation(
    twin: TwinProcess, settings: LazySettings
) -> None:
    settings.DAILY_DOMAINS = ["elsewhere.example"]
    row = mirroring.create_conversation(actor=ANA, body=BODY, join=True)
    assert row.is_active
    assert any("not joined" in words for words in row.warnings)
    assert Room.objects.get(conversation=row).wanted == Wanted.IDLE


def test_our_own_ids_are_taken_for_upstreams(twin: TwinProcess) -> None:
    persona = personas.create_echo_persona(actor=ANA, name="Ours", replica_id="re8e740a42")
    row = mirroring.create_conversation(actor=ANA, body={"pal_id": persona.public_id})
    assert row.persona == persona
    assert row.upstream_persona_id == persona.upstream_id
    with pytest.raises(errors.InvalidRequest) as caught:
        make(persona_id="pe_nobody")
    assert list(caught.value.fields) == ["persona_id"]
    with pytest.raises(NotPossible, match="rejected"):
        make(persona_id=Persona.objects.create(state="rejected").public_id)


def test_a_meeting_token_is_sealed_and_stands_nowhere_else(twin: TwinProcess, entries: Find) -> None:
    row = make(require_auth=True)
    token = row.meeting_token
    assert len(token) > 20
    fields = Conversation.objects.filter(pk=row.pk).values().get()
    assert token not in json.dumps(fields, default=str)
    assert all(token not in str(entry.body) for entry in entries())
    mirroring.end_conversation(actor=ANA, conversation=row)
    assert row.meeting_token == ""


def test_the_log_says_who_asked_and_what_was_called(twin: TwinProcess, entries: Find) -> None:
    row = make()
    found = entries(conversation_ref=row.public_id)
    assert [entry.event_type for entry in found] == [
        "conversation.requested",
        "POST /v2/conversations",
        "conversation.created",
    ]
    assert {(entry.kind, entry.actor, entry.request_id, entry.api_key_ref) for entry in found} == {
        ("operator", "ana", "req-1", "k1"),
        ("upstream", "ana", "req-1", "k1"),
    }
    assert [entry.n for entry in found] == [1, 2, 3], "they are the conversation's own stream"
    call = json.loads(found[1].body)
    assert (call["status"], call["response"]["conversation_id"], call["attempt"]) == (200, row.upstream_id, 1)
    assert stamp("sandbox").webhook_secret not in str([entry.body for entry in found])


class TestRefused:
    def check(self, error: type[errors.TavusError], **body: Any) -> Conversation:
        with pytest.raises(error) as caught:
            make(**body)
        row = Conversation.objects.get(public_id=caught.value.reference)
        assert (row.state, row.upstream_id) == ("rejected", None)
        assert row.error["code"] == caught.value.code
        assert row.error["way_out"]
        assert mirroring.resolve_unknown(actor=SYSTEM) == []
        return row

    def test_an_unknown_replica(self, twin: TwinProcess, entries: Find) -> None:
        row = self.check(errors.InvalidRequest, replica_id="r-nobody")
        assert row.error["fields"]
        assert [entry.event_type for entry in entries(is_error=True)] == [
            "POST /v2/conversations",
            "conversation.rejected",
        ]

    def test_a_wrong_key(self, twin: TwinProcess, settings: LazySettings) -> None:
        settings.TAVUS_API_KEY = ""
        assert "Invalid access token" in self.check(errors.Unauthorised).error["upstream"]

    def test_no_credits(self, twin: TwinProcess) -> None:
        twin.request("PUT", "/twin/limits", {"credit_seconds": 0})
        assert "out of conversational credits" in self.check(errors.OutOfCredits).error["upstream"]

    def test_no_slot(self, twin: TwinProcess) -> None:
        make()
        twin.request("PUT", "/twin/limits", {"concurrent_conversations": 1})
        assert "maximum concurrent" in self.check(errors.ConcurrencyReached).error["upstream"]

    def test_upstream_away(self, twin: TwinProcess, settings: LazySettings) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            settings.TAVUS_API_URL = f"http://127.0.0.1:{unused.getsockname()[1]}"
            self.check(errors.Unavailable)

    @pytest.mark.parametrize("body", [[], "x", {"properties": []}, {"callback_url": 3}, {"test_mode": "yes"}])
    def test_what_is_no_conversation_at_all_leaves_nothing_behind(self, twin: TwinProcess, body: Any) -> None:
        with pytest.raises(errors.InvalidRequest) as caught:
            mirroring.create_conversation(actor=ANA, body=body)
        assert caught.value.fields
        assert not Conversation.objects.exists()


class TestLostAnswer:
    def test_it_is_unknown_and_then_found_by_its_reference(self, twin: TwinProcess, entries: Find) -> None:
        lose_the_answer(twin)
        row = lost()
        assert (row.state, row.upstream_id, row.error["code"]) == ("unknown", None, "upstream_answer_lost")
        make(), make()  # others of the same name
        assert mirroring.resolve_unknown(actor=SYSTEM) == [row]
        row.refresh_from_db()
        assert (row.state, row.status, row.error) == ("live", "active", None)
        assert twin.request("GET", f"/v2/conversations/{row.upstream_id}")["callback_url"].endswith(row.public_id)
        [adopted] = entries(event_type="conversation.adopted")
        assert json.loads(adopted.body)["found_by"] == "reference"
        assert Conversation.objects.count() == 3

    @pytest.mark.parametrize(
        "fault", [{"kind": "html"}, {"kind": "status", "status": 500}, {"kind": "status", "status": 200, "body": {}}]
    )
    def test_a_useless_answer_is_a_lost_one(self, twin: TwinProcess, fault: dict[str, Any]) -> None:
        twin.fault(**fault, method="POST", path="/v2/conversations", when="after")
        row = lost()
        assert row.state == "unknown"
        if fault.get("when") == "after":
            assert mirroring.resolve_unknown(actor=SYSTEM) == [row]

    def test_it_is_never_sent_twice(self, twin: TwinProcess) -> None:
        before = len(twin.get("/twin/rooms"))
        lose_the_answer(twin)
        lost()
        mirroring.resolve_unknown(actor=SYSTEM)
        assert len(twin.get("/twin/rooms")) == before + 1

    def test_without_our_webhook_it_is_found_by_name_and_time(self, twin: TwinProcess, settings: LazySettings) -> None:
        settings.PUBLIC_URL = ""
        lose_the_answer(twin)
        row = lost(conversation_name="Only one of this name")
        assert mirroring.resolve_unknown(actor=SYSTEM) == [row]
        row.refresh_from_db()
        assert row.state == "live"

    @pytest.mark.parametrize(
        "url", ["https://another.example/in", "https://console.example/webhooks/tavus/x/?ref=cv_other", ""]
    )
    def test_another_of_the_same_name_that_reports_elsewhere_is_not_taken_for_it(
        self, twin: TwinProcess, url: str
    ) -> None:
        name = f"Same name, {url}"
        twin.post("/v2/conversations", {**BODY, "conversation_name": name, "callback_url": url})
        twin.fault("cut", method="POST", path="/v2/conversations", when="before")
        lost(conversation_name=name)
        assert mirroring.resolve_unknown(actor=SYSTEM) == []

    def test_two_that_fit_are_left_for_a_person(self, twin: TwinProcess, settings: LazySettings) -> None:
        settings.PUBLIC_URL = ""
        for _ in range(2):
            twin.post("/v2/conversations", {**BODY, "conversation_name": "Twins"})
        lose_the_answer(twin)
        row = lost(conversation_name="Twins")
        assert mirroring.resolve_unknown(actor=SYSTEM) == []
        row.refresh_from_db()
        assert row.state == "unknown"
        right = twin.get("/v2/conversations?limit=1")["data"][0]["conversation_id"]
        mirroring.adopt_conversation(actor=ANA, conversation=row, conversation_id=right)
        assert (row.state, row.upstream_id) == ("live", right)
        with pytest.raises(NotPossible):
            mirroring.give_up_conversation(actor=ANA, conversation=row)

    def test_what_upstream_never_made_stays_unknown_until_a_person_gives_it_up(self, twin: TwinProcess) -> None:
        twin.fault("cut", method="POST", path="/v2/conversations", when="before")
        row = lost()
        assert mirroring.resolve_unknown(actor=SYSTEM) == []
        mirroring.give_up_conversation(actor=ANA, conversation=row)
        assert (row.state, row.error["code"]) == ("rejected", "given_up")

    def test_a_sync_that_sees_it_first_does_not_make_a_second_row(
        self, twin: TwinProcess, settings: LazySettings
    ) -> None:
        lose_the_answer(twin)
        with_reference = lost()
        settings.PUBLIC_URL = ""
        lose_the_answer(twin)
        without = lost(conversation_name="Without a reference")
        mirroring.sync_conversations(actor=ANA, status="active")
        with_reference.refresh_from_db()
        without.refresh_from_db()
        assert (with_reference.state, without.state) == ("live", "unknown")
        assert not Conversation.objects.filter(name="Without a reference", made_here=False).exists()
        assert mirroring.resolve_unknown(actor=SYSTEM) == [without]

    def test_a_row_left_reserved_by_a_dead_process_is_found_too(self, twin: TwinProcess) -> None:
        lose_the_answer(twin)
        row = lost()
        Conversation.objects.filter(pk=row.pk).update(state="reserved", error=None)
        assert mirroring.resolve_unknown(actor=SYSTEM) == [], "its call may still be under way"
        Conversation.objects.filter(pk=row.pk).update(created_at=timezone.now() - timedelta(minutes=3))
        assert mirroring.resolve_unknown(actor=SYSTEM) == [row]


def test_a_create_whose_row_a_sync_duplicated_settles_into_its_own_row(
    twin: TwinProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = client().create_conversation

    def create_and_be_overtaken(body: dict[str, Any]) -> dict[str, Any]:
        answer = real(body)
        Conversation.objects.create(upstream_id=answer["conversation_id"], state="live", made_here=False)
        return answer

    monkeypatch.setattr(client(), "create_conversation", create_and_be_overtaken)
    row = make()
    assert row.state == "live"
    assert Conversation.objects.filter(upstream_id=row.upstream_id).get() == row


class TestEnding:
    def test_it_stops_the_clock_and_cancels_what_is_queued(self, twin: TwinProcess, entries: Find) -> None:
        row = make()
        Room.objects.filter(conversation=row).update(wanted=Wanted.JOINED)
        echo = Echo.objects.create(
            conversation=row,
            inference_id="e1",
            wire_id="e1",
            modality="text",
            position=1,
            actor="ana",
            queued_at=timezone.now(),
        )
        mirroring.end_conversation(actor=ANA, conversation=row)
        echo.refresh_from_db()
        assert (row.status, row.ended_reason, row.state) == ("ended", "end_conversation_endpoint_hit", "live")
        assert abs(row.ended_at - timezone.now()) < timedelta(minutes=1)
        assert (echo.state, echo.reason) == (EchoState.CANCELLED, "conversation_ended")
        assert Room.objects.get(conversation=row).wanted == Wanted.IDLE
        assert twin.room(row.upstream_id)["status"] == "ended"
        [ended] = entries(event_type="conversation.ended")
        assert json.loads(ended.body)["cancelled"] == ["e1"]

    def test_twice_is_once(self, twin: TwinProcess, entries: Find) -> None:
        row = make()
        twin.request("POST", f"/v2/conversations/{row.upstream_id}/end")
        mirroring.end_conversation(actor=ANA, conversation=row)
        assert row.status == "ended"
        mirroring.end_conversation(actor=ANA, conversation=row)
        assert len(entries(event_type="conversation.ended")) == 1

    def test_a_lost_answer_is_looked_up(self, twin: TwinProcess) -> None:
        row = make()
        twin.fault("cut", method="POST", path=f"/v2/conversations/{row.upstream_id}/end", when="after")
        mirroring.end_conversation(actor=ANA, conversation=row)
        assert row.status == "ended"

    def test_one_that_did_not_end_says_so(self, twin: TwinProcess, entries: Find) -> None:
        row = make()
        twin.fault("status", status=500, method="POST", path=f"/v2/conversations/{row.upstream_id}/end", when="before")
        with pytest.raises(errors.AnswerLost):
            mirroring.end_conversation(actor=ANA, conversation=row)
        assert row.is_active and row.sync_wanted_at is not None
        assert entries(event_type="conversation.end_failed", is_error=True)

    def test_one_that_upstream_never_had_cannot_be_ended(self, twin: TwinProcess) -> None:
        with pytest.raises(NotPossible):
            mirroring.end_conversation(actor=ANA, conversation=Conversation.objects.create(state="unknown"))


class TestDeleting:
    def test_an_active_one_is_refused_because_it_would_go_on_costing(self, twin: TwinProcess) -> None:
        row = make()
        with pytest.raises(NotPossible, match="end it first"):
            mirroring.delete_conversation(actor=ANA, conversation=row)
        assert twin.request("GET", f"/v2/conversations/{row.upstream_id}")

    def test_who_asked_is_in_the_log_before_upstream_is(self, twin: TwinProcess) -> None:
        row = make()
        mirroring.end_conversation(actor=ANA, conversation=row)
        mirroring.delete_conversation(actor=ANA, conversation=row)
        found = list(
            Entry.objects.filter(conversation_ref=row.public_id).order_by("id").values_list("event_type", flat=True)
        )
        assert found.index("conversation.end_asked") < found.index("POST /v2/conversations/{id}/end")
        assert found.index("conversation.delete_asked") < found.index("DELETE /v2/conversations/{id}")

    def test_an_ended_one_is_gone_there_and_kept_here(self, twin: TwinProcess) -> None:
        row = make()
        mirroring.end_conversation(actor=ANA, conversation=row)
        ended_at = row.ended_at
        mirroring.delete_conversation(actor=ANA, conversation=row, hard=True)
        assert (row.state, row.status, row.ended_at) == ("gone", "ended", ended_at)
        mirroring.delete_conversation(actor=ANA, conversation=row)  # again: it is what was asked for


class TestSyncing:
    def test_others_conversations_are_discovered_and_ours_kept_up_to_date(self, twin: TwinProcess) -> None:
        ours = make()
        theirs = twin.post("/v2/conversations", {**BODY, "conversation_name": "Theirs"})["conversation_id"]
        twin.request("POST", f"/v2/conversations/{ours.upstream_id}/end")
        result = mirroring.sync_conversations(actor=ANA, status="active")
        found = Conversation.objects.get(upstream_id=theirs)
        ours.refresh_from_db()
        assert (found.name, found.made_here, found.is_active, found.webhooks_here) == ("Theirs", False, True, False)
        assert (ours.status, ours.ended_reason) == ("ended", "end_conversation_endpoint_hit")
        assert result.complete and result.gone == 0

    def test_what_upstream_no_longer_has_is_gone_not_deleted(self, twin: TwinProcess, entries: Find) -> None:
        row = make()
        mirroring.end_conversation(actor=ANA, conversation=row)
        twin.request("DELETE", f"/v2/conversations/{row.upstream_id}")
        result = mirroring.sync_conversations(actor=ANA)
        row.refresh_from_db()
        assert (row.state, result.gone) == ("gone", 1)
        assert entries(event_type="conversation.gone", conversation_ref=row.public_id)

    def test_a_second_sync_changes_nothing(self, twin: TwinProcess) -> None:
        make()
        mirroring.sync_conversations(actor=ANA)
        result = mirroring.sync_conversations(actor=ANA)
        assert (result.new, result.changed, result.gone) == (0, 0, 0)

    def test_a_list_that_fails_marks_nothing_gone(self, twin: TwinProcess) -> None:
        row = make()
        twin.fault("html", method="GET", path="/v2/conversations", count=5)
        with pytest.raises(errors.Unavailable):
            mirroring.sync_conversations(actor=ANA)
        row.refresh_from_db()
        assert row.state == "live"

    def test_an_ended_one_never_runs_again_whatever_a_stale_list_says(self, twin: TwinProcess) -> None:
        row = make()
        stale = client().list_conversations()["data"]
        mirroring.end_conversation(actor=ANA, conversation=row)
        from conversations.services.mirrored import CONVERSATION
        from echoadmin.mirror.syncing import SyncResult, sync_list

        sync_list(CONVERSATION, stale, actor=ANA, result=SyncResult(), admit=lambda payload: None)
        row.refresh_from_db()
        assert row.status == "ended"

    def test_a_look_that_was_asked_for_is_taken(self, twin: TwinProcess) -> None:
        row = make()
        twin.request("POST", f"/v2/conversations/{row.upstream_id}/end")
        mirroring.ask_for_look(row)
        assert mirroring.look_where_asked(actor=SYSTEM) == 1
        row.refresh_from_db()
        assert (row.status, row.sync_wanted_at) == ("ended", None)
        assert mirroring.look_where_asked(actor=SYSTEM) == 0

    def test_a_look_that_fails_is_taken_later(self, twin: TwinProcess) -> None:
        row = make()
        mirroring.ask_for_look(row)
        twin.fault("status", status=400, body={"error": "not now"}, method="GET", path="/v2/conversations")
        assert mirroring.look_where_asked(actor=SYSTEM) == 0
        row.refresh_from_db()
        assert row.sync_wanted_at > timezone.now()

    def test_lists_are_logged_by_their_ids(self, twin: TwinProcess, entries: Find) -> None:
        row = make()
        mirroring.sync_conversations(actor=ANA, status="active")
        [listed] = entries(event_type="GET /v2/conversations")
        assert row.upstream_id in json.loads(listed.body)["response"]["data"]


class TestOrphans:
    def test_a_conversation_that_nobody_wants_is_pointed_out_once_and_not_ended(
        self, twin: TwinProcess, entries: Find
    ) -> None:
        row = make()
        assert look_for_orphans(actor=SYSTEM) == [], "somebody may be about to join"
        Conversation.objects.filter(pk=row.pk).update(upstream_created_at=timezone.now() - timedelta(minutes=5))
        assert look_for_orphans(actor=SYSTEM) == [row]
        assert look_for_orphans(actor=SYSTEM) == []
        assert len(entries(event_type="conversation.orphan")) == 1
        assert twin.room(row.upstream_id)["status"] == "active"

    def test_one_that_is_wanted_again_or_has_ended_is_none(self, twin: TwinProcess) -> None:
        rows = [make(), make(), make()]
        Conversation.objects.update(upstream_created_at=timezone.now() - timedelta(minutes=5))
        Room.objects.filter(conversation=rows[2]).update(wanted=Wanted.JOINED)
        assert look_for_orphans(actor=SYSTEM) == rows[:2]
        Room.objects.filter(conversation=rows[0]).update(wanted=Wanted.JOINED)
        mirroring.end_conversation(actor=ANA, conversation=rows[1])
        look_for_orphans(actor=SYSTEM)
        assert not Conversation.objects.filter(orphan_since__isnull=False).exists()


def test_test_mode_ends_at_once_and_is_no_failure(twin: TwinProcess, entries: Find) -> None:
    row = make(test_mode=True)
    assert (row.state, row.status, row.seconds) == ("live", "ended", 0)
    assert row.error is None and not entries(is_error=True)


def test_upstream_is_never_called_inside_a_transaction(twin: TwinProcess) -> None:
    with transaction.atomic(), pytest.raises(CallInTransaction):
        client()
    row = Conversation(public_id="cv_x", requested={})
    with transaction.atomic(), pytest.raises(RuntimeError):
        reserve(row, actor=ANA)
    assert not connection.in_atomic_block
