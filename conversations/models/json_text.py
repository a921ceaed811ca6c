"""JSON kept as text: PostgreSQL's own JSON refuses NUL and rewrites numbers, and an app message is kept as it is."""

from __future__ import annotations

import json
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class JsonText(models.JSONField):
    """Any JSON value in a text column, in ASCII; read back equal, nothing in it can be asked for in SQL."""

    def get_internal_type(self) -> str:
        """The column is text."""
        return "TextField"

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> str | None:
        """Its text."""
        return None if value is None else json.dumps(value, separators=(",", ":"))

    def from_db_value(self, value: str | None, expression: object, connection: BaseDatabaseWrapper) -> Any:
        """The value."""
        return None if value is None else json.loads(value)
