"""A participant by the real daily-python SDK, in a process of its own.

``Daily.init()`` may happen once in a process and never before a fork, so a test process does not do it: it starts this
file as a script, and talks to it in lines of JSON. What the SDK reports comes back as events, in order, with times.
"""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

TIME_LIMIT = 20.0
SILENT = {
    "camera": "unsubscribed",
    "microphone": "unsubscribed",
    "screenVideo": "unsubscribed",
    "screenAudio": "unsubscribed",
}

Event = dict[str, Any]


class SdkClient:
    """A participant. ``events`` holds all that the SDK has reported: ``{"event", "at", …}``."""

    def __init__(self, daily_url: str, ca_file: str) -> None:
        self.events: list[Event] = []
        self._arrived = threading.Condition()
        environment = {**os.environ, "SSL_CERT_FILE": ca_file}
        environment.pop("SSL_CERT_DIR", None)
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve()), daily_url], env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def join(self, url: str, name: str = "tester", token: str | None = None) -> str | None:
        """Join and return the SDK's error, None for none. Each join is on a new call client."""
        before = len(self.events)
        self._tell({"do": "join", "url": url, "name": name, "token": token})
        return self.wait_for(lambda e: e["event"] == "join_done", after=before)["error"]

    def send(self, message: Any, to: str | None = None) -> None:
        """Send an app message, without waiting for the SDK's completion (a ``send_done`` event)."""
        self._tell({"do": "send", "message": message, "to": to})

    def echo(self, conversation_id: str, **properties: Any) -> dict[str, Any]:
        """Send an echo and return the message as it was sent."""
        message = {
            "message_type": "conversation", "event_type": "conversation.echo", "conversation_id": conversation_id,
            "properties": properties,
        }  # fmt: skip
        self.send(message)
        return message

    def leave(self) -> None:
        before = len(self.events)
        self._tell({"do": "leave"})
        self.wait_for(lambda e: e["event"] == "leave_done", after=before)

    def messages(self, event_type: str | None = None) -> list[dict[str, Any]]:
        """Return the app messages that came, all or of one type."""
        came = [event["message"] for event in self.events if event["event"] == "message"]
        return [m for m in came if event_type is None or (isinstance(m, dict) and m.get("event_type") == event_type)]

    def wait_for(self, fits: Callable[[Event], bool], after: int = 0, limit: float = TIME_LIMIT) -> Event:
        """Return the first event from position ``after`` on that fits; wait for it."""
        deadline = time.monotonic() + limit
        position = after
        with self._arrived:
            while True:
                while position < len(self.events):
                    if fits(self.events[position]):
                        return self.events[position]
                    position += 1
                left = deadline - time.monotonic()
                if left <= 0 or not self._arrived.wait(left):
                    raise AssertionError(f"No such event within {limit} s; there were: {self.events[after:]}")

    def wait_for_message(self, event_type: str, after: int = 0, count: int = 1) -> dict[str, Any]:
        """Return the ``count``-th message of a type; wait for it."""
        event = {}
        for _ in range(count):
            event = self.wait_for(lambda e: _type_of(e) == event_type, after)
            after = self.events.index(event, after) + 1
        message: dict[str, Any] = event["message"]
        return message

    def close(self) -> None:
        """End the process; a joined client leaves first."""
        with contextlib.suppress(BrokenPipeError, ValueError):
            self._tell({"do": "quit"})
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()
        self._reader.join(5)

    def kill(self) -> None:
        """End the process at once, without leaving."""
        self.process.kill()
        self.process.wait(10)

    def _tell(self, command: dict[str, Any]) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            with self._arrived:
                self.events.append(json.loads(line))
                self._arrived.notify_all()


def _type_of(event: Event) -> str | None:
    message = event.get("message")
    return message.get("event_type") if event["event"] == "message" and isinstance(message, dict) else None


@contextlib.contextmanager
def sdk_client(daily_url: str, ca_file: str) -> Iterator[SdkClient]:
    """A participant for the length of a ``with``."""
    client = SdkClient(daily_url, ca_file)
    try:
        yield client
    finally:
        client.close()


# What follows runs in the process of its own.


def _report(event: str, **details: Any) -> None:
    sys.stdout.write(json.dumps({"event": event, "at": time.time(), **details}) + "\n")
    sys.stdout.flush()


def _make_handler() -> Any:
    from daily import EventHandler

    class Handler(EventHandler):  # type: ignore[misc]
        def on_app_message(self, message: Any, sender: str) -> None:
            _report("message", message=message, sender=sender)

        def on_call_state_updated(self, state: str) -> None:
            _report("state", state=state)

        def on_participant_joined(self, participant: dict[str, Any]) -> None:
            _report("participant_joined", id=participant["id"], info=participant["info"])

        def on_participant_left(self, participant: dict[str, Any], reason: str) -> None:
            _report("participant_left", id=participant["id"], reason=reason)

        def on_network_connection_status_updated(self, status: dict[str, Any]) -> None:
            _report("network", status=status)

        def on_error(self, text: str) -> None:
            _report("error", text=text)

    return Handler()


def _take_commands(commands: "queue.Queue[dict[str, Any]]") -> None:
    for line in sys.stdin:
        commands.put(json.loads(line))
    # Whoever started this process is gone.
    commands.put({"do": "quit"})


def _drive(proxy: str) -> None:
    from daily import CallClient, Daily

    Daily.init()
    commands: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_take_commands, args=[commands], daemon=True).start()
    client = None
    while (command := commands.get())["do"] != "quit":
        if command["do"] == "join":
            client = CallClient(event_handler=_make_handler())
            client.set_proxy_url(proxy)
            client.set_user_name(command["name"])
            client.update_subscription_profiles({"base": SILENT})
            token = {"meeting_token": command["token"]} if command["token"] else {}
            client.join(
                command["url"], client_settings={"inputs": {"camera": False, "microphone": False}},
                completion=lambda data, error: _report("join_done", error=error), **token,
            )  # fmt: skip
        elif command["do"] == "send":
            client.send_app_message(
                command["message"], command["to"], completion=lambda error: _report("send_done", error=error)
            )
        elif command["do"] == "leave":
            client.leave(completion=lambda error: _report("leave_done", error=error))
    if client is not None:
        gone = threading.Event()
        client.leave(completion=lambda error: gone.set())
        gone.wait(3)


if __name__ == "__main__":
    _drive(sys.argv[1])
    sys.stdout.flush()
    os._exit(0)
