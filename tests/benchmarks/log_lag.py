"""How old the newest entry is, asked again and again: while entries come all the time, that is how far the log lags."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg

NEWEST = 'SELECT "at" FROM log_entry ORDER BY id DESC LIMIT 1'


def newest_lag(environment: dict[str, str]) -> Iterator[float]:
    """Milliseconds, each time that it is asked; from a console's environment it knows which database."""
    ask = _on_postgresql(environment) if environment.get("DATABASE_URL") else _on_sqlite(environment)
    while True:
        yield (time.time() - ask().timestamp()) * 1000


def _on_postgresql(environment: dict[str, str]) -> Callable[[], datetime]:
    connection = psycopg.connect(environment["DATABASE_URL"], autocommit=True)

    def ask() -> datetime:
        found = connection.execute(NEWEST).fetchone()
        assert found is not None and isinstance(found[0], datetime)
        return found[0]

    return ask


def _on_sqlite(environment: dict[str, str]) -> Callable[[], datetime]:
    path = Path(environment["ECHOADMIN_DATA"]) / "sandbox.sqlite3"
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    return lambda: datetime.fromisoformat(connection.execute(NEWEST).fetchone()[0]).replace(tzinfo=UTC)
