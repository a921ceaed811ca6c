"""Webhooks in: once stored, each is answered by a look upstream, whatever it says, in whatever order it came."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test import Client
from django.utils import timezone

from conversations.forgetting import forget_words
from conversations.models import Conversation, WebhookReceived
from conversations.services import mirroring
from conversations.webhooks import processing, receiving, storing
from conversations.webhooks.runs import KIND
from echoadmin.actors import SYSTEM
from echoadmin.installation import stamp
from echoadmin.log.models import Entry
from echoadmin.runs import Run, claim_run, perform, start_run
from echoadmin.runs.kinds import KINDS
from tests.integration.mirror.conftest import ANA
from tests.outage import database_away
from tests.twin_process import TwinProcess
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)
AT = "2026-11-01T06:48:37.564961Z"


@pytest.fixture(autouse=True)
def _only_when_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is processed beside the test, which says when."""
    monkeypatch.setattr(receiving, "process_soon", lambda row: None)


@pytest.fixture
def conversation(twin: TwinProcess) -> Conversation:
    return mirroring.create_conversation(actor=ANA, body={"replica_id": "re8e740a42", "persona_id": "pipecat0"})


def send(event_type: str, conversation_id: str | None, ref: str = "", **more: Any) -> WebhookReceived:
    body = {"event_type": event_type, "conversation_id": conversation_id, "timestamp": AT, "properties": {}, **more}
    path = f"/webhooks/tavus/{stamp('sandbox').webhook_secret}/?ref={ref}"
    answer = Client().post(path, json.dumps(body), content_type="application/json")
    assert answer.status_code == 200
    return WebhookReceived.objects.get(public_id=answer.json()["id"])


def due_again(row: WebhookReceived) -> None:
    WebhookReceived.objects.filter(pk=row.pk).update(next_try_at=timezone.now())


def calls() -> int:
    """Reads upstream so far."""
    return Entry.objects.filter(kind="upstream", event_type__startswith="GET").count()


def test_a_webhook_that_lies_changes_nothing(twin: TwinProcess, conversation: Conversation) -> None:
    row = send("system.shutdown", conversation.upstream_id, properties={"shutdown_reason": "by nobody"})
    assert processing.process_due(5) == 1
    row.refresh_from_db()
    conversation.refresh_from_db()
    assert (row.state, row.attempts, row.error) == ("processed", 1, "")
    assert conversation.is_active, "Tavus says that it goes on"
    assert processing.process_due(5) == 0, "once"


def test_what_it_says_is_taken_from_tavus_itself(twin: TwinProcess, conversation: Conversation) -> None:
    twin.post(f"/v2/conversations/{conversation.upstream_id}/end")
    send("system.shutdown", conversation.upstream_id, properties={"shutdown_reason": "made up"})
    processing.process_due(5)
    conversation.refresh_from_db()
    assert conversation.status == "ended"
    assert conversation.ended_reason == "end_conversation_endpoint_hit"


def test_one_look_answers_all_that_came_before_it_in_whatever_order(
    twin: TwinProcess, conversation: Conversation
) -> None:
    names = ["application.transcription_ready", "system.shutdown", "system.pal_joined", "system.replica_joined"]
    for name in names:
        send(name, conversation.upstream_id)
    before = calls()
    assert processing.process_due(5) == 1
    assert {row.state for row in WebhookReceived.objects.all()} == {"processed"}
    assert calls() == before + 1


def test_a_repeat_is_known_also_when_both_come_at_the_same_moment(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = storing._repeats
    seen: list[bool] = []

    def too_early(row: WebhookReceived) -> bool:
        """The first look finds nothing: the other one is not committed yet."""
        seen.append(True)
        return False if len(seen) == 2 else real(row)

    monkeypatch.setattr(storing, "_repeats", too_early)
    first, second = (send("system.shutdown", conversation.upstream_id) for _ in range(2))
    assert (second.state, second.duplicate_of) == ("ignored", first)
    assert first.state == "received"


def test_one_that_is_faster_than_the_creates_answer_waits_for_it(twin: TwinProcess, conversation: Conversation) -> None:
    Conversation.objects.filter(pk=conversation.pk).update(upstream_id=None, state="reserved")
    row = send("system.replica_joined", conversation.upstream_id, ref=conversation.public_id)
    processing.process_due(5)
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("received", 1) and row.next_try_at is not None
    Conversation.objects.filter(pk=conversation.pk).update(upstream_id=conversation.upstream_id, state="live")
    due_again(row)
    processing.process_due(5)
    row.refresh_from_db()
    assert (row.state, row.conversation_id) == ("processed", conversation.pk)


@pytest.mark.parametrize(("conversation_id", "tries", "words"), [(None, 1, "names no"), ("c-strange", 4, "has its id")])
def test_one_about_nothing_of_ours_is_ignored_in_the_end(
    twin: TwinProcess, conversation_id: str | None, tries: int, words: str
) -> None:
    row = send("system.shutdown", conversation_id)
    for _ in range(tries):
        due_again(row)
        processing.process_due(5)
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("ignored", tries)
    assert words in row.error and row.processed_at is not None


def test_while_tavus_says_no_it_is_tried_again_later_and_later_and_fails_in_the_end(
    twin: TwinProcess, conversation: Conversation
) -> None:
    twin.fault("status", status=500, method="GET", count=None)
    row = send("system.shutdown", conversation.upstream_id)
    pauses = []
    for _ in processing.PAUSES:
        due_again(row)
        processing.process_due(0)
        row.refresh_from_db()
        assert row.state == "received" and "Tavus could not be asked" in row.error and row.next_try_at is not None
        pauses.append((row.next_try_at - timezone.now()).total_seconds())
    due_again(row)
    processing.process_due(0)
    row.refresh_from_db()
    assert (row.state, row.attempts, row.next_try_at) == ("failed", len(processing.PAUSES) + 1, None)
    assert all(abs(pause - expected) < 5 for pause, expected in zip(pauses, processing.PAUSES, strict=True))
    twin.request("DELETE", "/twin/faults")
    assert processing.again(actor=ANA, rows=WebhookReceived.objects.all()) == 1
    processing.process_due(5)
    row.refresh_from_db()
    assert (row.state, row.error) == ("processed", "")
    assert Entry.objects.filter(event_type="webhook.processed_again", actor="ana").count() == 1


def test_only_one_looks_at_a_time_and_one_that_died_is_followed(
    conversation: Conversation, settings: LazySettings
) -> None:
    row = send("system.shutdown", conversation.upstream_id)
    same = WebhookReceived.objects.get(pk=row.pk)
    assert processing._claim(row)
    assert not processing.process(same)
    assert processing.process_due(0) == 0
    WebhookReceived.objects.update(next_try_at=timezone.now() - timedelta(seconds=1))  # its lease ran out
    assert processing.process_due(0) == 1
    same.refresh_from_db()
    assert (same.state, same.attempts) == ("processed", 2)


def test_right_after_the_commit_a_thread_does_it(
    twin: TwinProcess, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "process_soon", processing.process_soon)
    row = send("system.shutdown", conversation.upstream_id)
    until(lambda: WebhookReceived.objects.get(pk=row.pk).state == "processed", "it is processed")
    until(lambda: processing._free._value == processing.AT_ONCE, "the thread is gone")


def test_while_the_database_is_away_tavus_is_told_to_send_it_again_and_the_secret_is_not_printed(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    secret = stamp("sandbox").webhook_secret
    body = json.dumps({"event_type": "system.shutdown", "conversation_id": conversation.upstream_id, "timestamp": AT})
    path = f"/webhooks/tavus/{secret}/"
    if connection.vendor == "sqlite":  # which would wait for five seconds
        monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.1)
    try:
        with database_away():
            connection.close()
            answer = Client().post(path, body, content_type="application/json")
    finally:
        monkeypatch.undo()
        connection.close()
    assert answer.status_code == 503
    assert (answer.json()["error"]["code"], answer["Retry-After"]) == ("database_unavailable", "30")
    assert not WebhookReceived.objects.exists()
    assert secret not in caplog.text
    assert Client().post(path, body, content_type="application/json").status_code == 200


def test_what_ended_long_ago_is_forgotten_and_its_entry_stays(
    twin: TwinProcess, conversation: Conversation, settings: LazySettings
) -> None:
    old, young, open_ = (send(f"system.{name}", conversation.upstream_id) for name in ("a", "b", "c"))
    long_ago = timezone.now() - timedelta(days=settings.WEBHOOK_DAYS + 1)
    WebhookReceived.objects.filter(pk=old.pk).update(state="processed", processed_at=long_ago)
    WebhookReceived.objects.filter(pk=young.pk).update(state="processed", processed_at=timezone.now())
    assert processing.forget_old() == 1
    assert set(WebhookReceived.objects.values_list("pk", flat=True)) == {young.pk, open_.pk}
    assert Entry.objects.filter(kind="webhook").count() == 3


def test_the_words_in_it_go_when_the_conversations_are_erased(conversation: Conversation) -> None:
    said = {"transcript": [{"role": "assistant", "content": "A secret line"}]}
    row = send("application.transcription_ready", conversation.upstream_id, properties=said)
    forget_words("conversation", conversation.public_id, [])
    row.refresh_from_db()
    assert row.body == {}


def test_many_are_processed_by_a_run_that_goes_on_where_it_was(twin: TwinProcess, conversation: Conversation) -> None:
    rows = [send(f"system.n{number}", conversation.upstream_id) for number in range(5)]
    repeat = send("system.n0", conversation.upstream_id)
    WebhookReceived.objects.filter(duplicate_of=None).update(state="failed", error="Tavus could not be asked")
    check = KINDS[KIND].check
    assert check is not None
    asked = check({"state": "failed"})
    later = send("system.later", conversation.upstream_id)
    WebhookReceived.objects.filter(pk=later.pk).update(state="failed")
    run = start_run(actor=ANA, kind=KIND, params=asked.params, label=asked.label)
    Run.objects.filter(pk=run.pk).update(  # it had done the first two when its process died
        done=2, total=5, cursor={"reached": rows[1].pk, "counts": {"processed": 2}}
    )
    claimed = claim_run("test")
    assert claimed is not None
    perform(claimed)
    run.refresh_from_db()
    assert (run.state, run.done, run.error) == ("done", 5, "")
    assert run.result == {"processed": 5, "failed": 0, "ignored": 0, "waiting": 0}
    states = dict(WebhookReceived.objects.values_list("pk", "state"))
    assert [states[row.pk] for row in rows] == ["failed", "failed", "processed", "processed", "processed"]
    assert (states[repeat.pk], states[later.pk]) == ("ignored", "failed")


def test_who_processes_is_in_the_log(twin: TwinProcess, conversation: Conversation) -> None:
    row = send("system.shutdown", conversation.upstream_id)
    assert processing.process(row, actor=SYSTEM)
    found = Entry.objects.filter(kind="upstream", conversation_ref=conversation.public_id).order_by("-id").first()
    assert found is not None and found.actor == "system"
