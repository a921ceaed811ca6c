"""SQLite's checkpoints by hand, on a file of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from echoadmin.log.writer import checkpointing
from echoadmin.log.writer.checkpointing import checkpoint


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.sqlite3"


def opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    return connection


@pytest.fixture
def writer(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(opened(path)) as connection:
        connection.execute("CREATE TABLE entry (body)")
        yield connection


def write(connection: sqlite3.Connection, rows: int) -> None:
    connection.executemany("INSERT INTO entry VALUES (?)", [("x" * 4000,)] * rows)


def test_what_was_committed_is_copied_back(path: Path, writer: sqlite3.Connection) -> None:
    write(writer, 50)
    before = path.stat().st_size
    with closing(opened(path)) as other:
        assert checkpoint(other.cursor()) == 0
    assert path.stat().st_size > before


def test_a_long_file_is_begun_anew(path: Path, writer: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpointing, "LONG", 20)
    wal = path.with_name(path.name + "-wal")
    with closing(opened(path)) as other:
        write(writer, 40)
        long = wal.stat().st_size
        for _ in range(5):
            assert checkpoint(other.cursor()) == 0
            write(writer, 20)
    assert wal.stat().st_size == long


def begun_anew(path: Path, writer: sqlite3.Connection) -> bool:
    """Whether a checkpoint of a long WAL file lets the next write begin it anew."""
    wal = path.with_name(path.name + "-wal")
    with closing(opened(path)) as other:
        write(writer, 40)
        long = wal.stat().st_size
        checkpoint(other.cursor())
        write(writer, 20)
    return wal.stat().st_size == long


def test_while_the_disk_is_slow_nobody_waits_for_it_with_the_lock(
    path: Path, writer: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[str] = []
    copy_back = checkpointing._copy_back

    def noted(cursor: checkpointing.Cursor, mode: str) -> tuple[int, int]:
        modes.append(mode)
        return copy_back(cursor, mode)

    monkeypatch.setattr(checkpointing, "_copy_back", noted)
    monkeypatch.setattr(checkpointing, "LONG", 20)
    monkeypatch.setattr(checkpointing, "QUICK", 0)
    begun_anew(path, writer)
    assert "FULL" not in modes
    monkeypatch.setattr(checkpointing, "TOO_LONG", 20)
    assert begun_anew(path, writer)
    assert modes[-1] == "FULL"


def test_who_reads_or_writes_meanwhile_is_let_alone(
    path: Path, writer: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpointing, "LONG", 20)
    with closing(opened(path)) as other, closing(opened(path)) as reader:
        write(writer, 1)
        reader.execute("BEGIN")
        reader.execute("SELECT COUNT(*) FROM entry").fetchone()
        write(writer, 40)
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO entry VALUES (1)")
        assert checkpoint(other.cursor()) > 0  # what the reader doesn't know yet stays
        writer.execute("COMMIT")
        assert reader.execute("SELECT COUNT(*) FROM entry").fetchone() == (1,)
        reader.execute("COMMIT")
        assert checkpoint(other.cursor()) == 0
