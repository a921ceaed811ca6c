"""Replicas and Faces over HTTP."""

import time

import httpx
import pytest

TRAINED_WITHIN = 15.0


def train(api: httpx.Client) -> str:
    answer = api.post("/replicas", json={"train_video_url": "https://videos.example/me.mp4", "replica_name": "Me"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "started"
    return str(answer.json()["replica_id"])


def wait_until_trained(api: httpx.Client, replica: str) -> dict[str, object]:
    deadline = time.monotonic() + TRAINED_WITHIN
    while time.monotonic() < deadline:
        row: dict[str, object] = api.get(f"/replicas/{replica}").json()
        if row["status"] == "completed":
            return row
        time.sleep(0.05)
    raise AssertionError("never trained")


def test_the_stock_replicas_of_the_quickstart_and_of_the_integrations_are_there(api: httpx.Client) -> None:
    rows = api.get("/replicas", params={"replica_type": "system"}).json()["data"]
    assert {"re8e740a42", "r4067604db72"} <= {row["replica_id"] for row in rows}
    assert all(row["status"] == "completed" and row["training_progress"] == "100/100" for row in rows)
    assert "replica_type" not in rows[0]
    verbose = api.get("/faces", params={"verbose": "true", "face_ids": "re8e740a42,r4067604db72"}).json()
    assert {row["face_id"] for row in verbose["data"]} == {"re8e740a42", "r4067604db72"}
    assert {row["face_type"] for row in verbose["data"]} == {"system"}
    assert verbose["total_count"] == 2


def test_a_replicas_film_is_served_by_the_twin_itself(api: httpx.Client) -> None:
    address = api.get("/replicas/re8e740a42").json()["thumbnail_video_url"]
    film = httpx.get(address, trust_env=False)
    assert film.headers["content-type"] == "video/mp4"
    assert film.content[4:8] == b"ftyp"
    poster = httpx.get(address.replace(".mp4", ".svg"), trust_env=False)
    assert poster.headers["content-type"].startswith("image/svg+xml")


def test_a_training_starts_ends_and_can_then_be_used(api: httpx.Client) -> None:
    replica = train(api)
    row = wait_until_trained(api, replica)
    assert row["replica_name"] == "Me"
    assert row["training_progress"] == "100/100"
    answer = api.post("/conversations", json={"replica_id": replica, "persona_id": "pipecat0", "test_mode": True})
    assert answer.status_code == 200


def test_a_training_needs_a_video_or_a_picture_with_a_voice(api: httpx.Client) -> None:
    answer = api.post("/replicas", json={"replica_name": "x"})
    assert answer.json() == {"error": "Either train_video_url or train_image_url must be provided."}
    assert api.post("/replicas", json={"train_image_url": "https://x.example/a.png"}).status_code == 400
    assert api.post("/replicas", json={"train_video_url": "no url"}).status_code == 400


def test_renaming_is_plain_json_with_an_empty_answer(api: httpx.Client) -> None:
    replica = train(api)
    answer = api.patch(f"/replicas/{replica}/name", json={"replica_name": "You"})
    assert (answer.status_code, answer.content) == (200, b"")
    assert api.get(f"/faces/{replica}").json()["face_name"] == "You"
    assert api.patch(f"/replicas/{replica}/name", json={}).status_code == 400
    assert api.patch(f"/faces/{replica}/name", json={"face_name": "Third"}).status_code == 200
    assert api.patch("/replicas/r-none/name", json={"replica_name": "x"}).json() == {"error": "Invalid replica_id"}


def test_deleting_is_200_and_only_of_ones_own(api: httpx.Client) -> None:
    replica = train(api)
    answer = api.delete(f"/replicas/{replica}", params={"hard": "true"})
    assert (answer.status_code, answer.content) == (200, b"")
    assert api.get(f"/replicas/{replica}").status_code == 400
    assert api.delete("/replicas/re8e740a42").status_code == 400


@pytest.mark.parametrize("path", ["/replicas/r-none", "/faces/r-none"])
def test_an_unknown_replica_is_400_in_the_paths_words(api: httpx.Client, path: str) -> None:
    answer = api.get(path)
    word = "face_id" if "faces" in path else "replica_id"
    assert (answer.status_code, answer.json()) == (400, {"error": f"Invalid {word}"})
