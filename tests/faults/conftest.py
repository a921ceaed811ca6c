"""What every row has: the rooms of this process, and a console's pages and API with the twin behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import LazySettings

from tests.faults.asking import Console
from tests.integration.rooms.conftest import guest, idle, other, room, twin, worker, workers
from tests.twin_process import TwinProcess

__all__ = ["guest", "idle", "other", "room", "twin", "worker", "workers"]


@pytest.fixture
def console(transactional_db: None, twin: TwinProcess, settings: LazySettings) -> Iterator[Console]:
    """This process's pages and API, as an admin has them, with the twin as upstream; what it made is ended."""
    settings.TAVUS_API_KEY = "tvsk-faults-0123456789"
    settings.PUBLIC_URL = "https://console.example"
    asking = Console(twin)
    yield asking
    twin.request("DELETE", "/twin/faults")
    for conversation_id in asking.running():
        twin.post(f"/v2/conversations/{conversation_id}/end")
