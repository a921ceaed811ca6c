"""Pruning, holds and erasure: what goes is gone everywhere, what stays still verifies."""

from __future__ import annotations

import base64
import io
import json
from datetime import datetime, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from conversations.models import Echo
from echoadmin import runs
from echoadmin.actors import Actor
from echoadmin.log import reader
from echoadmin.log.clips import append_samples, new_clip
from echoadmin.log.duties import prune_log
from echoadmin.log.index.duties import follow_log
from echoadmin.log.keeping import pruning
from echoadmin.log.keeping.erasing import EraseRefused, Target, erase, would_erase
from echoadmin.log.keeping.holds import HoldRefused, OnHold, on_hold, place_hold, release_hold
from echoadmin.log.keeping.leases import Busy, lease
from echoadmin.log.keeping.pruning import prune, would_prune
from echoadmin.log.keeping.rules import rules
from echoadmin.log.models import Clip, ClipPart, Entry, EntryBody, Lease, Pruned, Stream
from echoadmin.log.proof import checkpoints, numbers
from echoadmin.log.proof.findings import Finding
from echoadmin.log.proof.verifying import Scope, verify
from echoadmin.log.writer import append
from tests import make
from tests.integration.log.drafts import draft
from tests.integration.log.tampering import tamper

pytestmark = pytest.mark.django_db
ANA = Actor(name="ana", source="page", request_id="req-1")
PCM = b"\1\2\3\4" * 600
AUDIO = {"properties": {"audio": base64.b64encode(PCM).decode()}}
NOW = timezone.now()
STREAM = "\"stream\" = (SELECT id FROM log_stream WHERE public_id = 'cv_1')"


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


@pytest.fixture
def keep(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> object:
    """Sets ages: keep(presence=7), keep(rest=30)."""
    monkeypatch.setattr(pruning, "PAUSE", 0.0)

    def set_ages(**days: float) -> None:
        ages = dict.fromkeys(settings.LOG_KEEP_DAYS) | {"" if name == "rest" else name: n for name, n in days.items()}
        settings.LOG_KEEP_DAYS = ages

    return set_ages


def history(stream: str = "cv_1", beats: int = 3) -> None:
    """40, 20 and 1 days ago: heartbeats between words, and an HTTP call."""
    for age in (40, 20, 1):
        at = days_ago(age)
        append(
            [
                draft(stream, at=at, said=f"Hello {age}", seq=age),
                *[draft(stream, at=at, event_type="system.replica_present", family="presence")] * beats,
                draft(stream, at=at, kind="upstream", family="other", direction=None, event_type="GET /v2/x"),
                draft(stream, at=at, event_type="system.replica_present", family="presence"),
            ]
        )


def left(**columns: object) -> int:
    return Entry.objects.filter(**columns).count()


# --- pruning ---------------------------------------------------------------------------------------------------------


def test_heartbeats_go_sooner_and_the_chain_still_verifies(keep: object) -> None:
    history()
    history("cv_2")
    checkpoints.make_checkpoints()
    keep(presence=7)  # type: ignore[operator]
    [outcome] = prune(actor=ANA)
    assert (outcome.entries, len(outcome.streams)) == (16, 2)
    assert (left(family="presence"), left(family="utterance"), left(kind="upstream")) == (8, 6, 6)
    assert verify() == []
    assert [Pruned.objects.filter(stream=stream.pk).count() for stream in Stream.objects.filter(public_id="cv_1")] == [
        1
    ]
    row = Pruned.objects.order_by("id")[0]
    assert (row.numbers, row.count, len(bytes(row.leaves))) == ("2-4,6,8-10,12", 8, 256)
    told = Entry.objects.get(event_type="log.pruned")
    assert (told.actor, json.loads(str(told.body))["entries"]) == ("ana", 16)
    assert prune()[0].entries == 0


def test_a_range_that_begins_or_ends_among_pruned_entries_verifies(keep: object) -> None:
    history()
    keep(presence=7)  # type: ignore[operator]
    prune()
    for first in range(1, 19):
        for last in (first, 11, 18):
            if last >= first:
                assert verify(Scope("cv_1", first, last)) == [], (first, last)


def test_all_of_a_stream_can_be_pruned_and_it_goes_on(keep: object) -> None:
    history()
    keep(rest=0.5)  # type: ignore[operator]
    prune()
    assert left(stream__public_id="cv_1") == 0
    assert verify() == []
    append([draft(said="Back again")])
    assert Entry.objects.get(stream__public_id="cv_1").n == 19
    assert verify() == []
    tamper("UPDATE log_entry SET sender = 'other' WHERE n = 19")
    assert [(found.what, found.n) for found in verify()] == [("changed", 19)]


def test_the_most_particular_age_counts(settings: Settings, keep: object) -> None:
    history()
    append([draft("account", at=days_ago(40), kind="operator", family="other", event_type="persona.create")])
    keep(rest=10, upstream=30, utterance=0, operator=0)  # type: ignore[operator]
    assert [rule.name for rule in rules(NOW)] == ["upstream", ""]
    assert {str(outcome.rule): outcome.entries for outcome in would_prune()} == {
        "upstream, 30 days": 1,
        "the rest, 10 days": 8,
    }
    prune()
    assert (left(family="utterance"), left(kind="upstream"), left(family="presence")) == (3, 2, 4)
    assert left(event_type="persona.create") == 1
    keep()  # type: ignore[operator]
    assert prune() == []


def test_what_tells_of_holds_and_erasures_is_never_pruned(keep: object) -> None:
    history()
    append([draft(at=days_ago(50), kind="operator", direction=None, event_type="log.erased", message={"entries": {}})])
    keep(rest=1, operator=1)  # type: ignore[operator]
    prune(now=NOW + timedelta(days=400))
    assert left() == left(event_type__startswith="log.")


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("UPDATE log_pruned SET leaves = %s", "pruned"),
        ("UPDATE log_pruned SET numbers = '2-4,6,8-10,11'", "pruned"),
        ("UPDATE log_pruned SET signature = leaves", "pruned"),
        ("DELETE FROM log_pruned", "removed"),
        ("UPDATE log_pruned SET key_id = 'somebody'", "key"),
    ],
)
def test_a_record_of_pruning_that_was_touched_is_found(keep: object, sql: str, what: str) -> None:
    history()
    keep(presence=7)  # type: ignore[operator]
    prune()
    tamper(sql, *([bytes(256)] if "%s" in sql else []))
    assert [(found.what, found.stream, found.n) for found in verify()] == [(what, "cv_1", 2)]


def test_who_deletes_entries_without_the_key_cannot_make_it_look_pruned(keep: object) -> None:
    history()
    keep(presence=7)  # type: ignore[operator]
    prune()
    tamper("DELETE FROM log_entry WHERE n = 7")
    tamper("UPDATE log_pruned SET first_n = 2, numbers = '2-4,6-10,12', leaves = %s", bytes(288))
    assert [(found.what, found.n) for found in verify()] == [("pruned", 2)]


def test_an_entry_put_in_the_place_of_a_pruned_one_is_found(keep: object) -> None:
    history()
    keep(presence=7)  # type: ignore[operator]
    prune()
    names = ", ".join(f'"{field.column}"' for field in Entry._meta.concrete_fields if field.column not in ("id", "n"))
    tamper(f"INSERT INTO log_entry (n, {names}) SELECT 3, {names} FROM log_entry WHERE n = 1 AND {STREAM}")
    [found] = verify()
    assert (found.what, found.n) == ("inserted", 3)


def test_bodies_beside_and_samples_go_with_their_entries_but_not_those_that_others_need(keep: object) -> None:
    clip, shared = new_clip(24000).pk, new_clip(24000).pk
    for made in (clip, shared):
        append_samples(made, PCM)
    old = days_ago(40)
    append(
        [
            draft(at=old, message=AUDIO, clip=(clip, 0, len(PCM))),
            draft(at=old, message=AUDIO, clip=(shared, 0, len(PCM))),
            draft(at=old, message=AUDIO, samples=PCM),
            draft(at=old, message={"text": "x" * 300_000}),
            draft("cv_2", message=AUDIO, clip=(shared, 0, len(PCM))),
        ]
    )
    keep(rest=30)  # type: ignore[operator]
    assert prune()[0].entries == 4
    assert list(Clip.objects.values_list("pk", flat=True)) == [shared]
    assert (ClipPart.objects.count(), EntryBody.objects.count()) == (1, 0)
    assert verify() == []


def test_pruned_entries_are_no_longer_found_or_counted(keep: object) -> None:
    history()
    follow_log()
    assert len(reader.filtered({"text": "hello"})) == 3
    keep(rest=30)  # type: ignore[operator]
    prune()
    follow_log()
    assert len(reader.filtered({"text": "hello"})) == 2
    with connection.cursor() as cursor:
        cursor.execute("SELECT SUM(n) FROM log_roll WHERE dim = 'family' AND val = 'utterance' AND res = 60")
        assert cursor.fetchone()[0] == 2


def test_batches_are_cut_to_the_time_that_they_take() -> None:
    pace = pruning._Pace()
    for _ in range(20):
        pace.took(pace.size * 0.0001)
    assert 150 <= pace.size <= 250
    assert pace.took(0.5) == 0.5
    assert pace.size == pruning.FEWEST


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite's commits don't wait for the disk")
def test_pruning_leaves_the_disk_to_the_logs_writer(keep: object) -> None:
    history()
    keep(rest=30)  # type: ignore[operator]
    with CaptureQueriesContext(connection) as asked:
        prune(now=NOW)
    told = [query["sql"] for query in asked]
    [deleting] = [n for n, sql in enumerate(told) if sql.startswith("DELETE FROM log_entry")]
    assert "SET LOCAL synchronous_commit = off" in told[:deleting]


def test_two_prunes_at_once_are_refused(keep: object) -> None:
    keep(presence=7)  # type: ignore[operator]
    with lease("prune"), pytest.raises(Busy, match="only one process may prune at a time"):
        prune()
    assert not Lease.objects.exists()
    Lease.objects.create(name="prune", holder="one that died", until=timezone.now() - timedelta(seconds=1))
    assert [outcome.entries for outcome in prune()] == [0]


def test_the_duty_begins_a_run_when_there_is_something_to_prune(keep: object) -> None:
    history()
    assert prune_log() is None
    keep(presence=7)  # type: ignore[operator]
    assert str(prune_log()).startswith("began rn_")
    assert prune_log() == "the last one is still at work"
    run = runs.claim_run("worker")
    assert run is not None
    runs.perform(run)
    run.refresh_from_db()
    assert (run.state, run.result) == ("done", {"pruned": [{"rule": "presence, 7 days", "entries": 8, "streams": 1}]})
    assert prune_log() is None


def test_a_stopped_run_leaves_a_log_that_verifies(keep: object, monkeypatch: pytest.MonkeyPatch) -> None:
    history(beats=100)
    keep(presence=7)  # type: ignore[operator]
    prune_log()
    run = runs.claim_run("worker")
    assert run is not None

    def stop_after_one(held: runs.Held, done: int, **options: object) -> None:
        raise runs.Stopped

    monkeypatch.setattr(runs.Held, "progress", stop_after_one)
    monkeypatch.setattr("echoadmin.log.keeping.runs.EVERY", 0.0)
    runs.perform(run)
    run.refresh_from_db()
    assert run.state == "stopped"
    assert 0 < 303 - left(family="presence") < 202
    assert verify() == []
    assert not Lease.objects.exists()


def test_prune_log_as_a_command(keep: object) -> None:
    history()
    out = io.StringIO()
    call_command("prune_log", stdout=out)
    assert "LOG_KEEP_DAYS" in out.getvalue()
    keep(presence=7)  # type: ignore[operator]
    call_command("prune_log", "--dry-run", stdout=out)
    assert "presence, 7 days: 8 entries of 1 streams would go" in out.getvalue()
    assert left(family="presence") == 12
    call_command("prune_log", stdout=out)
    assert "presence, 7 days: 8 entries of 1 streams are gone" in out.getvalue()


# --- holds -----------------------------------------------------------------------------------------------------------


def test_a_conversation_on_hold_is_neither_pruned_nor_erased_until_it_is_released(keep: object) -> None:
    history()
    history("cv_2")
    place_hold(conversation="cv_1", actor=ANA, reason="case 12")
    keep(presence=7)  # type: ignore[operator]
    assert prune()[0].entries == 8
    assert left(family="presence", stream__public_id="cv_1") == 12
    with pytest.raises(OnHold, match="cv_1"):
        erase(target=Target("conversation", "cv_1"), actor=ANA, reason="asked for")
    with pytest.raises(OnHold, match="cv_1"):
        erase(target=Target("sender", "replica-1"), actor=ANA, reason="asked for")
    assert left(erased_at__isnull=False) == 0
    release_hold(conversation="cv_1", actor=ANA, reason="case closed")
    assert prune()[0].entries == 8
    assert verify() == []
    told = Entry.objects.filter(event_type__startswith="log.hold", stream__public_id="cv_1").order_by("n")
    assert [(entry.event_type, json.loads(str(entry.body))["reason"]) for entry in told] == [
        ("log.hold_placed", "case 12"),
        ("log.hold_released", "case closed"),
    ]


def test_holds_that_make_no_sense_are_refused() -> None:
    history()
    for conversation, reason, words in (
        ("cv_none", "x", "no conversation"),
        ("account", "x", "no conv"),
        ("cv_1", " ", "why"),
    ):
        with pytest.raises(HoldRefused, match=words):
            place_hold(conversation=conversation, actor=ANA, reason=reason)
    with pytest.raises(HoldRefused, match="not on hold"):
        release_hold(conversation="cv_1", actor=ANA, reason="x")
    place_hold(conversation="cv_1", actor=ANA, reason="x")
    with pytest.raises(HoldRefused, match="on hold already"):
        place_hold(conversation="cv_1", actor=ANA, reason="x")
    assert on_hold() == {"cv_1"}


def test_hold_log_as_a_command() -> None:
    history()
    out = io.StringIO()
    call_command("hold_log", "place", "cv_1", "--reason", "case 12", "--actor", "ana", stdout=out)
    call_command("hold_log", "list", stdout=out)
    assert "by ana: case 12" in out.getvalue()
    call_command("hold_log", "release", "cv_1", "--reason", "closed", stdout=out)
    with pytest.raises(CommandError, match="not on hold"):
        call_command("hold_log", "release", "cv_1", "--reason", "closed")


# --- erasure ---------------------------------------------------------------------------------------------------------


def stored(words: str) -> list[str]:
    """The tables in which the words are. Of SQLite's text index its own tables are looked at: it can't be scanned."""
    found = []
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        for table in [name for name in tables if f"{name}_data" not in tables]:
            for column in connection.introspection.get_table_description(cursor, table):
                if connection.vendor == "sqlite":  # hex: a text ends at its first NUL, and the index has bytes
                    where, wanted = f'hex("{column.name}")', words.encode().hex().upper()
                else:
                    where, wanted = f'CAST("{column.name}" AS TEXT)', words
                cursor.execute(f'SELECT COUNT(*) FROM "{table}" WHERE {where} LIKE %s', [f"%{wanted}%"])
                found += [table] if cursor.fetchone()[0] else []
    return sorted(set(found))


def test_erasing_a_conversation_takes_its_words_out_of_the_whole_database_and_it_still_verifies() -> None:
    conversation = make.conversation(name="Tour")
    ref = conversation.public_id
    echo = make.echo(conversation=conversation, text="Xylophones are great")
    clip = new_clip(24000)
    append_samples(clip.pk, PCM)
    append(
        [
            draft(ref, said="Xylophones are great", message={"text": "Xylophones are great"}, echo_id=echo.pk),
            draft(ref, message=AUDIO, clip=(clip.pk, 0, len(PCM))),
            draft(ref, message={"text": "Xylophones " * 30_000}),
            draft("cv_2", said="Trombones", message={"text": "Trombones"}),
        ]
    )
    follow_log()
    checkpoints.make_checkpoints()
    assert stored("ylophones") != []
    done = erase(target=Target("conversation", ref), actor=ANA, reason="by request of 3 May")
    assert (done.entries, done.sample_bytes, done.streams) == (3, len(PCM), {ref})
    assert stored("ylophones") == []
    assert (ClipPart.objects.count(), EntryBody.objects.count()) == (0, 0)
    assert reader.messages(list(Entry.objects.filter(stream__public_id=ref))) == [None] * 3
    assert len(reader.filtered({"text": "xylophones"})) == 0
    assert len(reader.filtered({"text": "trombones"})) == 1
    assert Echo.objects.get().text == ""
    assert verify() == []
    told = Entry.objects.get(event_type="log.erased")
    assert (told.actor, told.request_id, told.stream.public_id) == ("ana", "req-1", "account")
    assert json.loads(str(told.body)) == {
        "conversation": ref,
        "reason": "by request of 3 May",
        "entries": {ref: "1-3"},
    }


def test_erasing_a_sender_or_an_echo_leaves_the_others() -> None:
    append([draft(sender="ann", said="A"), draft(sender="bob", said="B"), draft("cv_2", sender="ann", said="C")])
    append([draft(echo_id=7, sender=None), draft(echo_id=8, sender=None)])
    assert would_erase(Target("sender", "ann")).entries == 2
    assert erase(target=Target("sender", "ann"), actor=ANA, reason="asked").streams == {"cv_1", "cv_2"}
    assert erase(target=Target("echo", "7"), actor=ANA, reason="asked").entries == 1
    assert erase(target=Target("echo", "7"), actor=ANA, reason="asked").entries == 0
    assert sorted(Entry.objects.filter(erased_at=None, kind="app_message").values_list("stream__public_id", "n")) == [
        ("cv_1", 2),
        ("cv_1", 4),
    ]
    assert verify() == []


def test_samples_stay_while_another_entry_or_an_echo_to_come_needs_them() -> None:
    clip = new_clip(24000)
    append_samples(clip.pk, PCM)
    append([draft(stream, message=AUDIO, clip=(clip.pk, 0, len(PCM))) for stream in ("cv_1", "cv_2", "cv_3")])
    conversation = make.conversation()
    echo = make.echo(conversation=conversation, modality="audio", clip_id=clip.pk, state="queued")
    for stream, kept in (("cv_1", 1), ("cv_2", 1), ("cv_3", 1)):
        erase(target=Target("conversation", stream), actor=ANA, reason="asked")
        assert ClipPart.objects.count() == kept, stream
    assert verify() == []
    Echo.objects.filter(pk=echo.pk).update(state="spoken")
    append([draft("cv_4", message=AUDIO, clip=(clip.pk, 0, len(PCM)))])
    erase(target=Target("conversation", "cv_4"), actor=ANA, reason="asked")
    assert ClipPart.objects.count() == 0
    assert verify() == []


@pytest.mark.parametrize(
    ("of", "value"),
    [("conversation", "cv_none"), ("conversation", "account"), ("echo", "x"), ("echo", "9" * 30), ("sender", "")],
)
def test_what_can_not_be_erased_is_told(of: str, value: str) -> None:
    history()
    with pytest.raises(EraseRefused, match=f"no {of} "):
        erase(target=Target(of, value), actor=ANA, reason="asked")  # type: ignore[arg-type]


def test_erasing_needs_a_reason_and_does_nothing_without() -> None:
    history()
    with pytest.raises(EraseRefused, match="say why"):
        erase(target=Target("conversation", "cv_1"), actor=ANA, reason=" ")
    assert left(erased_at__isnull=False) == 0


def test_erasing_in_many_batches_tells_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("echoadmin.log.keeping.erasing.BATCH", 4)
    history()
    assert erase(target=Target("conversation", "cv_1"), actor=ANA, reason="asked").entries == 18
    told = [
        json.loads(str(e.body))["entries"]["cv_1"] for e in Entry.objects.filter(event_type="log.erased").order_by("n")
    ]
    assert told == ["1-4", "5-8", "9-12", "13-16", "17-18"]
    assert verify() == []


def test_an_erased_entry_can_be_pruned_and_verifies(keep: object) -> None:
    history()
    erase(target=Target("conversation", "cv_1"), actor=ANA, reason="asked")
    keep(rest=30)  # type: ignore[operator]
    assert prune()[0].entries == 6
    assert verify() == []


def test_erasure_as_a_run_is_checked_before_and_told_after() -> None:
    history()
    check = runs.KINDS["erase"].check
    assert check is not None
    for params in ({}, {"reason": "x"}, {"echo": 5, "sender": "x", "reason": "x"}, {"other": 1}, {"sender": "x"}):
        with pytest.raises(ValidationError):
            check(params)
    with pytest.raises(ValidationError, match="no conversation"):
        check({"conversation": "cv_9", "reason": "x"})
    asked = check({"conversation": "cv_1", "reason": " asked "})
    for state in ("failed", "done"):
        if state == "failed":
            place_hold(conversation="cv_1", actor=ANA, reason="case 12")
        run = runs.start_run(actor=ANA, kind="erase", params=asked.params)
        claimed = runs.claim_run("worker")
        assert claimed is not None
        runs.perform(claimed)
        run.refresh_from_db()
        if state == "failed":
            release_hold(conversation="cv_1", actor=ANA, reason="closed")
            assert "on hold" in run.error
        assert run.state == state
    assert left(erased_at__isnull=False) == 18
    assert run.result == {"entries": 18, "streams": 1, "sample_bytes": 0}
    assert Entry.objects.get(event_type="log.erased").actor == "ana"
    assert verify() == []


def test_erase_log_as_a_command() -> None:
    history()
    out = io.StringIO()
    call_command("erase_log", "--conversation", "cv_1", "--dry-run", stdout=out)
    assert "18 entries of 1 streams would lose what they say" in out.getvalue()
    with pytest.raises(CommandError, match="--reason"):
        call_command("erase_log", "--conversation", "cv_1", "--yes")
    call_command("erase_log", "--conversation", "cv_1", "--yes", "--reason", "asked", "--actor", "ana", stdout=out)
    assert "18 entries erased" in out.getvalue()
    assert Entry.objects.get(event_type="log.erased").actor == "ana"
    with pytest.raises(CommandError, match="no conversation"):
        call_command("erase_log", "--conversation", "cv_9", "--yes", "--reason", "asked")


# --- the parts -------------------------------------------------------------------------------------------------------


def test_numbers_are_packed_into_runs_and_back() -> None:
    for some in ([], [5], [1, 2, 3], [1, 3, 4, 9], list(range(10, 5000))):
        assert list(numbers.unpack(numbers.pack(some))) == some
    assert numbers.pack([1, 3, 4, 9]) == "1,3-4,9"


def test_a_row_that_went_away_while_it_was_pruned_undoes_the_batch(
    keep: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    history()
    keep(presence=7)  # type: ignore[operator]
    monkeypatch.setattr(pruning, "_read", lambda *_: pruning._Batch([10**6], [(2, bytes(32))], [], [], 0))
    with pytest.raises(pruning.LogDamaged, match="went away"):
        prune()
    assert Pruned.objects.count() == 0
    assert verify() == []


def test_finding_prints_its_place() -> None:
    assert str(Finding("changed", "words", "cv_1", 3)) == "cv_1 entry 3: changed: words"
    assert str(Finding("guards", "words")) == "guards: words"
