"""The client's whole round against a real twin, in both vocabularies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from echoadmin.tavus import errors
from echoadmin.tavus.client import TavusClient
from echoadmin.tavus.exchange import Exchange
from tests.twin_process import TwinProcess, running_twin


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    folder: Path = tmp_path_factory.mktemp("twin")
    with running_twin(folder) as started:
        yield started


@pytest.fixture
def exchanges() -> list[Exchange]:
    return []


@pytest.fixture(params=["persona", "pal"])
def client(twin: TwinProcess, request: pytest.FixtureRequest, exchanges: list[Exchange]) -> Iterator[TavusClient]:
    made = TavusClient(twin.url, "tvsk-round-0123456789", request.param, exchanges.append)
    yield made
    made.close()


def test_a_persona_goes_its_whole_way(client: TavusClient) -> None:
    body = {"persona_name": "Round", "pipeline_mode": "echo", "default_replica_id": "re8e740a42"}
    persona_id = client.create_persona(body)["persona_id"]
    row = client.get_persona(persona_id)
    assert (row["persona_name"], row["pipeline_mode"], row["default_replica_id"]) == ("Round", "echo", "re8e740a42")
    patch = [{"op": "replace", "path": "/persona_name", "value": "Round again"}]
    assert client.patch_persona(persona_id, patch) is not None
    assert client.patch_persona(persona_id, patch) is None
    assert persona_id in [row["persona_id"] for row in client.iter_personas(persona_type="user")]
    client.delete_persona(persona_id)
    with pytest.raises(errors.NotFound):
        client.get_persona(persona_id)


def test_a_replica_goes_its_whole_way(client: TavusClient) -> None:
    replica_id = client.create_replica({"replica_name": "Trained", "train_video_url": "https://example.com/v.mp4"})[
        "replica_id"
    ]
    client.rename_replica(replica_id, "Renamed")
    assert client.get_replica(replica_id)["replica_name"] == "Renamed"
    client.delete_replica(replica_id, hard=True)
    with pytest.raises(errors.NotFound):
        client.get_replica(replica_id)
    with pytest.raises(errors.InvalidRequest):
        client.create_replica({"replica_name": "Nothing to train on"})
    assert "re8e740a42" in [row["replica_id"] for row in client.iter_replicas(replica_type="system")]


def test_a_conversation_goes_its_whole_way(client: TavusClient) -> None:
    made = client.create_conversation({"persona_id": "pipecat0", "replica_id": "re8e740a42"})
    conversation_id = made["conversation_id"]
    row = client.get_conversation(conversation_id)
    assert (row["status"], row["persona_id"], row["replica_id"]) == ("active", "pipecat0", "re8e740a42")
    client.end_conversation(conversation_id)
    assert client.get_conversation(conversation_id)["shutdown_reason"] == "end_conversation_endpoint_hit"
    client.delete_conversation(conversation_id)
    with pytest.raises(errors.NotFound):
        client.get_conversation(conversation_id)


def test_long_lists_come_whole_whatever_the_page(client: TavusClient, exchanges: list[Exchange]) -> None:
    made = {
        client.create_conversation({"replica_id": "re8e740a42", "test_mode": True})["conversation_id"]
        for _ in range(120)
    }
    exchanges.clear()
    assert made <= {row["conversation_id"] for row in client.iter_conversations(status="ended")}
    assert len(exchanges) >= 2


def test_a_wrong_answer_on_the_way_is_tried_again_for_a_read_alone(
    twin: TwinProcess, client: TavusClient, exchanges: list[Exchange]
) -> None:
    twin.fault("status", status=503, count=2, method="GET", when="before")
    assert client.get_replica("re8e740a42")
    assert [exchange.status for exchange in exchanges] == [503, 503, 200]
    twin.fault("cut", count=1, method="POST", path="/v2/conversations", when="after")
    with pytest.raises(errors.AnswerLost):
        client.create_conversation({"replica_id": "re8e740a42", "test_mode": True})
    assert len(exchanges) == 4
