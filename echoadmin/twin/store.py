"""The twin's memory on disk: one SQLite file, written behind within a second, off the event loop.

Small things (personas, conversations, faults, …) are documents: the loop keeps them in memory and marks what changed.
The record of the rooms is rows that are only ever added; the loop keeps none of them once they are written.
"""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FLUSH_EVERY = 0.5
FLUSH_AT_ROWS = 5000

SCHEMA = """
CREATE TABLE IF NOT EXISTS document (kind TEXT, id TEXT, body TEXT NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS message (
    conversation_id TEXT, n INTEGER, at REAL NOT NULL, sender TEXT NOT NULL, sender_name TEXT NOT NULL,
    recipient TEXT NOT NULL, body TEXT NOT NULL, flags TEXT NOT NULL, PRIMARY KEY (conversation_id, n)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Message:
    """One app message as it arrived at a room. ``at`` is in epoch seconds, ``body`` is JSON text, samples whole."""

    conversation_id: str
    n: int
    at: float
    sender: str
    sender_name: str
    recipient: str
    body: str
    flags: str


class Store:
    """Documents and messages, kept in SQLite by a thread of its own."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(SCHEMA)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="twin-store")
        self._documents: dict[tuple[str, str], Callable[[], dict[str, Any]] | None] = {}
        self._messages: list[Message] = []
        self._full = asyncio.Event()

    def load(self, kind: str) -> list[dict[str, Any]]:
        """Return all documents of a kind. Blocks: for the start only."""
        rows = self._db.execute("SELECT body FROM document WHERE kind = ? ORDER BY id", (kind,))
        return [json.loads(body) for (body,) in rows]

    def last_numbers(self) -> dict[str, int]:
        """Return the highest ``n`` of each conversation's record. Blocks: for the start only."""
        return dict(self._db.execute("SELECT conversation_id, max(n) FROM message GROUP BY conversation_id"))

    def put(self, kind: str, key: str, body: Callable[[], dict[str, Any]]) -> None:
        """Mark a document as changed; ``body`` is asked for its state when it is written."""
        self._documents[kind, key] = body

    def remove(self, kind: str, key: str) -> None:
        self._documents[kind, key] = None

    def add(self, message: Message) -> None:
        self._messages.append(message)
        if len(self._messages) >= FLUSH_AT_ROWS:
            self._full.set()

    async def keep_flushing(self) -> None:
        """Write what is new, twice a second, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(FLUSH_EVERY):
                    await self._full.wait()
            except TimeoutError:
                pass
            await self.flush()

    async def flush(self) -> None:
        """Write everything that is new. Returns when it is in the file."""
        documents = [(kind, key, make and json.dumps(make())) for (kind, key), make in self._documents.items()]
        messages = self._messages
        self._documents, self._messages = {}, []
        self._full.clear()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._write, documents, messages)

    def _write(self, documents: list[tuple[str, str, str | None]], messages: list[Message]) -> None:
        if not documents and not messages:
            return
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany("DELETE FROM document WHERE kind = ? AND id = ?", [d[:2] for d in documents if not d[2]])
        self._db.executemany("INSERT OR REPLACE INTO document VALUES (?, ?, ?)", [d for d in documents if d[2]])
        self._db.executemany(
            "INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(m.conversation_id, m.n, m.at, m.sender, m.sender_name, m.recipient, m.body, m.flags) for m in messages],
        )
        self._db.execute("COMMIT")

    async def read(self, conversation_id: str, after: int, limit: int) -> list[Message]:
        """Return at most ``limit`` messages of a conversation with a higher ``n``, in order of arrival."""
        await self.flush()
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._read, conversation_id, after, limit)

    def _read(self, conversation_id: str, after: int, limit: int) -> list[Message]:
        rows = self._db.execute(
            "SELECT * FROM message WHERE conversation_id = ? AND n > ? ORDER BY n LIMIT ?",
            (conversation_id, after, limit),
        )
        return [Message(*row) for row in rows]

    async def close(self) -> None:
        await self.flush()
        self._thread.shutdown(wait=True)
        self._db.close()
