"""What a worker carries: rooms that each hear 20 messages a second and speak 20 chunks a second, by the real SDK.

    .venv/bin/python tests/benchmarks/rooms.py [--rooms 50] [--seconds 60] [--json]
        [--database-url postgres://… --redis-url redis://…]      PostgreSQL and Redis, else SQLite
        [--workers 2]                                            so many workers share the rooms
        [--inline]                                               rooms inside the console, and page views beside them
        [--hear 20] [--silent]                                   other rhythms: so many messages a second, no speech

One twin at life's own speed is everybody's other end, on the same machine: its CPU is told too. A chunk's lateness is
what the twin sees: how much later it came than its place in the rhythm that the room's promptest chunk sets. The lag of
the log is how old the newest entry was whenever it was looked for.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
import wave
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "benchmarks")]

from log_lag import newest_lag  # noqa: E402
from log_subjects import SESSION  # noqa: E402

from tests.console_process import ConsoleProcess, free_ports, start_console  # noqa: E402
from tests.twin_process import TwinProcess, running_twin  # noqa: E402
from tests.waiting import until  # noqa: E402

RATE, CHUNK_SECONDS, PER_SECOND = 24_000, 0.05, 20
AHEAD = 20.0  # s of audio more than is measured: the rooms begin one after the other
UPLOAD = 1.0  # s more for each room, where they begin as soon as they are asked to
VIEWS, GETS = 5, 50  # a second, beside inline rooms


class Load:
    """A console with its worker, a twin, and rooms that are joined."""

    def __init__(self, console: ConsoleProcess, twin: TwinProcess) -> None:
        self.console, self.twin = console, twin
        self.workers = list[psutil.Process]()
        self.twin_process = psutil.Process(twin.pid)
        key = console.api_key()
        self.api = httpx.Client(
            base_url=f"{console.url}/api/v1/", headers={"Authorization": f"Bearer {key}"}, timeout=60
        )
        self.rooms: list[dict[str, Any]] = []
        self.idle_mb = 0.0

    def employ(self, workers: list[int]) -> None:
        """These processes hold the rooms."""
        self.workers = [psutil.Process(pid) for pid in workers]
        self.idle_mb = self.rss()

    def cpu(self) -> float:
        """Seconds of all workers."""
        return sum(cpu_of(worker) for worker in self.workers)

    def rss(self) -> float:
        """MB of all workers."""
        return sum(worker.memory_info().rss for worker in self.workers) / 1e6

    def ask_for(self, count: int, seconds: float) -> None:
        """So many rooms to be joined, each with so much to say."""
        persona = self.ask("POST", "personas/", json={"persona_name": "Echo", "pipeline_mode": "echo"})
        wanted = {"persona_id": persona["persona_id"], "replica_id": "re8e740a42", "join": True}
        sound = wav(os.urandom(int(RATE * seconds) * 2))
        self.rooms += [self.ask("POST", "conversations/", json=wanted) for _ in range(count)]
        for room in self.rooms if seconds else ():
            path = f"conversations/{room['id']}/echoes/"
            self.ask("POST", path, data={"pacing": "realtime"}, files={"file": ("one.wav", sound, "audio/wav")})

    def is_joined(self, room: dict[str, Any]) -> bool:
        """Joined, and the replica there."""
        found = self.ask("GET", f"conversations/{room['id']}/")["room"]
        return found["state"] == "joined" and bool(found["replica_present"])

    def ask(self, method: str, path: str, **more: Any) -> Any:
        """What must work."""
        answer = self.api.request(method, path, **more)
        if not answer.is_success:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json()

    def begin(self, *, speak: bool, hear: int) -> None:
        """Every room speaks, if it is to, and hears so much a second."""
        for room in self.rooms:
            until(lambda room=room: self.is_joined(room), "a room is joined", 120)
        if speak:
            until(self.all_speak, "every room speaks", AHEAD)
        for room in self.rooms:
            self.twin.request("PUT", f"/twin/rooms/{room['conversation_id']}/chatter", {"per_second": hear})

    def all_speak(self) -> bool:
        """Whether each replica is at it."""
        return all(room["speaking"] for room in self.twin.get("/twin/rooms?status=active"))

    def end(self) -> None:
        """Silence, then the end of all that is paid for."""
        for room in self.rooms:
            self.twin.request("PUT", f"/twin/rooms/{room['conversation_id']}/chatter", {"per_second": 0})
            self.ask("POST", f"conversations/{room['id']}/interrupt/")

    def close(self) -> None:
        """End them."""
        for room in self.rooms:
            self.ask("POST", f"conversations/{room['id']}/end/")


def wav(pcm: bytes) -> bytes:
    """As a file."""
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(pcm)
    return made.getvalue()


@contextmanager
def worker_of(console: ConsoleProcess, number: int) -> Iterator[int]:
    """The pid of a `runrooms` process beside the console."""
    command = [sys.executable, "manage.py", "runrooms", "--name", f"bench-{number}", "--capacity", "1000"]
    process = subprocess.Popen(command, cwd=ROOT, env=console.environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    while "is ready" not in process.stdout.readline():
        if process.poll() is not None:
            raise RuntimeError("the worker ended at once")
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(60)


def started(arguments: argparse.Namespace, folder: Path, running: ExitStack) -> Load:
    """Everything that is needed."""
    twin = running.enter_context(running_twin(folder / "twin", speed=1))
    twin.request("PUT", "/twin/limits", {"concurrent_conversations": 1_000})
    settings = {"ECHOADMIN_CAPACITY": "1000", "DAILY_CA_FILE": twin.ca_file}
    if not arguments.inline:
        settings["ECHOADMIN_ROOMS"] = "worker"
    if arguments.database_url:
        settings |= {"DATABASE_URL": arguments.database_url, "REDIS_URL": arguments.redis_url}
        settings |= {"ECHOADMIN_SECRET_KEY": "s" * 60, "ECHOADMIN_SIGNING_KEY": "A" * 43 + "="}
    console = start_console(folder / "console", [free_ports(1)[0], 0, 0], twin=twin, **settings)
    running.callback(console.stop)
    return Load(console, twin)


class Watch(threading.Thread):
    """How far the log is behind, all the while."""

    def __init__(self, environment: dict[str, str]) -> None:
        super().__init__(daemon=True)
        self.environment, self.lags, self.over = environment, list[float](), threading.Event()

    def run(self) -> None:
        for lag in newest_lag(self.environment):
            self.lags.append(lag)
            if self.over.wait(0.1):
                return


def lateness(record: list[dict[str, Any]], since: float, until_: float) -> list[float]:
    """Of each chunk of a room, ms."""
    chunks = [row["at"] for row in record if row["message"].get("event_type") == "conversation.echo"]
    plan = [at - number * CHUNK_SECONDS for number, at in enumerate(chunks)]
    return [
        (late - min(plan, default=0.0)) * 1000 for late, at in zip(plan, chunks, strict=True) if since <= at <= until_
    ]


def check_room(load: Load, room: dict[str, Any]) -> tuple[int, list[dict[str, Any]]]:
    """How many messages of the room's record the log lacks, and the record."""
    path = f"/twin/rooms/{room['conversation_id']}/messages?audio=omit"
    record: list[dict[str, Any]] = load.twin.get(path)
    while more := load.twin.get(f"{path}&after={record[-1]['n']}"):
        record += more
    want = {row["message"]["properties"]["number"] for row in record if row["message"]["event_type"] == CHATTER}
    have: set[int] = set()
    url = f"conversations/{room['id']}/entries/?event_type={CHATTER}&limit=1000&after=0"
    while url:
        page = load.ask("GET", url)
        have |= {entry["message"]["properties"]["number"] for entry in page["results"]}
        url = page["next"]
    return len(want - have), record


CHATTER = "conversation.chatter"


def measure(arguments: argparse.Namespace, folder: Path, count: int) -> dict[str, Any]:
    """One size."""
    with ExitStack() as running:
        load = started(arguments, folder, running)
        speech = 0.0 if arguments.silent else arguments.seconds + AHEAD
        if arguments.inline:
            load.employ([load.console.pid])
            load.ask_for(count, speech and speech + UPLOAD * count)
        else:  # all of them begin when there is somebody for it
            load.ask_for(count, speech)
            numbers = range(1, arguments.workers + 1)
            load.employ([running.enter_context(worker_of(load.console, number)) for number in numbers])
        load.begin(speak=not arguments.silent, hear=arguments.hear)
        watch = Watch(load.console.environment)
        watch.start()
        cpu, twins, since = load.cpu(), cpu_of(load.twin_process), time.time()
        views = look_beside(load, arguments.seconds) if arguments.inline else time.sleep(arguments.seconds)
        ended = time.time()
        spent, twins = load.cpu() - cpu, cpu_of(load.twin_process) - twins
        rss = load.rss()
        watch.over.set()
        watch.join()
        load.end()
        time.sleep(3)  # what is under way comes to rest
        checked = [check_room(load, room) for room in load.rooms]
        load.close()
    late = sorted(ms for _, record in checked for ms in lateness(record, since, ended))
    chunks_wanted = 0 if arguments.silent else int(count * (ended - since) / CHUNK_SECONDS)
    return {
        "rooms": count,
        "database": "postgresql" if arguments.database_url else "sqlite",
        "heard_a_second": arguments.hear,
        "rooms_are": "inline" if arguments.inline else "a worker's",
        "workers": len(load.workers),
        "messages_lost": sum(lost for lost, _ in checked),
        "chunks": len(late),
        "chunks_planned": chunks_wanted,
        "chunk_late_ms": {"p50": at_share(late, 0.5), "p99": at_share(late, 0.99), "max": at_share(late, 1)},
        "log_lag_ms": {"p50": at_share(watch.lags, 0.5), "max": at_share(watch.lags, 1)},
        "worker_cpu_percent": round(spent / (ended - since) * 100, 1),
        "worker_cpu_percent_a_room": round(spent / (ended - since) * 100 / count, 2),
        "worker_rss_mb": round(rss),
        "worker_rss_mb_a_room": round((rss - load.idle_mb) / count, 2),
        "twin_cpu_percent": round(twins / (ended - since) * 100, 1),
        **(views or {}),
    }


def look_beside(load: Load, seconds: float) -> dict[str, Any]:
    """Views of the pages that operators have open, and GETs of a conversation, so many a second; how long they took."""
    room, until_, began = load.rooms[0], time.time() + seconds, time.time()
    cookie, session = load.console.manage("shell", "-v", "0", "-c", SESSION).split()[-2:]
    page = httpx.Client(base_url=load.console.url, cookies={cookie: session}, timeout=60)
    pages = ["/admin/", "/admin/conversations/conversation/", f"/admin/conversations/conversation/{room['id']}/"]
    took: dict[str, list[float]] = {"page": [], "get": []}
    with ThreadPoolExecutor(8) as pool:  # asked at their time, whether or not the one before is answered
        for turn in range(int(seconds * GETS)):
            time.sleep(max(0.0, began + turn / GETS - time.time()))
            pool.submit(timed, load.api, f"conversations/{room['id']}/", took["get"])
            if turn % (GETS // VIEWS) == 0:
                pool.submit(timed, page, pages[turn // (GETS // VIEWS) % len(pages)], took["page"])
    time.sleep(max(0.0, until_ - time.time()))
    told = {name: {"p50": at_share(ms, 0.5), "p95": at_share(ms, 0.95)} for name, ms in took.items()}
    return {"pages": len(took["page"]), "gets": len(took["get"]), "page_ms": told["page"], "get_ms": told["get"]}


def timed(client: httpx.Client, path: str, took: list[float]) -> None:
    """Asks; adds how long the answer took, ms. A refusal adds nothing, and is seen in their number."""
    at = time.perf_counter()
    if client.get(path, follow_redirects=True).is_success:
        took.append((time.perf_counter() - at) * 1000)


def cpu_of(process: psutil.Process) -> float:
    """Seconds."""
    times = process.cpu_times()
    return float(times.user + times.system)


def at_share(values: list[float], share: float) -> float:
    """The value that so many are at or below."""
    values = sorted(values)
    return round(values[min(len(values) - 1, int(len(values) * share))], 1) if values else -1.0


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rooms", type=int, nargs="+", default=[50])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--database-url", default="")
    parser.add_argument("--redis-url", default="")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--inline", action="store_true")
    parser.add_argument("--hear", type=int, default=PER_SECOND)
    parser.add_argument("--silent", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = []
    for count in arguments.rooms:
        with tempfile.TemporaryDirectory() as folder:
            found.append(measure(arguments, Path(folder), count))
        print(json.dumps(found[-1]), file=sys.stderr, flush=True)
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()[0]}
    told = {"machine": machine, "runs": found}
    print(json.dumps(told) if arguments.json else json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
