"""What somebody can do who may change the database's schema: take the guards away, change the log, put them back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

from echoadmin.log.proof import triggers


@contextmanager
def unguarded() -> Iterator[None]:
    """Inside, the database takes any change."""
    triggers.remove()
    try:
        yield
    finally:
        triggers.install()


def tamper(sql: str, *params: Any) -> None:
    """One statement behind the guards' back, which must change something."""
    with unguarded(), connection.cursor() as cursor:
        cursor.execute(sql, params)
        assert cursor.rowcount
