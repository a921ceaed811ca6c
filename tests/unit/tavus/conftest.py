from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from echoadmin.tavus.client import TavusClient
from echoadmin.tavus.exchange import Exchange
from tests.unit.tavus.upstream_server import ScriptedUpstream, scripted_upstream

KEY = "tvsk-1234567890abcdef"


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with scripted_upstream() as server:
        yield server


@pytest.fixture
def exchanges() -> list[Exchange]:
    return []


@pytest.fixture
def waits() -> list[float]:
    """How long the client would have slept between attempts, in seconds."""
    return []


@pytest.fixture
def make_client(
    upstream: ScriptedUpstream, exchanges: list[Exchange], waits: list[float]
) -> Iterator[Callable[..., TavusClient]]:
    made: list[TavusClient] = []

    def make(**settings: Any) -> TavusClient:
        settings = {
            "base_url": upstream.url,
            "api_key": KEY,
            "observer": exchanges.append,
            "sleep": waits.append,
        } | settings
        made.append(TavusClient(**settings))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(make_client: Callable[..., TavusClient]) -> TavusClient:
    return make_client()
