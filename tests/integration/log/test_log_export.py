"""Exports: what comes out is what was logged, line by line, and can be held to its own hashes."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import wave
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from echoadmin.actors import Actor
from echoadmin.log import reader
from echoadmin.log.chain import HEADER_COLUMNS, canonical, digest, header, leaf
from echoadmin.log.clips import append_samples, new_clip
from echoadmin.log.export import BadExport, Export, checked, pieces, rows
from echoadmin.log.export import pieces as pieces_of
from echoadmin.log.export.pieces import check_after
from echoadmin.log.models import Clip, ClipPart, Entry
from echoadmin.log.proof import triggers
from echoadmin.log.writer import append
from echoadmin.runs import Run, claim_run, perform, start_run
from tests.integration.log.drafts import draft

pytestmark = pytest.mark.django_db
PCM = bytes(range(256)) * 20
NASTY = 'say "hi"\\ {a,b},NULL \n\t\x01 é 😀 \u2028'


def lines(export: Export, after: int = 0, until: int | None = None) -> list[dict[str, Any]]:
    data = b"".join(piece.data for piece in pieces(export, after, until))
    return [json.loads(line) for line in data.decode("ascii").splitlines()]


def table(export: Export) -> list[dict[str, str]]:
    data = b"".join(piece.data for piece in pieces(export)).decode("utf-8")
    csv.field_size_limit(1 << 30)
    return list(csv.DictReader(io.StringIO(data, newline="")))


def audio(pcm: bytes, done: bool = True, inference_id: str = "a") -> dict[str, Any]:
    from conversations import interactions

    return interactions.audio_echo_chunk("c", pcm, 24000, inference_id, done=done)


def a_mixed_log() -> None:
    """All that a row can have."""
    append(
        [
            draft(at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), seq=7, epoch=3, echo_id=11, said="Hello"),
            draft("account", kind="operator", event_type=NASTY, actor=NASTY, direction=None, message=None),
            draft(sender=None, sender_name="NULL", inference_id='"', request_id="r\\1", is_error=True),
            draft(message={"text": NASTY, "half": "\ud800", "deep": [[1.5, -0.0, 1e300, 10**30]]}),
            draft("cv_2", message="x" * 300_000, api_key_ref="{}", persona_ref="{a}"),
            draft("cv_2", message=audio(PCM), samples=PCM, event_type="conversation.echo", inference_id="a"),
        ]
    )


def test_each_line_has_the_message_and_verifies_by_itself() -> None:
    a_mixed_log()
    made = lines(Export("ndjson", audio=True))
    entries = list(Entry.objects.order_by("id"))
    assert [line["message"] for line in made] == reader.messages(entries)
    assert len(made) == 6
    before: dict[str, bytes] = {}
    for line in made:
        columns = {name: line[name] for name in HEADER_COLUMNS}
        body = hashlib.sha256(canonical(line["message"]).encode("ascii")).digest()
        assert body.hex() == line["body_sha256"]
        own = leaf(header(columns), body)
        assert own.hex() == line["leaf"]
        assert digest(before.get(line["stream"], bytes(32)), own).hex() == line["digest"]
        before[line["stream"]] = bytes.fromhex(line["digest"])


def test_without_audio_all_but_the_samples_is_there() -> None:
    a_mixed_log()
    with_audio, without = lines(Export("ndjson", audio=True)), lines(Export("ndjson"))
    assert without[-1]["message"]["properties"].pop("audio") is None
    assert with_audio[-1]["message"]["properties"].pop("audio")
    assert [line["message"] for line in without] == [line["message"] for line in with_audio]
    assert (without[-1]["clip_bytes"], without[-1]["body_sha256"]) == (len(PCM), with_audio[-1]["body_sha256"])


def test_an_erased_entry_keeps_its_line_without_its_message() -> None:
    append([draft(), draft()])
    with triggers.lifted("erase"), connection.cursor() as cursor:
        cursor.execute("UPDATE log_entry SET body = NULL, erased_at = '2026-01-02 03:04:05+00' WHERE n = 1")
    first, second = lines(Export("ndjson"))
    assert (first["message"], first["erased_at"][:19]) == (None, "2026-01-02T03:04:05")
    assert (second["message"] is not None, second["erased_at"]) == (True, None)
    assert first["leaf"] and first["body_sha256"]


def test_csv_has_the_same_and_no_cell_that_a_spreadsheet_computes() -> None:
    a_mixed_log()
    append([draft(sender=start + "cmd|' /C calc'!A0", message=None) for start in ("=", "+", "-", "@", "\t", "\r", "'")])
    append([draft(seq=-5, message=-5)])
    made = table(Export("csv", audio=True))
    same = lines(Export("ndjson", audio=True))
    assert len(made) == len(same) == 14
    for row, line in zip(made, same, strict=True):
        for name in ("stream", "at", "kind", "leaf", "digest", "is_error", "late"):
            assert row[name] == str(line[name]).replace("True", "true").replace("False", "false")
        assert row["event_type"].removeprefix("'") == line["event_type"]
        assert json.loads(row["message"].removeprefix("'")) == line["message"]
    assert [row["sender"][:2] for row in made[6:12]] == ["'=", "'+", "'-", "'@", "'\t", "'\r"]
    assert made[12]["sender"].startswith("'cmd")  # was no formula, and is as it was
    assert (made[13]["seq"], made[13]["message"]) == ("-5", "'-5")  # a number is a number, a text is a text
    assert made[0]["said"] == "Hello"


@pytest.mark.parametrize("format", ["ndjson", "csv"])
def test_it_goes_on_after_any_entry_in_blocks_of_any_size(format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    append([draft("cv_1" if k % 3 else "cv_2", message={"k": k}) for k in range(40)])
    whole = b"".join(piece.data for piece in pieces(Export(format)))
    monkeypatch.setattr(rows, "ROWS", 7)
    found = list(pieces(Export(format)))
    assert b"".join(piece.data for piece in found) == whole
    assert sum(piece.entries for piece in found) == 40
    for place in (1, 3, 5):
        so_far = b"".join(piece.data for piece in found[:place])
        rest = b"".join(piece.data for piece in pieces(Export(format), after=found[place - 1].after))
        assert so_far + rest == whole or not found[place - 1].after


def test_one_conversation_counts_by_its_own_numbers() -> None:
    append([draft("cv_1"), draft("cv_2"), draft("cv_1"), draft("cv_2")])
    made = lines(Export("ndjson", {"conversation": "cv_2"}))
    assert [(line["stream"], line["n"]) for line in made] == [("cv_2", 1), ("cv_2", 2)]
    assert [line["n"] for line in lines(Export("ndjson", {"conversation": "cv_2"}), after=1)] == [2]
    assert lines(Export("ndjson", {"conversation": "cv_9"})) == []


@pytest.mark.django_db(transaction=True)
def test_long_bodies_are_not_all_in_memory_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    append([draft(message={"k": k, "pad": "x" * 50_000}) for k in range(20)])
    monkeypatch.setattr(rows, "BLOCK_BYTES", 200_000)
    seen: list[int] = []
    block = rows._block
    monkeypatch.setattr(rows, "_block", lambda wanted: _noted(block(wanted), seen))
    assert [line["message"]["k"] for line in lines(Export("ndjson"))] == list(range(20))
    assert max(seen) <= 5
    assert len(lines(Export("ndjson"))) == 20  # the connection is as good as before


def _noted(found: Any, seen: list[int]) -> Any:
    seen.append(len(found[0]))
    return found


def test_what_comes_while_it_is_read_is_not_in_it() -> None:
    append([draft() for _ in range(3)])
    going = pieces(Export("ndjson"))
    first = next(going)
    append([draft()])
    assert first.entries + sum(piece.entries for piece in going) == 3


@pytest.mark.parametrize(
    ("format", "filters", "named"),
    [
        ("xml", {}, "format"),
        ("csv", {"knid": "webhook"}, "knid"),
        ("csv", {"kind": "nope"}, "kind"),
        ("csv", {"kind": ["webhook"]}, "kind"),
        ("csv", {"at_after": "2026-01-02T00:00:00Z", "at_before": "2026-01-01T00:00:00Z"}, "at_before"),
        ("csv", {"text": '"open'}, "text"),
        ("csv", {"text": "x" * 10_000}, "text"),
    ],
)
def test_what_cannot_be_exported_is_refused_by_name(format: str, filters: dict[str, Any], named: str) -> None:
    with pytest.raises(BadExport) as refusal:
        checked(format, filters)
    assert list(refusal.value.fields) == [named]


def test_a_place_of_another_database_is_refused() -> None:
    append([draft()])
    last = Entry.objects.latest("id").pk
    check_after(Export("ndjson"), last)
    with pytest.raises(BadExport):
        check_after(Export("ndjson"), last + 1)
    with pytest.raises(BadExport):
        check_after(Export("ndjson", {"conversation": "cv_1"}), 2)


# --- audio ---


def said(stream: str, pcm: bytes, pieces: int, **columns: Any) -> list[Any]:
    """The drafts of one outbound echo, its samples in one clip."""
    clip = new_clip(24000).pk
    step = len(pcm) // pieces
    found = []
    for at in range(0, len(pcm), step):
        part = pcm[at : at + step]
        start = append_samples(clip, part)
        usual = {"event_type": "conversation.echo", "direction": "out", "sender": "us", "message": audio(part)}
        found.append(draft(stream, clip=(clip, start, len(part)), **{**usual, **columns}))
    return found


def unzipped(data: bytes) -> tuple[dict[str, Any], dict[str, tuple[int, bytes]]]:
    archive = zipfile.ZipFile(io.BytesIO(data))
    assert archive.testzip() is None
    manifest = json.loads(archive.read("manifest.json"))
    heard = {}
    for item in manifest["files"]:
        raw = archive.read(item["file"])
        assert hashlib.sha256(raw).hexdigest() == item["sha256"]
        with wave.open(io.BytesIO(raw)) as sound:
            assert (sound.getnchannels(), sound.getsampwidth()) == (1, 2)
            heard[item["file"]] = (sound.getframerate(), sound.readframes(sound.getnframes()))
    assert sorted(archive.namelist()) == sorted([*heard, "manifest.json"])
    return manifest, heard


def zipped(export: Export, after: int = 0) -> bytes:
    return b"".join(piece.data for piece in pieces_of(export, after))


def test_the_zip_has_one_file_for_each_utterance_although_their_chunks_are_mixed() -> None:
    one, two = bytes(range(200)) * 12, bytes(range(100)) * 24
    mixed = zip(
        said("cv_1", one, 4, echo_id=1, inference_id="a"), said("cv_2", two, 4, echo_id=2, inference_id="b/.."),
        strict=True,
    )  # fmt: skip
    append([entry for pair in mixed for entry in pair])
    heard_in = [draft(message=audio(PCM, inference_id="h"), samples=PCM, inference_id="h") for _ in range(2)]
    append([*heard_in, draft()])
    manifest, heard = unzipped(zipped(Export("zip")))
    assert list(heard.values()) == [(24000, one), (24000, two), (24000, PCM * 2)]
    assert [(item["echo_id"], item["entries"], item["silence_bytes"]) for item in manifest["files"]] == [
        (1, 4, 0),
        (2, 4, 0),
        (None, 2, 0),
    ]
    assert all(name.endswith(".wav") and ".." not in name for name in heard)
    only, _ = unzipped(zipped(Export("zip", {"conversation": "cv_2"})))
    assert [item["inference_id"] for item in only["files"]] == ["b/.."]


def test_a_zip_that_goes_on_has_the_utterances_that_began_later() -> None:
    append(said("cv_1", PCM, 2, echo_id=1) + said("cv_1", PCM * 2, 2, echo_id=2))
    manifest, _ = unzipped(zipped(Export("zip")))
    rest, heard = unzipped(zipped(Export("zip"), after=manifest["files"][0]["id"]))
    assert [item["echo_id"] for item in rest["files"]] == [2]
    assert [len(pcm) for _, pcm in heard.values()] == [len(PCM) * 2]


def test_samples_that_are_gone_are_silence_and_the_manifest_says_so() -> None:
    append(said("cv_1", PCM, 2, echo_id=1))
    with triggers.lifted("erase"):
        ClipPart.objects.filter(start=0).delete()
    manifest, heard = unzipped(zipped(Export("zip")))
    [item] = manifest["files"]
    half = len(PCM) // 2
    assert (item["silence_bytes"], item["seconds"]) == (half, round(len(PCM) / 2 / 24000, 6))
    assert Clip.objects.count() == 1
    [(_, pcm)] = heard.values()
    assert sorted((pcm[:half], pcm[half:])) == sorted((bytes(half), PCM[half:]))


def test_a_log_without_audio_makes_a_zip_with_an_empty_manifest() -> None:
    append([draft()])
    manifest, heard = unzipped(zipped(Export("zip")))
    assert (manifest["files"], heard) == ([], {})


# --- as a run ---


def run_of(params: dict[str, Any]) -> Run:
    start_run(actor=Actor("ana"), kind="export", params=params)
    run = claim_run("here")
    assert run is not None
    perform(run)
    run.refresh_from_db()
    return run


def params(format: str = "ndjson", **filters: str) -> dict[str, Any]:
    return {"format": format, "filters": filters, "audio": False}


@pytest.mark.parametrize("format", ["ndjson", "csv"])
def test_a_run_leaves_the_same_file(format: str) -> None:
    append([draft(message={"k": k}) for k in range(30)])
    run = run_of(params(format))
    assert (run.state, run.done, run.total, run.percent) == ("done", 30, 30, 100)
    assert b"".join(run.file()) == b"".join(piece.data for piece in pieces(Export(format)))
    assert run.file_name.endswith(f".{format}")


def test_a_run_that_was_broken_off_has_no_line_twice_and_none_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from echoadmin.log.export import run as export_run

    append([draft(message={"k": k}) for k in range(50)])
    monkeypatch.setattr(rows, "ROWS", 5)
    monkeypatch.setattr(export_run, "REPORT_BYTES", 1)
    start_run(actor=Actor("ana"), kind="export", params=params())
    real, taken = export_run.pieces, []

    def dying(*args: Any) -> Any:
        for piece in real(*args):
            taken.append(piece)
            if len(taken) == 4:
                raise KeyboardInterrupt
            yield piece

    monkeypatch.setattr(export_run, "pieces", dying)
    run = claim_run("one")
    assert run is not None
    with pytest.raises(KeyboardInterrupt):
        perform(run)
    append([draft(message={"k": "later"})])
    Run.objects.update(lease_until=datetime.now(UTC) - timedelta(seconds=1))
    monkeypatch.setattr(export_run, "pieces", real)
    run = claim_run("two")
    assert run is not None and run.cursor["entries"] == 15
    perform(run)
    run.refresh_from_db()
    made = [json.loads(line) for line in b"".join(run.file()).splitlines()]
    assert [line["message"]["k"] for line in made] == list(range(50))
    assert (run.state, run.done, run.result["entries"]) == ("done", 50, 50)


def test_a_zip_as_a_run() -> None:
    append(said("cv_1", PCM, 4, echo_id=1))
    run = run_of(params("zip"))
    manifest, _ = unzipped(b"".join(run.file()))
    assert (run.state, run.done, len(manifest["files"])) == ("done", 4, 1)


# --- as a command ---


@pytest.fixture
def export(tmp_path: Path) -> Callable[..., Path]:
    def run(*more: str, name: str = "log.ndjson", format: str = "ndjson") -> Path:
        call_command("export_log", "--format", format, "--to", str(tmp_path / name), *more)
        return tmp_path / name

    return run


def test_the_command_writes_the_same_file_and_an_entry_of_it(export: Callable[..., Path]) -> None:
    append([draft(), draft(kind="webhook")])
    expected = b"".join(piece.data for piece in pieces(Export("ndjson", {"kind": "webhook"})))
    path = export("--kind", "webhook")
    assert path.read_bytes() == expected
    assert [file.name for file in path.parent.iterdir()] == ["log.ndjson"]
    entry = Entry.objects.latest("id")
    assert (entry.event_type, entry.actor) == ("log.exported", "manage.py export_log")
    assert reader.message(entry)["filters"] == {"kind": "webhook"}
    with pytest.raises(CommandError, match="there already"):
        export()


def test_the_command_goes_on_where_it_was_broken_off(
    export: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from echoadmin.log.management.commands import export_log

    append([draft(message={"k": k}) for k in range(30)])
    monkeypatch.setattr(rows, "ROWS", 4)
    monkeypatch.setattr(export_log.Unfinished, "EVERY", 1)
    real = export_log.Unfinished.add

    def dying(self: Any, data: bytes, after: int, entries: int) -> None:
        if self.entries >= 12:
            self._file.write(data[:100])  # the last write was not whole
            self._file.flush()
            raise KeyboardInterrupt
        real(self, data, after, entries)

    monkeypatch.setattr(export_log.Unfinished, "add", dying)
    with pytest.raises(KeyboardInterrupt):
        export("--kind", "app_message")
    monkeypatch.setattr(export_log.Unfinished, "add", real)
    with pytest.raises(CommandError, match="another export"):
        export("--resume")
    path = export("--kind", "app_message", "--resume")
    assert [json.loads(line)["message"]["k"] for line in path.read_text().splitlines()] == list(range(30))
    with pytest.raises(CommandError, match="nothing to resume"):
        export("--resume", name="other.ndjson")


def test_the_command_names_what_is_wrong(export: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="format"):
        export(format="xml")
    with pytest.raises(CommandError, match="kind"):
        export("--kind", "nope")
    with pytest.raises(CommandError, match="can't be written"):
        call_command("export_log", "--to", str(tmp_path / "none" / "x"))
