"""`manage.py demo`: the whole way through a running console, over its REST API; exits 0 only if the replica spoke."""

from __future__ import annotations

import base64
import math
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Any

import httpx
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from echoadmin import consoles
from echoadmin.accounts.keys import create_key, revoke_key
from echoadmin.actors import Actor

RATE = 24_000  # Hz
PIECE = RATE * 2 // 4  # bytes: a quarter of a second
FINAL = ("spoken", "interrupted", "failed", "unconfirmed", "cancelled", "rejected")
LONG_TEXT = "This line is long on purpose, so that it can be interrupted while it is being spoken. " * 40

PERSONA = {
    "persona_name": "Echo Mode Persona",
    "pipeline_mode": "echo",
    "system_prompt": "You are a helpful assistant that can answer questions and help with tasks.",
}

Say = Callable[[str], Any]


class Command(BaseCommand):
    help = "Walk through a running console: persona, conversation, room, echoes in text and audio, interrupt, end, log."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--url", help="where the console answers (the one that runs here)")
        parser.add_argument(
            "--api-key", help="a key with the scopes read, speak and manage (else one is made and revoked)"
        )
        parser.add_argument("--replica", default="re8e740a42", help="the replica to speak with (re8e740a42)")
        parser.add_argument("--patience", type=float, default=90, help="seconds for any one thing to happen (90)")
        parser.add_argument("--yes", action="store_true", help="go on where the conversation costs money")

    def handle(self, *args: Any, **options: Any) -> None:
        url = (options["url"] or consoles.address()).rstrip("/")
        try:
            self._refuse_to_spend(url, options["yes"])
            with _key(options["api_key"]) as key, _client(url, key) as client:
                walk(Console(client, self.stdout.write, options["patience"]), replica=options["replica"])
        except httpx.HTTPError as error:
            raise CommandError(
                f"{url} does not answer as a console does: {error!r}. Is `manage.py serve` running?"
            ) from error

    def _refuse_to_spend(self, url: str, yes: bool) -> None:
        mode = httpx.get(f"{url}/healthz", timeout=10, trust_env=False).raise_for_status().json().get("mode")
        if mode != "sandbox" and not yes:
            raise CommandError(
                f"the console at {url} is in {mode} mode: the demo's conversation costs money. Say --yes to go on"
            )


class Console:
    """A console's REST API, and what is told of each call."""

    def __init__(self, client: httpx.Client, say: Say, patience: float) -> None:
        self.client, self.print, self.patience = client, say, patience
        self._began = time.monotonic()

    def say(self, what: str) -> None:
        """A line with the seconds since the start before it."""
        self.print(f"{time.monotonic() - self._began:7.2f} s  {what}")

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The answer's JSON; CommandError with the console's own words when it refuses."""
        answer = self.client.request(method, path, json=body)
        if answer.is_error:
            raise CommandError(f"{method} {path} was answered {answer.status_code}: {answer.text[:600]}")
        return answer.json() if answer.content else None

    def until(self, path: str, done: Callable[[Any], bool], what: str) -> Any:
        """GET `path` until `done` says so of the answer."""
        deadline = time.monotonic() + self.patience
        while not done(found := self.call("GET", path)):
            if time.monotonic() > deadline:
                raise CommandError(
                    f"waited {self.patience:g} s in vain until {what}; GET {path} says {str(found)[:600]}"
                )
            time.sleep(0.05)
        return found


def walk(console: Console, *, replica: str) -> None:
    """Persona, conversation, echoes, interrupt, end, log; CommandError when the replica did not speak."""
    persona = console.call("POST", "/api/v1/personas/", PERSONA)
    console.say(f"persona       {persona['id']} = {persona['persona_id']} at Tavus")
    wanted = {"replica_id": replica, "persona_id": persona["persona_id"], "conversation_name": "echoadmin demo"}
    conversation = console.call("POST", "/api/v1/conversations/", {**wanted, "join": True})
    at = f"/api/v1/conversations/{conversation['id']}/"
    console.say(
        f"conversation  {conversation['id']} = {conversation['conversation_id']}, {conversation['conversation_url']}"
    )
    try:
        room = console.until(at, lambda c: c["room"]["state"] == "joined" and c["room"]["replica_present"], "joined")[
            "room"
        ]
        console.say(f"room          joined by worker {room['worker']}; the replica is there")
        echoes = [
            _say_text(console, at),
            _say_audio(console, at),
            _say_in_pieces(console, at, conversation["conversation_id"]),
        ]
        _interrupt(console, at)
    finally:
        console.call("POST", f"{at}end/")
        console.say("conversation  ended")
    _show_log(console, at)
    silent = [echo["inference_id"] for echo in echoes if echo["state"] != "spoken"]
    if silent:
        raise CommandError(f"not spoken: {', '.join(silent)}")
    console.say(f"all {len(echoes)} echoes were spoken")


def _say_text(console: Console, at: str) -> Any:
    echo = console.call("POST", f"{at}echoes/?wait=spoken", {"text": "Hello. I say exactly what I am told."})
    return _told(console, "text echo", _final(console, at, echo))


def _say_audio(console: Console, at: str) -> Any:
    body = {"audio": base64.b64encode(tone(1.0)).decode(), "sample_rate": RATE}
    echo = console.call("POST", f"{at}echoes/?wait=spoken", body)
    return _told(console, "audio echo", _final(console, at, echo))


def _say_in_pieces(console: Console, at: str, conversation_id: str) -> Any:
    """The quickstart's own endpoint, as its clients call it: pieces that share an inference_id."""
    samples, inference_id = tone(1.0), f"demo-{int(time.time() * 1000)}"
    for start in range(0, len(samples), PIECE):
        piece = base64.b64encode(samples[start : start + PIECE]).decode()
        console.call(
            "POST", "/send_audio_message",
            {"conversation_id": conversation_id, "modality": "audio", "audio": piece, "sample_rate": RATE,
             "inference_id": inference_id, "done": start + PIECE >= len(samples)},
        )  # fmt: skip
    return _told(console, "in pieces", _final(console, at, {"inference_id": inference_id, "state": "queued"}))


def _interrupt(console: Console, at: str) -> None:
    echo = console.call("POST", f"{at}echoes/", {"text": LONG_TEXT})
    path = f"{at}echoes/{echo['inference_id']}/"
    console.until(path, lambda e: e["state"] in ("speaking", *FINAL), "a long line is being spoken")
    outcome = console.call("POST", f"{at}interrupt/")
    console.say(f"interrupt     {outcome}")
    _told(console, "long text", _final(console, at, echo))


def _final(console: Console, at: str, echo: Any) -> Any:
    if echo["state"] in FINAL:
        return echo
    return console.until(f"{at}echoes/{echo['inference_id']}/", lambda e: e["state"] in FINAL, "the echo has ended")


def _told(console: Console, what: str, echo: Any) -> Any:
    times = ", ".join(f"{step} {at[11:23]}" for step, at in echo["times"].items() if at)
    reason = f" ({echo['reason']})" if echo.get("reason") not in (None, "", echo["state"]) else ""
    console.say(f"{what:<13} {echo['inference_id']}: {echo['state']}{reason}; {times}")
    return echo


def _show_log(console: Console, at: str) -> None:
    """Every entry of the conversation; a row of equal ones (the chunks of an audio echo) as one line."""
    console.say("the log of this conversation:")
    for line, alike in groupby(_entries(console, at), _described):
        entries = list(alike)
        times = f"  × {len(entries)}" if len(entries) > 1 else ""
        console.print(f"{entries[0]['n']:>6}  {entries[0]['at'][11:23]}  {line}{times}")


def _described(entry: Any) -> str:
    way = {"in": "<-", "out": "->"}.get(entry["direction"], "  ")
    who = entry["sender_name"] or entry["sender"] or entry["actor"] or ""
    return f"{way} {entry['kind']:<12} {entry['event_type'] or '':<42} {who}"


def _entries(console: Console, at: str) -> Iterator[Any]:
    page = console.call("GET", f"{at}entries/?after=0")
    while True:
        yield from page["results"]
        if not page["next"]:
            return
        page = console.call("GET", page["next"])


def tone(seconds: float, hertz: float = 440.0) -> bytes:
    """A sine, PCM16 mono at RATE."""
    count = int(RATE * seconds)
    return struct.pack(f"<{count}h", *(int(12_000 * math.sin(2 * math.pi * hertz * n / RATE)) for n in range(count)))


def _client(url: str, key: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.Client(base_url=url, headers=headers, timeout=40, trust_env=False)


@contextmanager
def _key(given: str | None) -> Iterator[str]:
    """The key that was given; else one for this run, of the first superuser, revoked afterwards."""
    if given:
        yield given
        return
    user = get_user_model().objects.filter(is_superuser=True, is_active=True).order_by("id").first()
    if user is None:
        raise CommandError(
            "this installation has no superuser to make a key for: start `manage.py serve` once, or give --api-key"
        )
    actor = Actor(name="demo", user_id=user.pk, source="command")
    row, text = create_key(user=user, label="demo", actor=actor)
    try:
        yield text
    finally:
        revoke_key(row, actor=actor)
