"""A console on a made-up log, Django's stock changelist beside it, and what there is to ask them for."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from log_names import COMMON_PERSONA, OURS

from tests.console_process import free_ports, running_console
from tests.twin_process import TwinProcess

ROOT = Path(__file__).resolve().parents[2]
DEEP = 1_000  # pages
PAGE = 50
SESSION = """
from importlib import import_module
from django.conf import settings
from django.contrib.auth.models import User
user = User.objects.get(username="admin")
store = import_module(settings.SESSION_ENGINE).SessionStore()
store["_auth_user_id"], store["_auth_user_backend"] = str(user.pk), "django.contrib.auth.backends.ModelBackend"
store["_auth_user_hash"] = user.get_session_auth_hash()
store.save()
print(settings.SESSION_COOKIE_NAME, store.session_key)
"""
Params = dict[str, str]


@dataclass
class Subject:
    """One database with a console on it."""

    url: str
    vendor: str
    api: httpx.Client
    pages: httpx.Client
    stock: httpx.Client
    entries: int = 0
    first_at: datetime = datetime.min
    last_at: datetime = datetime.min
    some: dict[str, list[Any]] = field(default_factory=dict)  # values that a question is asked with in turns
    times: dict[str, list[float]] = field(default_factory=dict)
    hits: dict[str, int] = field(default_factory=dict)

    def entries_page(self, **params: str) -> Any:
        answer = self.api.get("/api/v1/entries/", params=params)
        answer.raise_for_status()
        return answer.json()


def environment(url: str, scratch: Path) -> dict[str, str]:
    """What tells a console to use the database."""
    keys = {
        "ECHOADMIN_SECRET_KEY": "only for a made-up log, nobody signs in here: 0123456789abcdef",
        "ECHOADMIN_SIGNING_KEY": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "LOG_LEVEL": "ERROR",
    }
    if url.startswith("sqlite:///"):
        return keys | {"ECHOADMIN_DATA": str(Path(url.removeprefix("sqlite:///")).parent), "DATABASE_URL": ""}
    data = scratch / url.rpartition("/")[2]
    data.mkdir()
    return keys | {"ECHOADMIN_DATA": str(data), "DATABASE_URL": url}


@contextlib.contextmanager
def stock(env: dict[str, str]) -> Iterator[str]:
    """Django's own changelist, by the server that the console has."""
    (port,) = free_ports(1)
    whole = os.environ | env | {"DJANGO_SETTINGS_MODULE": "stock_settings"}
    whole["PYTHONPATH"] = f"{ROOT}:{ROOT / 'tests' / 'benchmarks'}"
    command = "django.core.asgi:get_asgi_application"
    arguments = [sys.executable, "-m", "uvicorn", "--factory", command, "--port", str(port), "--log-level", "error"]
    process = subprocess.Popen([*arguments, "--lifespan", "off"], env=whole, cwd=ROOT)
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"http://127.0.0.1:{port}/nothing/")
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def subject(url: str, twin: TwinProcess, scratch: Path, running: ExitStack) -> Subject:
    """Starts what the database is measured through."""
    env = environment(url, scratch)
    console = running.enter_context(running_console(Path(env["ECHOADMIN_DATA"]), twin=twin, **env))
    cookie, session = console.manage("shell", "-v", "0", "-c", SESSION).split()[-2:]
    at_stock = running.enter_context(stock(env))
    key = console.api_key()
    made = Subject(
        url,
        "sqlite" if url.startswith("sqlite") else "postgresql",
        httpx.Client(base_url=console.url, headers={"Authorization": f"Bearer {key}"}, timeout=600),
        httpx.Client(base_url=console.url, cookies={cookie: session}, timeout=600, follow_redirects=True),
        httpx.Client(base_url=at_stock, timeout=600),
    )
    learn(made)
    return made


def learn(made: Subject) -> None:
    """What there is to ask for: ids, times, places."""
    newest = made.entries_page(limit="200", text=f"event_type:conversation.utterance persona:{COMMON_PERSONA}")
    oldest = made.entries_page(limit="200", order="oldest")
    rows = [*newest["results"], *oldest["results"]]
    made.entries = made.entries_page(limit="1")["results"][0]["id"]
    at = [datetime.fromisoformat(row["at"]) for row in rows]
    made.first_at, made.last_at = min(at), max(at)
    talking = [row for row in rows if row["conversation"]]
    for name, column in (("conversation", "conversation"), ("sender", "sender"), ("inference_id", "inference_id")):
        made.some[name] = sorted({row[column] for row in talking if row[column] not in (None, OURS)})[:20]
    made.some["echo"] = [str(row["echo"]) for row in made.entries_page(direction="out")["results"] if row["echo"]][:20]
    made.some["id"] = [row["id"] for row in rows][:40]
    made.some["deep"] = [deep_cursor(made, {"order": "newest"})]
    made.some["tail"] = [deep_cursor(made, {"order": "oldest"}, pages=4)]
    middle = made.first_at + (made.last_at - made.first_at) / 2
    hours = [middle + timedelta(minutes=7 * i) for i in range(-2, 3)]
    made.some["hour"] = [
        {"at_after": stamp(at), "at_before": stamp(at + timedelta(hours=1))} for at in hours if at < made.last_at
    ]


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def deep_cursor(made: Subject, params: Params, pages: int = DEEP) -> str:
    """The cursor of the page so many pages deep, or of the last one."""
    cursor, left = "", pages * PAGE
    while left > 0:
        step = min(left, 200)
        answer = made.entries_page(**params, limit=str(step), **({"cursor": cursor} if cursor else {}))
        if answer["next"] is None:
            break
        cursor, left = parse_qs(urlsplit(answer["next"]).query)["cursor"][0], left - step
    return cursor
