"""One twin for all tests of a module, fifty times faster than life, and clients for it."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.sdk_client import SdkClient, sdk_client
from tests.twin_process import TwinProcess, running_twin

KEY = {"x-api-key": "a-test-key"}
REPLICA = "re8e740a42"


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    with running_twin(tmp_path_factory.mktemp("twin")) as started:
        yield started


@pytest.fixture
def api(twin: TwinProcess) -> Iterator[httpx.Client]:
    """Tavus's API, with a key that is good."""
    with httpx.Client(base_url=f"{twin.url}/v2", headers=KEY, timeout=10, trust_env=False) as client:
        yield client
    twin.request("DELETE", "/twin/faults")


@pytest.fixture
def sdk(twin: TwinProcess) -> Iterator[SdkClient]:
    with sdk_client(twin.daily_url, twin.ca_file) as client:
        yield client


@pytest.fixture
def another_sdk(twin: TwinProcess) -> Iterator[SdkClient]:
    with sdk_client(twin.daily_url, twin.ca_file) as client:
        yield client


class Rooms:
    """Makes conversations, and ends them after the test."""

    def __init__(self, api: httpx.Client) -> None:
        self.api = api
        self.made: list[str] = []

    def open(self, **body: Any) -> dict[str, Any]:
        """Create an echo conversation that outlives its last human, unless said otherwise."""
        given = {"replica_id": REPLICA, "persona_id": "pipecat0", "properties": {"participant_left_timeout": 120}}
        answer = self.api.post("/conversations", json={**given, **body})
        assert answer.status_code == 200, answer.text
        made: dict[str, Any] = answer.json()
        self.made.append(made["conversation_id"])
        return made


@pytest.fixture
def rooms(api: httpx.Client) -> Iterator[Rooms]:
    rooms = Rooms(api)
    yield rooms
    for conversation_id in rooms.made:
        api.post(f"/conversations/{conversation_id}/end")
