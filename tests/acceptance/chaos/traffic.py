"""The client: opens conversations and never stops asking for echoes, whatever happens to the consoles it asks."""

from __future__ import annotations

import base64
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx

from tests.acceptance.chaos.asking import Api
from tests.acceptance.chaos.promises import RATE, Opening, Promise, Way, make_promise

PATIENCE = 150.0  # s in which something that may be asked again is asked again
PAUSE = (0.15, 0.9)  # s between two echoes of one conversation
AGAIN = 0.3  # s between two tries


class Unanswered(Exception):
    """Nobody answered in time, or it may not be asked again."""


class Asker:
    """Asks for one thing at any console, again where the answer was lost and asking again is safe."""

    def __init__(self, api: Api, chance: random.Random) -> None:
        self.api, self.chance = api, chance
        self.lost = 0  # answers that never came, or said that the console could not
        self.asked_at = 0.0

    def ask(self, path: str, body: Any, headers: dict[str, str], *, again: bool, tried: Callable[[], None]) -> Any:
        """The answer that promises, or refuses for good. Raises Unanswered."""
        deadline = time.monotonic() + PATIENCE
        urls = self.chance.sample(self.api.urls, len(self.api.urls))
        for turn in range(10**6):
            tried()
            answer = self._once(urls[turn % len(urls)], path, body, headers)
            if answer is not None and not _later(answer):
                return answer
            nothing_done = answer is not None and answer.status_code == 429
            if time.monotonic() > deadline or not (again or nothing_done):
                break
            time.sleep(AGAIN)
        raise Unanswered

    def _once(self, url: str, path: str, body: Any, headers: dict[str, str]) -> httpx.Response | None:
        try:
            answer = self.api.once(url, path, body, headers)
        except httpx.TransportError:
            self.lost += 1
            return None
        self.lost += answer.status_code >= 500
        return answer


def _later(answer: httpx.Response) -> bool:
    """Whether it only says that this is no good moment."""
    if answer.status_code == 409:
        return bool(answer.json()["error"]["code"] == "idempotency_in_progress")
    return answer.status_code == 429 or answer.status_code >= 500


class Talk(threading.Thread):
    """One conversation, from the request that opens it to the last line that is asked for."""

    def __init__(self, opening: Opening, persona: str, asker: Asker, stopping: threading.Event) -> None:
        super().__init__(name=opening.name, daemon=True)
        self.opening, self.persona, self.asker, self.stopping = opening, persona, asker, stopping
        self.trouble = ""

    def run(self) -> None:
        """Until the client is to stop; a request that is under way is brought to its end."""
        try:
            self._open()
            while self.opening.upstream_id and not self.stopping.wait(self.asker.chance.uniform(*PAUSE)):
                self._say(len(self.opening.promises) + 1)
        except Exception as error:  # noqa: BLE001 - it is told in the report
            self.trouble = f"{type(error).__name__}: {error}"

    def _open(self) -> None:
        opening = self.opening
        body = {
            "persona_id": self.persona,
            "replica_id": "re8e740a42",
            "conversation_name": opening.name,
            "join": True,
        }

        def tried() -> None:
            opening.tries += 1

        answer = self.asker.ask("conversations/", body, {"Idempotency-Key": opening.name}, again=True, tried=tried)
        assert answer.status_code == 201, f"{answer.status_code} {answer.text[:300]}"
        opening.id = answer.json()["id"]
        self._enter()

    def _enter(self) -> None:
        """A create whose console died in the middle is looked for by a duty, and is not joined by itself; where
        nothing came of it, it stays unknown."""
        path = f"conversations/{self.opening.id}/"
        deadline = time.monotonic() + PATIENCE
        while (found := self.asker.api.get(path))["state"] != "live":
            if time.monotonic() > deadline:
                return
            time.sleep(AGAIN)
        self.opening.upstream_id = found["conversation_id"]
        if found["room"]["wanted"] != "joined":
            self.asker.api.post(f"{path}join/")

    def _say(self, number: int) -> None:
        promise = make_promise(f"{self.opening.name} line {number}", self.asker.chance)
        self.opening.promises.append(promise)
        body, headers = _request(promise)

        def tried() -> None:
            promise.tries += 1

        try:
            path = f"conversations/{self.opening.id}/echoes/{'?wait=sent' if promise.wait else ''}"
            answer = self.asker.ask(path, body, headers, again=promise.way != Way.PLAIN, tried=tried)
        except Unanswered:
            return
        if answer.status_code == 202:
            promise.inference_id = answer.json()["inference_id"]
        else:
            promise.refused = f"{answer.status_code} {answer.text[:300]}"


def _request(promise: Promise) -> tuple[dict[str, Any], dict[str, str]]:
    if promise.text:
        body: dict[str, Any] = {"text": promise.text}
    else:
        samples = base64.b64encode(promise.pcm).decode()
        body = {"audio": samples, "sample_rate": RATE, "pacing": promise.pacing}
    if promise.way == Way.OWN_ID:
        body["inference_id"] = own_id(promise)
    return body, {"Idempotency-Key": promise.name} if promise.way == Way.KEY else {}


def own_id(promise: Promise) -> str:
    """The client's own inference id of it."""
    return promise.name.replace(" ", "-")


class Traffic:
    """All of the client's conversations."""

    def __init__(self, api: Api, chance: random.Random) -> None:
        self.api, self._chance = api, chance
        self._stopping = threading.Event()
        self.talks: list[Talk] = []
        persona = api.post("personas/", {"persona_name": "Echo", "pipeline_mode": "echo"})
        self._persona = str(persona["persona_id"])

    def open(self) -> Talk:
        """One more conversation."""
        opening = Opening(f"talk {len(self.talks) + 1}")
        asker = Asker(self.api, random.Random(self._chance.random()))
        talk = Talk(opening, self._persona, asker, self._stopping)
        self.talks.append(talk)
        talk.start()
        return talk

    @property
    def openings(self) -> list[Opening]:
        """All conversations, with what was promised in each."""
        return [talk.opening for talk in self.talks]

    @property
    def accepted(self) -> int:
        """How many echoes were promised so far."""
        return sum(promise.accepted for opening in self.openings for promise in list(opening.promises))

    @property
    def lost(self) -> int:
        """How many answers were lost so far."""
        return sum(talk.asker.lost for talk in self.talks)

    def stop(self) -> None:
        """Ask for nothing more; what is being asked comes to its end."""
        self._stopping.set()
        for talk in self.talks:
            talk.join(PATIENCE + 60)
            if talk.is_alive():
                talk.trouble = "it did not come to an end"
