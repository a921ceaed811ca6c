"""200 clients of the API for a minute, and what a text echo's POST costs beside a bare DRF view with one insert.

The clients: three in four ask over REST every two seconds (a conversation, its echoes, its messages, now and then a
text echo), one in four holds a WebSocket, follows one of ten conversations and says something every ten seconds or so.
What is asked: no 5xx (429 is an answer), the 99th percentile, and that memory stays level after the first third.

The ratio: both servers run at the same time, and are asked in turns, one request after another; medians. `--json` for
programs; `--database postgres://…`, an empty one, in the place of SQLite.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import os
import platform
import random
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.console_process import ConsoleProcess, free_ports, running_console

HERE = Path(__file__).resolve().parent
CONVERSATIONS, KEYS = 10, 8
EVERY, SPEAKS_EVERY = 2.0, 10.0  # s between two requests of one client; between two texts of a WebSocket
LEVEL = 40.0  # MB that the console may grow from the first third on
TIMES = 5.0  # how much longer a text echo's POST may take than the bare view's


@dataclass
class Seen:
    """What the clients saw: seconds by what was asked, and the answers."""

    took: dict[str, list[float]] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    entries: int = 0

    def note(self, what: str, status: int, seconds: float) -> None:
        self.took.setdefault(what, []).append(seconds)
        self.statuses[str(status)] += 1
        if status >= 500:
            self.broken.append(f"{what}: {status}")

    def figures(self) -> dict[str, Any]:
        everything = sorted(seconds for one in self.took.values() for seconds in one)
        return {
            "requests": len(everything),
            "statuses": dict(self.statuses),
            "broken": self.broken[:20],
            "entries_pushed": self.entries,
            "p50_ms": percentile(everything, 50),
            "p99_ms": percentile(everything, 99),
            "p99_ms_by_request": {what: percentile(sorted(one), 99) for what, one in sorted(self.took.items())},
        }


def percentile(ordered: list[float], percent: int) -> float | None:
    """In ms; None of nothing."""
    return round(ordered[max(0, -(-len(ordered) * percent // 100) - 1)] * 1000, 1) if ordered else None


@dataclass
class Load:
    """The clients on one console."""

    console: ConsoleProcess
    keys: list[str]
    conversations: list[str]
    http: aiohttp.ClientSession
    until: float
    lasts: float
    seen: Seen = field(default_factory=Seen)

    def headers(self, number: int) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[number % len(self.keys)]}"}

    async def ask(self, what: str, method: str, path: str, number: int, **more: Any) -> None:
        started = time.monotonic()
        try:
            async with self.http.request(
                method, f"{self.console.url}/api/v1/{path}", headers=self.headers(number), **more
            ) as answer:
                await answer.read()
                status = answer.status
        except (aiohttp.ClientError, TimeoutError) as error:
            self.seen.broken.append(f"{what}: {error!r}")
            return
        self.seen.note(what, status, time.monotonic() - started)

    async def rest(self, number: int) -> None:
        """One client: what it asks for goes round."""
        conversation = f"conversations/{self.conversations[number % len(self.conversations)]}/"
        reads = [
            ("GET conversation", "GET", conversation, {}),
            ("GET echoes", "GET", f"{conversation}echoes/", {}),
            ("GET messages", "GET", f"{conversation}messages/?after=0&limit=50", {}),
        ]
        turns = [
            *reads,
            *reads,
            ("POST echo", "POST", f"{conversation}echoes/", {"json": {"text": "A few words."}}),
        ]
        turn = number
        while (now := time.monotonic()) < self.until:
            what, method, path, more = turns[turn % len(turns)]
            await self.ask(what, method, path, number, **more)
            turn += 1
            await asyncio.sleep(max(0.0, now + EVERY * random.uniform(0.8, 1.2) - time.monotonic()))

    async def live(self, number: int) -> None:
        """One WebSocket: reads all that comes, and says something now and then."""
        conversation = self.conversations[number % len(self.conversations)]
        address = f"{self.console.url.replace('http', 'ws')}/ws/v1/conversations/{conversation}/?after=0"
        started = time.monotonic()
        try:
            async with self.http.ws_connect(address, headers=self.headers(number)) as socket:
                self.seen.note("WS open", 101, time.monotonic() - started)
                reading = asyncio.create_task(self._read(socket))
                while time.monotonic() < self.until:
                    await asyncio.sleep(min(SPEAKS_EVERY, self.lasts / 2) * random.uniform(0.8, 1.2))
                    said = time.monotonic()
                    await socket.send_json({"type": "echo", "ref": repr(said), "text": "A few words."})
                reading.cancel()
        except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
            self.seen.broken.append(f"WS: {error!r}")

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            told = json.loads(message.data)
            if told["type"] == "entry":
                self.seen.entries += 1
            elif told["type"] == "ack":
                self.seen.note("WS echo", 202, time.monotonic() - float(told["ref"]))
            elif told["type"] == "error" and told["ref"]:
                status = 429 if told["error"]["code"] in ("queue_full", "overloaded", "rate_limited") else 400
                self.seen.note("WS echo", status, time.monotonic() - float(told["ref"]))
        if time.monotonic() < self.until:
            self.seen.broken.append(f"WS closed with {socket.close_code}")


async def load(console: ConsoleProcess, keys: list[str], clients: int, seconds: float) -> dict[str, Any]:
    """The figures of so many clients for so long."""
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
        conversations = await open_conversations(console, keys[0], http)
        began = time.monotonic()
        running = Load(console, keys, conversations, http, began + seconds, seconds)
        watching = asyncio.create_task(watch(console, running.until))
        every_fourth = [running.live(n) if n % 4 == 3 else running.rest(n) for n in range(clients)]
        await asyncio.gather(*every_fourth)
        memory = await watching
    return {"seconds": seconds, "clients": clients, **running.seen.figures(), **memory}


async def open_conversations(console: ConsoleProcess, key: str, http: aiohttp.ClientSession) -> list[str]:
    """Joined, with their replicas there."""
    api, headers = f"{console.url}/api/v1", {"Authorization": f"Bearer {key}"}

    async def ask(method: str, path: str, body: Any = None) -> Any:
        async with http.request(method, f"{api}/{path}", json=body, headers=headers) as answer:
            answer.raise_for_status()
            return await answer.json()

    persona = await ask("POST", "personas/", {"persona_name": "Load", "pipeline_mode": "echo"})
    body = {"replica_id": "re8e740a42", "persona_id": persona["id"], "join": True}
    made = [(await ask("POST", "conversations/", body))["id"] for _ in range(CONVERSATIONS)]
    for one in made:
        while not (await ask("GET", f"conversations/{one}/"))["room"]["replica_present"]:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)
    return made


async def watch(console: ConsoleProcess, until: float) -> dict[str, float]:
    """The console's memory (MB) after a third of the time and at its end, and the most threads."""
    process, began = psutil.Process(console.pid), time.monotonic()
    samples: list[tuple[float, float]] = []
    threads = 0
    while (now := time.monotonic()) < until:
        samples.append((now, process.memory_info().rss / 2**20))
        threads = max(threads, process.num_threads())
        await asyncio.sleep(0.5)
    third = [size for at, size in samples if at <= began + (until - began) / 3]
    return {
        "memory_mb_first_third": round(max(third), 1),
        "memory_mb_end": round(statistics.median(size for _, size in samples[-6:]), 1),
        "threads": threads,
        "cpu_s": round(sum(process.cpu_times()[:2]), 1),
    }


# --- the ratio ---


@contextmanager
def bare_view(folder: Path) -> Iterator[str]:
    """The bare view's address."""
    [port] = free_ports(1)
    environment = {**os.environ, "BARE_DATABASE": str(folder / "bare.sqlite3")}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    command = [sys.executable, "-m", "uvicorn", "bare_view:application", "--app-dir", str(HERE), "--port", str(port)]
    silent = ["--no-access-log", "--log-level", "warning", "--loop", "uvloop", "--http", "httptools"]
    with subprocess.Popen([*command, *silent, "--lifespan", "off"], env=environment) as process:
        try:
            yield f"http://127.0.0.1:{port}/rows/"
        finally:
            process.terminate()


async def ratio(console: ConsoleProcess, key: str, bare: str, count: int) -> dict[str, Any]:
    """Medians of single POSTs, in turns."""
    async with aiohttp.ClientSession() as http:
        [conversation, *_] = await open_conversations(console, key, http)
        echoes = f"{console.url}/api/v1/conversations/{conversation}/echoes/"
        headers = {"Authorization": f"Bearer {key}"}

        async def post(address: str, headers: dict[str, str]) -> float:
            while True:
                started = time.perf_counter()
                async with http.post(address, json={"text": "A few words."}, headers=headers) as answer:
                    await answer.read()
                    took = time.perf_counter() - started
                    if answer.status == 202:
                        return took
                    assert answer.status == 429, await answer.text()
                await asyncio.sleep(0.2)

        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(aiohttp.ClientError):
                await post(bare, {})
                break
            await asyncio.sleep(0.05)
        pairs = []
        for number in range(count + 10):
            pair = (await post(bare, {}), await post(echoes, headers))
            pairs += [pair] if number >= 10 else []  # the first ones warm up
            await asyncio.sleep(0.02)
    plain, ours = (statistics.median(one) * 1000 for one in zip(*pairs, strict=True))
    return {"bare_p50_ms": round(plain, 2), "echo_p50_ms": round(ours, 2), "ratio": round(ours / plain, 2)}


def on_postgresql(url: str) -> dict[str, str]:
    """The console's settings for it."""
    keys = {
        "ECHOADMIN_SECRET_KEY": secrets.token_urlsafe(48),
        "ECHOADMIN_SIGNING_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
    }
    return {"DATABASE_URL": url, **keys}


def main() -> None:
    """Run both and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--smoke", action="store_true", help="short, and only a 5xx or a broken connection fails it")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--posts", type=int, default=300, help="pairs of POSTs for the ratio")
    parser.add_argument("--database", default="", help="a PostgreSQL database of its own, empty")
    options = parser.parse_args()
    if options.smoke:
        options.clients, options.seconds, options.posts = 40, 5.0, 30
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        more = on_postgresql(options.database) if options.database else {}
        with running_console(folder / "console", TWIN_SPEED="100", **more) as console, bare_view(folder) as bare:
            keys = [console.api_key(f"load {number}") for number in range(2 if options.smoke else KEYS)]
            compared = asyncio.run(ratio(console, keys[0], bare, options.posts))
            loaded = asyncio.run(load(console, keys, options.clients, options.seconds))
    figures = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "load": loaded,
        "post": compared,
    }
    whole = not loaded["broken"]
    level = loaded["memory_mb_end"] - loaded["memory_mb_first_third"] <= LEVEL
    figures["passed"] = whole and (options.smoke or (level and compared["ratio"] <= TIMES))
    print(json.dumps(figures, indent=2) if options.json else as_table(figures))
    sys.exit(0 if figures["passed"] else 1)


def as_table(figures: dict[str, Any]) -> str:
    """The same for people."""
    rows = [f"machine: {figures['machine']}"]
    for part in ("load", "post"):
        rows += [f"{name}: {value}" for name, value in figures[part].items()]
    return "\n".join([*rows, f"passed: {figures['passed']}"])


if __name__ == "__main__":
    main()
