"""Money against a real twin, one for each test file; people, their keys, and their browsers."""

from __future__ import annotations

from collections.abc import Callable

from echoadmin.log.models import Entry
from tests.integration.api.conftest import client_of, person
from tests.integration.mirror.conftest import entries, shared_twin, twin
from tests.integration.pages.conftest import visitor

Find = Callable[..., list[Entry]]

__all__ = ["Find", "client_of", "entries", "person", "shared_twin", "twin", "visitor"]
