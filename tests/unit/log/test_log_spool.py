"""The spool's file: what is put in comes back, whatever happened to the rest of it."""

from __future__ import annotations

import os
import resource
from base64 import b64encode
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoadmin.log.writer.drafts import Draft
from echoadmin.log.writer.records import Transaction, decode, encode
from echoadmin.log.writer.rows import prepare
from echoadmin.log.writer.spool import Folder, Spool

RECORDS = [b"first", b"second " * 100, b"third"]
AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "spool", "w-1", "ours", 2**20)


def filled(folder: Folder) -> Spool:
    spool = folder.new()
    spool.add(RECORDS[:2])
    spool.add(RECORDS[2:])
    return spool


def content(spool: Spool) -> list[bytes | None]:
    return [payload for _, payload in spool.read(spool.first, spool.size)]


def abandoned(folder: Folder) -> Spool:
    [found] = folder.abandoned()
    return found


def test_records_come_back_in_their_order_and_from_any_of_them_on(folder: Folder) -> None:
    spool = filled(folder)
    assert content(spool) == RECORDS
    ends = [end for end, _ in spool.read(spool.first, spool.size)]
    assert [payload for _, payload in spool.read(ends[0], ends[1])] == [RECORDS[1]]
    assert ends[-1] == spool.size == spool.path.stat().st_size


def test_a_spool_is_its_owners_while_that_lives_and_then_anybodys(folder: Folder) -> None:
    spool = filled(folder)
    other = Folder(folder.path, "w-2", folder.belongs, folder.limit)
    assert list(other.abandoned()) == []
    spool.close()  # as the system does when the process ends
    adopted = abandoned(other)
    assert (content(adopted), adopted.name, adopted.cut_off) == (RECORDS, spool.name, 0)
    assert list(folder.abandoned()) == [], "it has an owner again"
    adopted.remove()
    assert list(folder.path.iterdir()) == []


def test_what_belongs_to_another_installation_is_left_alone(folder: Folder) -> None:
    filled(folder).close()
    (folder.path / "noise.spool").write_bytes(b"\0" * 40)
    assert list(Folder(folder.path, "w-1", "theirs", 2**20).abandoned()) == []
    assert len(list(folder.path.iterdir())) == 2


@pytest.mark.parametrize("kept", range(len(RECORDS[2]) + 8))
def test_a_torn_last_record_is_cut_off_and_the_rest_comes_back(folder: Folder, kept: int, caplog: Any) -> None:
    spool = filled(folder)
    torn = 8 + len(RECORDS[2])
    os.truncate(spool.path, spool.size - torn + kept)
    spool.close()
    adopted = abandoned(folder)
    assert (content(adopted), adopted.cut_off) == (RECORDS[:2], kept)
    assert adopted.path.stat().st_size == adopted.size
    assert (f"{kept} bytes at the end" in caplog.text) == bool(kept)


def test_a_damaged_byte_costs_its_record_and_no_other(folder: Folder) -> None:
    spool = filled(folder)
    [first, second, _] = [end for end, _ in spool.read(spool.first, spool.size)]
    for at in (first + 4, first + 8, second - 1):  # in the checksum, in the payload
        with spool.path.open("r+b") as file:
            file.seek(at)
            byte = file.read(1)
            file.seek(at)
            file.write(bytes([byte[0] ^ 1]))
            file.flush()
            assert content(spool) == [RECORDS[0], None, RECORDS[2]]
            file.seek(at)
            file.write(byte)
    assert content(spool) == RECORDS


def test_a_damaged_length_ends_what_can_be_read_and_it_is_told_how_much(folder: Folder) -> None:
    spool = filled(folder)
    [first, *_] = [end for end, _ in spool.read(spool.first, spool.size)]
    with spool.path.open("r+b") as file:
        file.seek(first)
        file.write(b"\x00\x00\x00\x07")
    spool.close()
    adopted = abandoned(folder)
    assert (content(adopted), adopted.cut_off) == (RECORDS[:1], spool.size - first)


def test_after_a_disk_that_refused_the_spool_is_as_before(folder: Folder) -> None:
    spool = filled(folder)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (spool.size + 100_000, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            spool.add([b"small", b"x" * 200_000])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert spool.path.stat().st_size == spool.size
    assert content(spool) == RECORDS
    spool.add([b"fourth"])
    assert content(spool) == [*RECORDS, b"fourth"]


def test_nobody_else_can_read_it(folder: Folder) -> None:
    spool = folder.new()
    assert spool.path.stat().st_mode & 0o777 == 0o600
    assert folder.path.stat().st_mode & 0o777 == 0o700


def prepared(draft: Draft) -> tuple[Any, ...]:
    entry = prepare(draft)
    return entry.body, entry.body_sha256, entry.samples, entry.header_start, entry.header_end, entry.values


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters()), inner, max_size=4),
    max_leaves=20,
)


@given(message=json_values, seq=st.none() | st.integers(), said=st.none() | st.text(st.characters()))
def test_a_draft_that_was_in_a_spool_makes_the_same_entry(message: Any, seq: int | None, said: str | None) -> None:
    draft = Draft("cv_1", "app_message", "x", AT, "in", "other", "s", "n", "i", 7, "cv_1", "pe_1", "ana", "k", seq=seq)
    draft.message, draft.said, draft.epoch, draft.is_error = message, said, 3, True
    broken = Transaction(12, "cv_1", 7, b"d" * 32)
    record = decode(encode([draft, draft], broken))
    assert record.transaction == broken
    assert decode(encode([draft], Transaction(13))).transaction == Transaction(13)
    assert decode(b'{"drafts":[],"transaction":14}').transaction == Transaction(14)  # as an earlier version wrote it
    assert [prepared(one) for one in record.drafts] == [prepared(draft)] * 2


def test_samples_and_ranges_of_clips_come_back_and_so_does_a_moment_of_another_zone() -> None:
    pcm = bytes(range(240))
    message = {"properties": {"audio": b64encode(pcm).decode(), "sample_rate": 24_000}}
    own = Draft("cv_1", "app_message", "x", AT.astimezone(timezone(timedelta(hours=2))), message=message, samples=pcm)
    ours = Draft("cv_1", "app_message", "x", AT, message=message, clip=(3, 0, 240))
    back = decode(encode([own, ours])).drafts
    assert [prepared(one) for one in back] == [prepared(own), prepared(ours)]
    assert back[0].samples == pcm
    assert back[1].clip == (3, 0, 240)


@pytest.mark.parametrize("payload", [b"", b"{}", b"[]", b'{"drafts": [{"stream": "s"}]}', b'{"drafts": [{"new": 1}]}'])
def test_what_is_no_record_is_told_so(payload: bytes) -> None:
    with pytest.raises(ValueError):
        decode(payload)
