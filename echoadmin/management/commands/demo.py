"""`manage.py demo`: the whole way through a running console, by the client; exits 0 only if the replica spoke."""

from __future__ import annotations

import base64
import math
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from typing import Any

import httpx
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from echoadmin import consoles
from echoadmin.accounts.keys import create_key, revoke_key
from echoadmin.actors import Actor
from echoadmin.client import ApiError, Client, NoAnswer, TookTooLong
from echoadmin.client.calls import Call, Until
from echoadmin.client.operations import echo as echo_call
from echoadmin.client.operations import until_ended, until_joined
from echoadmin.client.shapes import Echo, Entry

RATE = 24_000  # Hz
PIECE = RATE * 2 // 4  # bytes: a quarter of a second
LONG_TEXT = "This line is long on purpose, so that it can be interrupted while it is being spoken. " * 40

PROMPT = "You are a helpful assistant that can answer questions and help with tasks."

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
            with _key(options["api_key"]) as key, Client(url, key, patience=options["patience"]) as client:
                walk(Console(client, self.stdout.write, options["patience"]), replica=options["replica"])
        except TookTooLong as error:
            raise CommandError(f"in vain: {error}; it is {str(error.last)[:600]}") from error
        except ApiError as error:
            raise CommandError(f"refused: {error}") from error
        except (httpx.HTTPError, NoAnswer) as error:
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
    """The client of a running console, and what is told of each call."""

    def __init__(self, client: Client, say: Say, patience: float) -> None:
        self.client, self.print, self.patience = client, say, patience
        self._began = time.monotonic()

    def say(self, what: str) -> None:
        """A line with the seconds since the start before it."""
        self.print(f"{time.monotonic() - self._began:7.2f} s  {what}")

    def ended(self, conversation_id: str, inference_id: str, what: str) -> Echo:
        """The echo once nothing more happens to it, told."""
        echo = self.client.until(until_ended(conversation_id, inference_id, seconds=self.patience))
        times = ", ".join(f"{step} {str(at)[11:23]}" for step, at in echo["times"].items() if at)
        reason = f" ({echo['reason']})" if echo["reason"] not in (None, "", echo["state"]) else ""
        self.say(f"{what:<13} {echo['inference_id']}: {echo['state']}{reason}; {times}")
        return echo


def walk(console: Console, *, replica: str) -> None:
    """Persona, conversation, echoes, interrupt, end, log; CommandError when the replica did not speak."""
    client = console.client
    persona = client.create_persona("Echo Mode Persona", system_prompt=PROMPT)
    console.say(f"persona       {persona['id']} = {persona['persona_id']} at Tavus")
    conversation = client.create_conversation(
        persona_id=str(persona["persona_id"]), replica_id=replica, name="echoadmin demo", join=True
    )
    at, theirs = conversation["id"], str(conversation["conversation_id"])
    console.say(f"conversation  {at} = {theirs}, {conversation['conversation_url']}")
    try:
        room = client.until(until_joined(at, seconds=console.patience))["room"]
        console.say(f"room          joined by worker {room['worker']}; the replica is there")
        echoes = [_say_text(console, at), _say_audio(console, at), _say_in_pieces(console, at, theirs)]
        _interrupt(console, at)
    finally:
        client.end(at)
        console.say("conversation  ended")
    _show_log(console, at)
    silent = [echo["inference_id"] for echo in echoes if echo["state"] != "spoken"]
    if silent:
        raise CommandError(f"not spoken: {', '.join(silent)}")
    console.say(f"all {len(echoes)} echoes were spoken")


def _say_text(console: Console, at: str) -> Echo:
    echo = console.client.say(at, "Hello. I say exactly what I am told.", wait="spoken")
    return console.ended(at, echo["inference_id"], "text echo")


def _say_audio(console: Console, at: str) -> Echo:
    echo = console.client.say_audio(at, tone(1.0), sample_rate=RATE, wait="spoken")
    return console.ended(at, echo["inference_id"], "audio echo")


def _say_in_pieces(console: Console, at: str, conversation_id: str) -> Echo:
    """The quickstart's own endpoint, as its clients call it: pieces that share an inference_id."""
    samples, inference_id = tone(1.0), f"demo-{int(time.time() * 1000)}"
    piece = Call[Any]("POST", "/send_audio_message")
    common = {"conversation_id": conversation_id, "modality": "audio", "sample_rate": RATE}
    for start in range(0, len(samples), PIECE):
        audio = base64.b64encode(samples[start : start + PIECE]).decode()
        told = {"audio": audio, "inference_id": inference_id, "done": start + PIECE >= len(samples)}
        console.client.do(replace(piece, body={**common, **told}))
    return console.ended(at, inference_id, "in pieces")


def _interrupt(console: Console, at: str) -> None:
    inference_id = console.client.say(at, LONG_TEXT)["inference_id"]

    def begun(echo: Echo) -> bool:
        return echo["state"] not in ("held", "queued", "sending", "sent")

    console.client.until(
        Until(echo_call(at, inference_id), begun, "a long line is being spoken", console.patience, 0.05)
    )
    console.say(f"interrupt     {console.client.interrupt(at)}")
    console.ended(at, inference_id, "long text")


def _show_log(console: Console, at: str) -> None:
    """Every entry of the conversation; a row of equal ones (the chunks of an audio echo) as one line."""
    console.say("the log of this conversation:")
    for line, alike in groupby(console.client.entries(at), _described):
        entries = list(alike)
        times = f"  × {len(entries)}" if len(entries) > 1 else ""
        console.print(f"{entries[0]['n']:>6}  {entries[0]['at'][11:23]}  {line}{times}")


def _described(entry: Entry) -> str:
    way = {"in": "<-", "out": "->"}.get(entry["direction"] or "", "  ")
    who = entry["sender_name"] or entry["sender"] or entry["actor"] or ""
    return f"{way} {entry['kind']:<12} {entry['event_type'] or '':<42} {who}"


def tone(seconds: float, hertz: float = 440.0) -> bytes:
    """A sine, PCM16 mono at RATE."""
    count = int(RATE * seconds)
    return struct.pack(f"<{count}h", *(int(12_000 * math.sin(2 * math.pi * hertz * n / RATE)) for n in range(count)))


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
