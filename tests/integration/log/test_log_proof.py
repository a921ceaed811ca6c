"""Whatever is done to the log behind the guards' back is found and named; what checkpoints add to that."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from pytest_django import Settings

from echoadmin.log.chain import GENESIS, digest
from echoadmin.log.clips import append_samples, new_clip
from echoadmin.log.models import Checkpoint, CheckpointHead, Entry, EntryBody, Stream
from echoadmin.log.proof import checkpoints, signing, triggers
from echoadmin.log.proof.findings import Finding
from echoadmin.log.proof.verifying import CannotVerify, Scope, State, Verification, verify
from echoadmin.log.proof.walk import BLOCK
from echoadmin.log.writer import append
from tests.integration.log.drafts import draft
from tests.integration.log.tampering import tamper, unguarded

pytestmark = pytest.mark.django_db
PCM = b"\1\2\3\4" * 600
STREAM = "\"stream\" = (SELECT id FROM log_stream WHERE public_id = 'cv_1')"


@pytest.fixture(autouse=True)
def log() -> None:
    """Nine entries in cv_1, plain but for audio sent and received and a long body; and another stream."""
    clip = new_clip(24000)
    append_samples(clip.pk, PCM)
    audio = {"properties": {"audio": base64.b64encode(PCM).decode()}}
    special = [
        draft(message=audio, clip=(clip.pk, 0, len(PCM))),
        draft(message=audio, samples=PCM),
        draft(message={"text": "x" * 300_000}),
        draft(message={"text": "y" * 100_000}),
    ]
    append([draft(seq=n, said=f"Line {n}") for n in range(4)] + special + [draft(sender="last")] + [draft("cv_2")] * 3)


def only(found: list[Finding]) -> tuple[str, str | None, int | None]:
    """The one finding."""
    assert len(found) == 1, [str(finding) for finding in found]
    return found[0].what, found[0].stream, found[0].n


def rechain(stream: str = "cv_1") -> None:
    """All leaves kept, all digests written anew, the stream's end too."""
    row = Stream.objects.get(public_id=stream)
    last, previous = 0, GENESIS
    with unguarded(), connection.cursor() as cursor:
        for n, (pk, leaf) in enumerate(Entry.objects.filter(stream=row).order_by("n").values_list("pk", "leaf"), 1):
            previous, last = digest(previous, bytes(leaf)), n
            cursor.execute("UPDATE log_entry SET digest = %s WHERE id = %s", [previous, pk])
        cursor.execute("UPDATE log_stream SET last_n = %s, last_digest = %s WHERE id = %s", [last, previous, row.pk])


def test_an_untouched_log_has_no_findings() -> None:
    checkpoints.make_checkpoints()
    assert verify() == []
    append([draft(), draft("account")])
    assert verify() == []
    assert verify(Scope("cv_1", 3, 7)) == []


@pytest.mark.parametrize(
    ("sql", "what", "n"),
    [
        (f"UPDATE log_entry SET body = '{{}}' WHERE n = 2 AND {STREAM}", "changed", 2),
        (f"UPDATE log_entry SET body = NULL WHERE n = 2 AND {STREAM}", "changed", 2),
        (f"UPDATE log_entry SET sender = 'other' WHERE n = 3 AND {STREAM}", "changed", 3),
        (f"UPDATE log_entry SET conversation_ref = NULL WHERE n = 9 AND {STREAM}", "changed", 9),
        (f"UPDATE log_entry SET leaf = digest WHERE n = 4 AND {STREAM}", "changed", 4),
        (f"UPDATE log_entry SET digest = leaf WHERE n = 4 AND {STREAM}", "changed", 4),
        (f'UPDATE log_entry SET body = \'{{"text":"z"}}\' WHERE n = 8 AND {STREAM}', "changed", 8),
        ("UPDATE log_entrybody SET body = '{}'", "changed", 7),
        ("DELETE FROM log_entrybody", "changed", 7),
        ("DELETE FROM log_clippart", "changed", 5),
        (f"UPDATE log_entry SET body = NULL, erased_at = at WHERE n = 2 AND {STREAM}", "erased", 2),
        (f"DELETE FROM log_entry WHERE n = 3 AND {STREAM}", "removed", 3),
        (f"DELETE FROM log_entry WHERE n BETWEEN 2 AND 4 AND {STREAM}", "removed", 2),
        (f"DELETE FROM log_entry WHERE n >= 8 AND {STREAM}", "cut_off", 8),
        (f"UPDATE log_entry SET n = 40 WHERE n = 3 AND {STREAM}", "moved", 3),
        ("UPDATE log_stream SET last_digest = leaf FROM log_entry WHERE public_id = 'cv_1' AND n = 1", "changed", 9),
        ("UPDATE log_stream SET last_n = 8 WHERE public_id = 'cv_1'", "inserted", 9),
    ],
)
def test_what_was_done_to_an_entry_is_named(sql: str, what: str, n: int) -> None:
    tamper(sql)
    assert only(verify()) == (what, "cv_1", n)
    assert only(verify(Scope("cv_1"))) == (what, "cv_1", n)


def test_one_flipped_bit_is_found_wherever_it_is() -> None:
    entry = Entry.objects.get(stream__public_id="cv_1", n=2)
    body = str(entry.body)
    flipped = body[:10] + chr(ord(body[10]) ^ 1) + body[11:]
    tamper("UPDATE log_entry SET body = %s WHERE id = %s", flipped, entry.pk)
    assert only(verify()) == ("changed", "cv_1", 2)
    part = bytes(PCM[:-1] + b"\5")
    tamper("UPDATE log_entry SET body = %s WHERE id = %s", body, entry.pk)
    tamper("UPDATE log_clippart SET samples = %s WHERE id = (SELECT MAX(id) FROM log_clippart)", part)
    assert only(verify()) == ("changed", "cv_1", 6)


def test_two_entries_that_changed_places_are_told_as_moved() -> None:
    with unguarded(), connection.cursor() as cursor:
        for old, new in ((2, 1000), (4, 2), (1000, 4)):
            cursor.execute(f"UPDATE log_entry SET n = {new} WHERE n = {old} AND {STREAM}")
    [found] = verify()
    assert (found.what, found.n) == ("moved", 2)
    assert "number 4" in found.words


@pytest.mark.parametrize("sender", ["'forged'", "sender"])
def test_an_entry_that_was_put_between_others_is_told_as_inserted(sender: str) -> None:
    with unguarded(), connection.cursor() as cursor:
        for n in range(9, 3, -1):
            cursor.execute(f"UPDATE log_entry SET n = n + 1 WHERE n = {n} AND {STREAM}")
        columns = [field.column for field in Entry._meta.concrete_fields if field.column not in ("id", "n")]
        names = ", ".join(f'"{column}"' for column in columns)
        values = names.replace('"sender"', sender)
        cursor.execute(f"INSERT INTO log_entry (n, {names}) SELECT 4, {values} FROM log_entry WHERE n = 3 AND {STREAM}")
        cursor.execute("UPDATE log_stream SET last_n = 10 WHERE public_id = 'cv_1'")
    assert only(verify()) == ("inserted", "cv_1", 4)


def test_an_entry_that_was_taken_out_and_its_gap_closed_is_told_as_moved() -> None:
    with unguarded(), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM log_entry WHERE n = 3 AND {STREAM}")
        for n in range(4, 10):
            cursor.execute(f"UPDATE log_entry SET n = n - 1 WHERE n = {n} AND {STREAM}")
        cursor.execute("UPDATE log_stream SET last_n = 8 WHERE public_id = 'cv_1'")
    [found] = verify()
    assert (found.what, found.n) == ("moved", 3)
    assert "number 4" in found.words


def test_entries_of_a_stream_that_is_not_there_are_found() -> None:
    tamper(f'UPDATE log_entry SET "stream" = 999 WHERE n = 9 AND {STREAM}')
    assert [(finding.what, finding.n) for finding in verify()] == [("cut_off", 9), ("inserted", None)]


def test_damage_that_no_header_can_be_made_of_is_a_finding_and_no_crash() -> None:
    if connection.vendor == "sqlite":  # whose columns take anything
        for value, column in ((b"\xff", "sender"), ("never", "at"), ("text", "leaf"), (b"{}", "body"), (None, "at")):
            if value is not None:
                with transaction.atomic():
                    tamper(f"UPDATE log_entry SET {column} = %s WHERE n = 2 AND {STREAM}", value)
                    assert only(verify()) == ("changed", "cv_1", 2), column
                    transaction.set_rollback(True)


def test_a_tail_that_was_cut_off_with_its_end_is_found_by_a_checkpoint() -> None:
    checkpoints.make_checkpoints()
    tamper(f"DELETE FROM log_entry WHERE n > 6 AND {STREAM}")
    rechain()
    [found] = verify()
    assert (found.what, found.stream, found.n) == ("cut_off", "cv_1", 7)
    assert "checkpoint 1" in found.words


def test_a_chain_that_was_written_anew_after_a_change_is_found_by_a_checkpoint() -> None:
    append([draft(said="more")])
    checkpoints.make_checkpoints()
    append([draft(said="later"), draft(said="last")])
    checkpoints.make_checkpoints()
    entry = Entry.objects.get(stream__public_id="cv_1", n=12)
    tamper("UPDATE log_entry SET leaf = %s WHERE id = %s", bytes(32), entry.pk)
    rewrite_entry(entry)
    rechain()
    [found] = verify()
    assert (found.what, found.stream, found.n) == ("rewritten", "cv_1", 11)
    assert "one of 11 to 12" in found.words
    assert "checkpoint 2" in found.words


def rewrite_entry(entry: Entry) -> None:
    """Another sender, with the leaf that belongs to it."""
    from echoadmin.log.chain import header, leaf
    from tests.integration.log.headers import columns

    entry.sender = "somebody else"
    made = leaf(header(columns(entry, "cv_1")), bytes(entry.body_sha256))
    tamper("UPDATE log_entry SET sender = %s, leaf = %s WHERE id = %s", entry.sender, made, entry.pk)


def test_a_stream_that_is_gone_as_a_whole_is_found_by_a_checkpoint() -> None:
    checkpoints.make_checkpoints()
    with unguarded(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM log_entry WHERE \"stream\" = (SELECT id FROM log_stream WHERE public_id = 'cv_2')")
        cursor.execute("DELETE FROM log_stream WHERE public_id = 'cv_2'")
    assert only(verify()) == ("removed", "cv_2", 1)
    with pytest.raises(CannotVerify, match="gone from the log"):
        verify(Scope("cv_2"))


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE log_checkpointhead SET n = n - 1 WHERE checkpoint = 1",
        "UPDATE log_checkpoint SET signature = %s WHERE number = 1",
        "DELETE FROM log_checkpoint WHERE number = 1",
        "DELETE FROM log_checkpointhead WHERE checkpoint = 1",
    ],
)
def test_checkpoints_that_were_touched_are_found(sql: str) -> None:
    checkpoints.make_checkpoints()
    append([draft()])
    checkpoints.make_checkpoints()
    assert verify() == []
    tamper(sql, *([bytes(64)] if "%s" in sql else []))
    assert {finding.what for finding in verify()} == {"checkpoint"}


def test_checkpoints_kept_elsewhere_show_what_this_database_no_longer_can(tmp_path: Path) -> None:
    file = tmp_path / "checkpoints.ndjson"
    call_command("checkpoint_log", "--export", str(file), stdout=io.StringIO())
    tamper("DELETE FROM log_checkpoint")
    tamper("DELETE FROM log_checkpointhead")
    tamper(f"DELETE FROM log_entry WHERE n > 6 AND {STREAM}")
    rechain()
    assert verify() == []
    given = list(checkpoints.read_exported(file.read_text(encoding="ascii").splitlines()))
    assert only(Verification(given=given).run()) == ("cut_off", "cv_1", 7)
    for wrong in ("nonsense", '{"type": "checkpoint"}', "[]"):
        with pytest.raises(checkpoints.BadCheckpointFile, match="line 1"):
            list(checkpoints.read_exported([wrong]))


def test_a_checkpoint_lists_only_streams_that_have_grown_and_none_is_made_twice() -> None:
    first = checkpoints.make_checkpoints()
    assert [row.heads for row in first] == [2]
    assert checkpoints.make_checkpoints() == []
    append([draft("cv_2")])
    [second] = checkpoints.make_checkpoints()
    assert (second.number, second.heads, bytes(second.previous)) == (2, 1, bytes(first[0].sha256))


def test_many_streams_go_into_several_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "MOST_HEADS", 3)
    append([draft(f"cv_many{n}") for n in range(5)])
    assert [row.heads for row in checkpoints.make_checkpoints()] == [3, 3, 1]
    assert verify() == []


def test_a_checkpoint_is_due_by_the_hour_or_by_the_number_of_entries(settings: Settings) -> None:
    assert checkpoints.is_due()
    checkpoints.make_checkpoints()
    assert not checkpoints.is_due()
    append([draft()])
    assert not checkpoints.is_due()
    settings.LOG_CHECKPOINT_ENTRIES = 1
    assert checkpoints.is_due()


def test_a_signing_key_that_changed_is_told_until_the_old_one_is_named(settings: Settings) -> None:
    settings.DATA = Path("/nonexistent")
    settings.SIGNING_KEY = base64.b64encode(bytes(range(32))).decode()
    old = base64.b64encode(signing.public_key()).decode()
    checkpoints.make_checkpoints()
    settings.SIGNING_KEY = base64.b64encode(bytes(range(1, 33))).decode()
    checkpoints.make_checkpoints()
    append([draft()])
    checkpoints.make_checkpoints()
    [found] = verify()
    assert found.what == "key"
    assert "checkpoint 1 is signed" in found.words and "ECHOADMIN_OLD_SIGNING_KEYS" in found.words
    settings.OLD_SIGNING_KEYS = [old]
    assert verify() == []
    told = Entry.objects.get(event_type="log.signing_key_changed")
    assert json.loads(str(told.body))["to"] == signing.key_id(signing.public_key())


def test_guards_that_were_taken_away_or_made_harmless_are_named() -> None:
    triggers.remove()
    [guards] = [one for one in run_checks(databases=["default"]) if one.id == "echoadmin.E007"]
    assert "log_entry_refuses_delete" in guards.msg
    assert "guards" in only(verify())
    triggers.install()
    with connection.cursor() as cursor:
        on = ' ON "log_entry"' if connection.vendor == "postgresql" else ""
        cursor.execute(f'DROP TRIGGER "log_entry_refuses_delete"{on}')
        how = "FOR EACH STATEMENT EXECUTE FUNCTION log_refuse('prune', 'flush', '')"
        if connection.vendor == "sqlite":
            how = "WHEN 0 BEGIN SELECT 1; END"
        cursor.execute(f'CREATE TRIGGER "log_entry_refuses_delete" BEFORE DELETE ON "log_entry" {how}')
    [found] = verify()
    assert found.words.endswith(": log_entry_refuses_delete")
    assert triggers.install() == ["log_entry_refuses_delete"]
    assert verify() == []


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE log_entry SET n = n",
        "UPDATE log_entry SET body = 'x'",
        "UPDATE log_entry SET erased_at = at",
        "DELETE FROM log_entry WHERE n = 1",
        "UPDATE log_entrybody SET body = 'x'",
        "DELETE FROM log_entrybody",
        "UPDATE log_clippart SET start = 1",
        "DELETE FROM log_clippart",
        "DELETE FROM log_stream",
        "UPDATE log_stream SET public_id = 'x'",
        "UPDATE log_checkpoint SET number = 5",
        "DELETE FROM log_checkpoint",
        "UPDATE log_checkpointhead SET n = 5",
        "DELETE FROM log_checkpointhead",
    ],
)
def test_the_database_refuses_to_change_what_is_final(sql: str) -> None:
    checkpoints.make_checkpoints()
    refused = pytest.raises(IntegrityError, match="refused: what was logged is final")
    with refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


def test_lifted_guards_are_back_after_the_block_and_after_an_error() -> None:
    def delete() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("DELETE FROM log_entrybody")

    with pytest.raises(ZeroDivisionError), triggers.lifted("erase"):
        delete()
        raise ZeroDivisionError
    with pytest.raises(IntegrityError):
        delete()
    assert EntryBody.objects.count() == 1
    with triggers.lifted("upload"), pytest.raises(IntegrityError):  # that is for samples alone
        delete()
    with triggers.lifted("erase"):
        delete()
    assert EntryBody.objects.count() == 0
    assert triggers.missing() == []


def test_a_verification_can_be_left_and_gone_on_with_anywhere() -> None:
    append([draft() for _ in range(BLOCK * 2 + 5)])
    checkpoints.make_checkpoints()
    tamper(f"UPDATE log_entry SET sender = 'other' WHERE n = {BLOCK * 2 + 3} AND {STREAM}")
    steps = sum(1 for _ in Verification().steps())
    assert steps >= 5
    for leave_after in range(1, steps):
        stepping = Verification().steps()
        state = [next(stepping) for _ in range(leave_after)][-1]
        kept = json.loads(json.dumps(state.as_dict()))
        found = Verification(state=State.from_dict(kept)).run()
        assert only(found) == ("changed", "cv_1", BLOCK * 2 + 3), leave_after


def verify_log(*options: str) -> tuple[int, Any]:
    """Exit code and output of the command."""
    out, code = io.StringIO(), 0
    try:
        call_command("verify_log", *options, stdout=out, stderr=io.StringIO())
    except SystemExit as end:
        code = int(str(end.code))
    return code, json.loads(out.getvalue()) if "--json" in options else out.getvalue()


def test_the_command_exits_1_and_names_what_it_found() -> None:
    code, said = verify_log()
    assert (code, "12 entries of 2 streams: as they were written" in said) == (0, True)
    tamper(f"UPDATE log_entry SET sender = 'other' WHERE n = 3 AND {STREAM}")
    code, said = verify_log()
    assert code == 1
    assert said.startswith("cv_1 entry 3: changed: ")
    code, result = verify_log("--json")
    assert (code, result["verified"], result["findings"][0]["n"], result["entries"]) == (1, False, 3, 5)
    assert verify_log("--stream", "cv_1", "--from", "4")[0] == 0
    assert verify_log("--stream", "cv_1", "--to", "3")[0] == 1
    assert verify_log("--stream", "cv_2")[0] == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--from", "3"], "--stream"),
        (["--stream", "cv_none"], "no stream 'cv_none'"),
        (["--stream", "cv_1", "--from", "10"], "numbers 1 to 9"),
        (["--stream", "cv_1", "--from", "5", "--to", "4"], "no range"),
        (["--stream", "cv_1", "--from", "-1"], "no range"),
        (["--checkpoints", "/nonexistent"], "can't be read"),
    ],
)
def test_what_can_not_be_verified_is_told(options: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        verify_log(*options)


def test_the_command_keeps_its_place_and_refuses_that_of_another(tmp_path: Path) -> None:
    place = tmp_path / "place"
    state = Verification(Scope("cv_1")).state.as_dict()
    place.write_text(json.dumps({"scope": ["cv_1", None, None], "state": state}), encoding="utf-8")
    assert verify_log("--stream", "cv_1", "--resume", str(place))[0] == 0
    assert not place.exists()
    place.write_text(json.dumps({"scope": ["cv_2", None, None], "state": state}), encoding="utf-8")
    with pytest.raises(CommandError, match="another verification"):
        verify_log("--stream", "cv_1", "--resume", str(place))
    for nonsense in ("", "{}", "[]", '{"scope": [null, null, null], "state": 3}'):
        place.write_text(nonsense, encoding="utf-8")
        with pytest.raises(CommandError, match="go on from"):
            verify_log("--resume", str(place))


def test_checkpoint_rows_are_what_was_signed() -> None:
    [row] = checkpoints.make_checkpoints()
    said = json.loads(checkpoints.stored_document(row))
    assert said["heads"]["cv_1"][0] == 9
    assert CheckpointHead.objects.count() == 2 and Checkpoint.objects.count() == 1
