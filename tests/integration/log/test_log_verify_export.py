"""An export verifies with Python alone, and whatever was done to it is told."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core.management import CommandError, call_command
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_django import Settings

from echoadmin.actors import SYSTEM
from echoadmin.log import verify_export
from echoadmin.log.chain import HEADER_COLUMNS
from echoadmin.log.keeping import pruning
from echoadmin.log.keeping.erasing import Target, erase
from echoadmin.log.proof import checkpoints, signing
from echoadmin.log.writer import append
from tests.integration.log.drafts import draft

PCM = b"\1\2\3\4" * 600
SCRIPT = Path(verify_export.__file__)
Lines = list[dict[str, Any]]


@pytest.fixture
def files(db: None, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """entries.ndjson and proof.ndjson of a log with audio, a long body, pruned and erased entries, two checkpoints."""
    audio = {"properties": {"audio": base64.b64encode(PCM).decode()}}
    append(
        [
            draft(said="é\0\ud800", message={"text": "é\0\ud800", "n": [1.5, 10**30, 1e300, True, None]}),
            draft(event_type="system.replica_present", family="presence", at=pruning.timezone.now().replace(year=2020)),
            draft(message=audio, samples=PCM),
            draft(message={"text": "x" * 300_000}),
            draft("cv_2", sender="ann"),
            draft("account", kind="operator", direction=None, message=None),
        ]
    )
    checkpoints.make_checkpoints()
    append([draft(seq=n, is_error=n % 2 == 0) for n in range(5)])
    checkpoints.make_checkpoints()
    erase(target=Target("sender", "ann"), actor=SYSTEM, reason="asked")
    monkeypatch.setattr(pruning, "PAUSE", 0.0)
    settings.LOG_KEEP_DAYS = {"presence": 30.0}
    pruning.prune()
    call_command("export_log", "--audio", "--to", str(tmp_path / "entries.ndjson"), stdout=io.StringIO())
    call_command("prove_log", str(tmp_path / "proof.ndjson"), stdout=io.StringIO())
    return tmp_path


def run(folder: Path, *options: str) -> tuple[int, Any]:
    """Exit code and result of the script, with nothing but Python's standard library."""
    paths = [str(folder / name) for name in ("entries.ndjson", "proof.ndjson")]
    command = [sys.executable, "-I", "-S", str(SCRIPT), *paths, "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


def change(path: Path, edit: Callable[[Lines], None]) -> None:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    edit(lines)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def of(lines: Lines, stream: str, n: int) -> dict[str, Any]:
    return next(line for line in lines if (line["stream"], line["n"]) == (stream, n))


def test_the_script_knows_the_header_as_the_console_does() -> None:
    assert verify_export.HEADER == HEADER_COLUMNS


def test_a_whole_export_verifies_with_nothing_but_python(files: Path) -> None:
    key = base64.b64encode(signing.public_key()).decode()
    code, result = run(files, "--whole", "--key", key)
    assert (code, result["problems"]) == (0, [])
    assert list(result["notes"]) == ["messages were erased: their entries verify, what they said is gone"]
    assert result["counts"] == {"entries": 12, "checkpoints": 2, "pruned ranges": 1}
    code, result = run(files)
    assert code == 0
    assert any("give the one you know" in note for note in result["notes"])


def test_the_order_of_the_lines_makes_no_difference(files: Path) -> None:
    for name in ("entries.ndjson", "proof.ndjson"):
        change(files / name, lambda lines: lines.reverse())
    assert run(files, "--whole")[0] == 0


def set_(stream: str, n: int, **columns: Any) -> Callable[[Lines], None]:
    return lambda lines: of(lines, stream, n).update(columns)


def swap(lines: Lines) -> None:
    one, two = of(lines, "cv_1", 5), of(lines, "cv_1", 6)
    one["n"], two["n"] = two["n"], one["n"]


def cut(lines: Lines) -> None:
    lines[:] = [line for line in lines if line["stream"] != "cv_1" or line["n"] < 8]


def rechain(lines: Lines) -> None:
    """Another sender in entry 6, and all leaves and digests from there on written anew."""
    last = bytes.fromhex(of(lines, "cv_1", 5)["digest"])
    for n in range(6, 10):
        line = of(lines, "cv_1", n)
        line["sender"] = "somebody else"
        leaf = verify_export.sha256(
            verify_export.canonical({name: line[name] for name in HEADER_COLUMNS}) + bytes.fromhex(line["body_sha256"])
        )
        last = verify_export.sha256(last + leaf)
        line |= {"leaf": leaf.hex(), "digest": last.hex()}


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (set_("cv_1", 5, sender="x"), "cv_1 entry 5: changed: its columns"),
        (set_("cv_1", 1, message={"text": "other"}), "cv_1 entry 1: changed: its message"),
        (set_("cv_1", 3, message={"properties": {"audio": "AAAA"}}), "cv_1 entry 3: changed: its message"),
        (set_("cv_1", 5, digest="00" * 32), "cv_1 entry 5: the chain"),
        (swap, "cv_1 entry 6: changed: its columns"),
        (lambda lines: lines.remove(of(lines, "cv_1", 6)), "cv_1: entries before 7 are not in the files"),
        (lambda lines: lines.append(of(lines, "cv_1", 6)), "cv_1 entry 6: there are two"),
        (cut, "cv_1: the files end at 7, and a checkpoint saw 9"),
        (
            rechain,
            "cv_1: the chain was written anew: checkpoint 2 saw another digest at 9, so",
        ),
    ],
)
def test_what_was_done_to_the_entries_is_told(files: Path, edit: Callable[[Lines], None], words: str) -> None:
    change(files / "entries.ndjson", edit)
    code, result = run(files, "--whole")
    assert code == 1
    assert any(problem.startswith(words) for problem in result["problems"]), result["problems"]


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        ("checkpoint", "signature", "checkpoint 1: does not carry its signature"),
        ("pruned", "signature", "cv_1: pruned entries: does not carry its signature"),
        ("pruned", "leaves", "cv_1 entry 2: the leaves of pruned entries were changed"),
    ],
)
def test_what_was_done_to_the_proof_is_told(files: Path, kind: str, name: str, words: str) -> None:
    def edit(lines: Lines) -> None:
        line = next(line for line in lines if line["type"] == kind)
        raw = bytearray(base64.b64decode(line[name]))
        raw[0] ^= 1
        line[name] = base64.b64encode(raw).decode()

    change(files / "proof.ndjson", edit)
    code, result = run(files)
    assert code == 1
    assert words in result["problems"]


def test_a_key_that_nobody_vouches_for_is_a_problem_when_one_is_given(files: Path) -> None:
    code, result = run(files, "--key", base64.b64encode(bytes(32)).decode())
    assert code == 1
    assert "signed by the key" in result["problems"][0]


def test_a_filtered_export_verifies_with_the_leaves_of_the_rest(files: Path) -> None:
    change(files / "entries.ndjson", lambda lines: lines.__setitem__(slice(None), lines[2::3]))
    code, result = run(files)
    assert code == 0
    assert any("anchored in itself only" in note for note in result["notes"])
    (files / "proof.ndjson").unlink()
    call_command("prove_log", str(files / "proof.ndjson"), "--leaves", stdout=io.StringIO())
    code, result = run(files, "--whole")
    assert (code, result["problems"]) == (0, [])


def test_the_proof_of_one_stream_is_for_that_alone(files: Path) -> None:
    with pytest.raises(CommandError, match="there already"):
        call_command("prove_log", str(files / "proof.ndjson"))
    (files / "proof.ndjson").unlink()
    call_command("prove_log", str(files / "proof.ndjson"), "--stream", "cv_2", "--leaves", stdout=io.StringIO())
    kinds = [json.loads(line)["type"] for line in (files / "proof.ndjson").read_text().splitlines()]
    assert kinds == ["key", "checkpoint", "leaves"]


@pytest.mark.parametrize("line", ["", "[]", "{}", "nonsense", '{"type": "other"}', '{"type": "key", "public_key": 3}'])
def test_lines_that_are_none_are_named_and_exit_2(files: Path, line: str) -> None:
    with (files / "proof.ndjson").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    code, said = run(files)
    assert code == 2
    assert "proof.ndjson, line " in said and "can't be read" in said


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    code, said = run(tmp_path)
    assert (code, "entries.ndjson can't be read" in said) == (2, True)


@settings(max_examples=25, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200), st.integers(0, 511))
def test_signatures_are_judged_as_cryptography_judges_them(seed: bytes, text: bytes, bit: int) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    signature = bytearray(key.sign(text))
    assert verify_export.signed_by(public, bytes(signature), text)
    assert not verify_export.signed_by(public, bytes(signature), text + b"x")
    signature[bit // 8] ^= 1 << bit % 8
    assert not verify_export.signed_by(public, bytes(signature), text)


def test_signatures_of_no_key_or_no_length_are_none() -> None:
    assert not verify_export.signed_by(b"\xff" * 32, bytes(64), b"")
    assert not verify_export.signed_by(bytes(32), bytes(63), b"")
    assert not verify_export.signed_by(bytes(32), b"\xff" * 64, b"")
