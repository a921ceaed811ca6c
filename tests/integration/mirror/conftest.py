"""The mirror against a real twin: one for each test file, its faults and limits taken back before each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import LazySettings
from django.utils import timezone

from echoadmin.actors import Actor
from echoadmin.log.models import Entry
from tests.twin_process import TwinProcess, running_twin

ANA = Actor(name="ana", source="rest", request_id="req-1", api_key_ref="k1")
NO_LIMITS = {"concurrent_conversations": None, "credit_seconds": None}


@pytest.fixture(scope="module")
def shared_twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    with running_twin(tmp_path_factory.mktemp("twin")) as started:
        yield started


@pytest.fixture
def twin(shared_twin: TwinProcess, settings: LazySettings) -> TwinProcess:
    shared_twin.request("DELETE", "/twin/faults")
    shared_twin.request("PUT", "/twin/limits", NO_LIMITS)
    settings.TAVUS_API_URL = shared_twin.url
    settings.TAVUS_API_KEY = "tvsk-integration-0123456789"
    settings.PUBLIC_URL = "https://console.example"
    return shared_twin


@pytest.fixture
def entries(transactional_db: None) -> Callable[..., list[Entry]]:
    """Entries by their columns, oldest first."""
    since = timezone.now()

    def find(**columns: Any) -> list[Entry]:
        return list(Entry.objects.filter(at__gte=since, **columns).order_by("id"))

    return find
