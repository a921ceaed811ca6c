"""A month that passes in minutes: one file drives the clocks of this console and of its twin.

The console is this process: its REST API, its webhooks' address and its duties, each when it is due by the driven
clock. The twin is a process of its own on real sockets.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from conversations.models import Conversation
from echoadmin import clock
from echoadmin.duties import REGISTRY, Duty, claim_due, perform
from tests.twin_process import TwinProcess

LOOK = timedelta(minutes=1)  # how often the orphan guard looks
DUTIES = (
    "look_where_asked", "sync_active_conversations", "sync_conversations", "resolve_unknown_conversations",
    "look_for_orphans", "settle_costs", "watch_budgets",
)  # fmt: skip


class World:
    """The clock, the twin, and the console's own work."""

    def __init__(self, file: Path, twin: TwinProcess, mail: Mail, api: APIClient) -> None:
        self.file, self.twin, self.mail, self.api = file, twin, mail, api
        self.client = Client()
        self.looks = 0
        for name in DUTIES:
            Duty.objects.create(name=name, every=REGISTRY[name].every, next_run_at=timezone.now())

    def begin(self, at: datetime) -> None:
        """Set all clocks."""
        self._set(at.timestamp() - time.time())

    def wait(self, seconds: float) -> None:
        """Let so much time pass at once, then let the console do what is due."""
        self._set(clock.ahead() + seconds)
        self.look()

    def _set(self, ahead: float) -> None:
        clock.set_ahead(self.file, ahead)
        self.twin.get("/twin/health")  # its timers that are due ring

    def look(self) -> None:
        """What the console does by itself, once round."""
        for path, body in self.mail.taken():
            self.client.post(path, body, content_type="application/json")
        while (held := claim_due("month")) is not None:
            perform(held)
        self.looks += 1

    def wait_until(self, moment: datetime) -> None:
        """Look after look while something runs or is not known; else straight there."""
        while (left := (moment - timezone.now()).total_seconds()) > 0:
            self.wait(min(left, LOOK.total_seconds()) if self.is_busy() else left)

    def is_busy(self) -> bool:
        """Whether anything runs at the twin, or is not settled here."""
        if any(room["status"] == "active" for room in self.twin.get("/twin/rooms?status=active")):
            return True
        open_ = Conversation.objects.filter(settled_seconds=None, test_mode=False).exclude(state="rejected")
        return open_.exclude(state="unknown", created_at__lt=timezone.now() - timedelta(minutes=10)).exists()

    def bill(self) -> list[dict[str, Any]]:
        """What the twin bills, conversation by conversation."""
        rows: list[dict[str, Any]] = self.twin.get("/twin/bill")["conversations"]
        return rows


class Mail:
    """Where the twin's webhooks arrive: of each ten some are lost, some come twice, some late."""

    def __init__(self, chance: random.Random) -> None:
        self.chance, self.lost, self.doubled = chance, 0, 0
        self._waiting: list[tuple[str, bytes]] = []
        self._lock = threading.Lock()
        mail = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                mail.came(self.path, body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def came(self, path: str, body: bytes) -> None:
        """Keep it once, twice, or not at all."""
        with self._lock:
            drawn = self.chance.random()
            self.lost += drawn < 0.4
            self.doubled += drawn > 0.8
            self._waiting += [(path, body)] * (0 if drawn < 0.4 else 2 if drawn > 0.8 else 1)

    def taken(self) -> list[tuple[str, dict[str, Any]]]:
        """What the postman brings now, in any order."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        self.chance.shuffle(waiting)
        return [(urlsplit(path)._replace(scheme="", netloc="").geturl(), json.loads(body)) for path, body in waiting]


@contextmanager
def postman(seed: int) -> Iterator[Mail]:
    """A place for webhooks, for the length of a `with`."""
    mail = Mail(random.Random(seed))
    thread = threading.Thread(target=mail.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield mail
    finally:
        mail.server.shutdown()
        mail.server.server_close()
        thread.join(5)


def at(day: int, seconds: float = 0) -> datetime:
    """A moment of the simulated month, days counted from 0."""
    return datetime(2027, 3, 1, tzinfo=UTC) + timedelta(days=day, seconds=seconds)


__all__ = ["LOOK", "Mail", "World", "at", "postman"]
