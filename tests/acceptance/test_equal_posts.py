"""Two hundred equal POSTs at once, with one Idempotency-Key, to two consoles on PostgreSQL and Redis."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.calling import Call
from tests.acceptance.chaos.place import Place

pytestmark = [pytest.mark.own_database, pytest.mark.xdist_group("own PostgreSQL"), pytest.mark.timeout(300)]

EQUAL = 200
PATIENCE = 90.0  # s until everybody has the first one's answer


@pytest.fixture
def place() -> Iterator[Place]:
    folder = Path(tempfile.gettempdir()) / f"equal-posts-{os.getpid()}"  # PostgreSQL's user can't enter pytest's
    folder.mkdir()
    made = Place(folder, embedded=False)
    try:
        made.open()
    except FileNotFoundError as missing:
        pytest.skip(str(missing))
    else:
        yield made
    finally:
        made.close()
        shutil.rmtree(folder)


class Crowd:
    """Clients that send one and the same, half of them to each console, and obey each Retry-After."""

    def __init__(self, place: Place, path: str, body: Any, key: str | None = None) -> None:
        self.urls = [f"{url}/api/v1/{path}" for url in place.api.urls]
        self.body = body
        self.headers = {"Authorization": f"Bearer {place.api.key}", "Idempotency-Key": key or uuid.uuid4().hex}
        self.firsts: Counter[int] = Counter()  # how each one's first try was answered
        self._together = threading.Barrier(EQUAL)

    def answers(self) -> list[httpx.Response]:
        """The last answer to each."""
        with ThreadPoolExecutor(EQUAL) as threads:
            return list(threads.map(self._send, range(EQUAL)))

    def _send(self, number: int) -> httpx.Response:
        with httpx.Client(timeout=60, headers=self.headers, trust_env=False) as client:
            self._together.wait()
            until, tries = time.monotonic() + PATIENCE, 0
            while True:
                answer = self._try(client, self.urls[(number + tries) % 2])
                if not tries:
                    self.firsts[answer.status_code if answer is not None else 0] += 1
                if answer is not None and answer.status_code != 409:
                    return answer
                assert time.monotonic() < until, "nobody got the first one's answer"
                tries += 1
                time.sleep(float(answer.headers["Retry-After"]) if answer is not None else 0.1)

    def _try(self, client: httpx.Client, url: str) -> httpx.Response | None:
        """None where the console is gone."""
        try:
            answer = client.post(url, json=self.body)
        except httpx.TransportError:
            return None
        if answer.status_code == 409:
            assert answer.json()["error"]["code"] == "idempotency_in_progress", answer.text
        return answer


def conversation_body(place: Place, name: str) -> dict[str, Any]:
    persona = Call(place.first_console, place.api.key).ask(
        "POST", "personas/", {"persona_name": "Echo", "pipeline_mode": "echo"}
    )
    return {"persona_id": persona["persona_id"], "replica_id": "re8e740a42", "conversation_name": name}


def made_upstream(place: Place, name: str) -> list[Any]:
    found = place.twin.get("/v2/conversations?limit=100")["data"]
    return [conversation for conversation in found if conversation["conversation_name"] == name]


def test_one_conversation_is_made_and_one_echo_is_said(place: Place) -> None:
    crowd = Crowd(place, "conversations/", {**conversation_body(place, "One of many"), "join": True})
    answers = crowd.answers()
    assert_all(answers, 201, place)
    assert len({answer.content for answer in answers}) == 1, "every answer is the first one's"
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert set(crowd.firsts) <= {201, 409}
    assert len(made_upstream(place, "One of many")) == 1

    made = answers[0].json()
    call = Call(place.first_console, place.api.key, made["id"], made["conversation_id"])
    call.until_joined()
    crowd = Crowd(place, f"conversations/{made['id']}/echoes/", {"text": "Once, and only once."})
    answers = crowd.answers()
    assert_all(answers, 202, place)
    assert len({answer.content for answer in answers}) == 1
    inference_id = answers[0].json()["inference_id"]
    call.until_state(inference_id, "spoken")
    assert call.texts_sent() == {inference_id: 1}
    assert list(call.echoes()) == [inference_id]


def test_one_console_dies_in_the_middle_and_still_one_conversation_is_made(place: Place) -> None:
    body = conversation_body(place, "One in spite of all")
    place.twin.fault("delay", path="/v2/conversations", method="POST", seconds=15.0)  # the kill comes before its end
    crowd = Crowd(place, "conversations/", body)

    def kill_who_is_at_it() -> None:
        deadline = time.monotonic() + 20
        while not (asked := holder_of(place)):
            assert time.monotonic() < deadline, "nobody began"
            time.sleep(0.01)
        next(slot for slot in place.consoles if slot.now is not None and slot.now.pid == asked).kill()

    killer = threading.Thread(target=kill_who_is_at_it)
    killer.start()
    answers = crowd.answers()
    killer.join()
    assert sum(slot.now is None for slot in place.consoles) == 1, "one was killed"
    assert_all(answers, 201, place)
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(made_upstream(place, body["conversation_name"])) <= 1, "nothing is paid for twice"


def assert_all(answers: list[httpx.Response], status: int, place: Place) -> None:
    """All were answered so; else the first that was not, with what the consoles printed."""
    others = [answer.text for answer in answers if answer.status_code != status]
    printed = (path.read_text(errors="replace")[-20_000:] for path in sorted(place.folder.rglob("serve.log")))
    assert not others, "\n".join([others[0], *printed])


def holder_of(place: Place) -> int | None:
    """The process that is at the request now, by its row."""
    import psycopg

    assert place.postgresql is not None
    with psycopg.connect(place.postgresql.url) as connection:
        found = connection.execute(
            "SELECT holder FROM accounts_idempotentrequest JOIN conversations_conversation ON public_id = ref "
            "WHERE accounts_idempotentrequest.status IS NULL"
        ).fetchone()
    return int(found[0].split("|")[1]) if found else None
