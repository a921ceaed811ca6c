"""A conversation by way of a running console's REST API, and what both witnesses say of it."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

from echoadmin.client import ApiError, Client
from tests import witnesses
from tests.console_process import ConsoleProcess
from tests.waiting import until

FINAL = {"spoken", "interrupted", "failed", "unconfirmed", "cancelled", "rejected"}


@dataclass
class Call:
    """One conversation of a console; `console` may be another process by and by."""

    console: ConsoleProcess
    key: str
    id: str = ""
    upstream_id: str = ""
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=60), repr=False)
    _client: tuple[tuple[str, str], Client] | None = field(default=None, repr=False)

    def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Ask the API; the answer as it is, refusals too."""
        headers = {"Authorization": f"Bearer {self.key}"}
        return self.http.request(method, f"{self.console.url}/api/v1/{path}", json=body, headers=headers)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the API for what must work."""
        answer = self.call(method, path, body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json() if answer.content else None

    @property
    def client(self) -> Client:
        """Of the console as it is now, on the same connections as long as its address is the same."""
        if self._client is None or self._client[0] != (self.console.url, self.key):
            self._client = (self.console.url, self.key), Client(self.console.url, self.key)
        return self._client[1]

    def open(self) -> None:
        """Make the conversation, and wait until the room is joined and the replica there."""
        persona = self.client.create_persona("Echo")
        made = self.client.create_conversation(
            persona_id=str(persona["persona_id"]), replica_id="re8e740a42", join=True
        )
        self.id, self.upstream_id = made["id"], str(made["conversation_id"])
        self.until_joined()

    def until_joined(self) -> None:
        """Wait for the room and the replica."""
        self.client.until_joined(self.id, seconds=30.0)

    def say(self, text: str) -> str:
        """Queue a text, as soon as the queue takes it; its inference id."""
        while True:
            try:
                return self.client.say(self.id, text)["inference_id"]
            except ApiError as error:
                if error.code != "queue_full":
                    raise
                time.sleep(error.retry_after or 0.1)

    def echoes(self) -> dict[str, Any]:
        """All echoes as they are now, by inference id."""
        return {echo["inference_id"]: echo for echo in self.client.echoes(self.id, limit=100)}

    def echo(self, inference_id: str) -> Any:
        """One echo as it is now."""
        return self.client.echo(self.id, inference_id)

    def until_state(self, inference_id: str, *states: str, limit: float = 30.0) -> dict[str, Any]:
        """Wait until an echo is in one of the states."""

        def reached() -> dict[str, Any] | None:
            echo = self.echo(inference_id)
            assert echo["state"] in states or echo["state"] not in FINAL, echo
            return echo if echo["state"] in states else None

        return until(reached, f"echo {inference_id} is {' or '.join(states)}", limit)

    def until_final(self, inference_id: str, limit: float = 30.0) -> dict[str, Any]:
        """Wait until nothing more will happen to an echo."""
        return self.until_state(inference_id, *FINAL, limit=limit)

    def entries(self) -> witnesses.Shown:
        """All entries of the conversation, samples included."""
        return witnesses.shown(self.console.url, self.key, self.id)

    def record(self) -> witnesses.Record:
        """The twin's own record of the room."""
        url = f"{self.console.twin_url}/twin/rooms/{self.upstream_id}/messages"
        found: witnesses.Record = self.http.get(url).json()
        return found

    def sent(self) -> list[Any]:
        """What the console sent, by that record."""
        return [row["message"] for row in self.record() if row["from_name"].startswith(witnesses.OURS)]

    def texts_sent(self) -> Counter[str]:
        """How often the room carried each text echo, by inference id."""
        of_texts = (message["properties"] for message in self.sent() if "text" in message.get("properties", {}))
        return Counter(properties["inference_id"] for properties in of_texts)

    def agree(self, limit: float = 10.0) -> None:
        """Both witnesses say the same, once what is being written is written."""
        deadline = time.monotonic() + limit
        while differences := witnesses.differences(self.entries(), self.record()):
            assert time.monotonic() < deadline, "\n".join(differences)
            time.sleep(0.1)
