"""How long a room is silent when its worker dies, and when it drains: two workers on PostgreSQL and Redis, real rooms.

    .venv/bin/python tests/benchmarks/failover.py --database-url postgres://postgres@127.0.0.1:5432/failover \\
        --redis-url redis://127.0.0.1:6379/5 [--times 20] [--json]

Somebody asks for one text after the other. A kill (SIGKILL of the worker that holds the room) is timed to the first
text that arrives in the room after it; a drain (SIGTERM) by the longest pause between two texts. Each worker believes
to be on a host of its own (`unshare --uts`, as root), so that only the lease tells that one is dead; without that right
both are on one, where a dead process is noticed at once.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from tests.acceptance.calling import Call  # noqa: E402
from tests.console_process import running_console  # noqa: E402
from tests.waiting import until  # noqa: E402

MOST = 90.0  # s that anything is waited for
OWN_HOST = os.geteuid() == 0 and shutil.which("unshare") is not None


class Worker:
    """A `runrooms` process."""

    def __init__(self, name: str, environment: dict[str, str]) -> None:
        self.name = name
        command = [sys.executable, "manage.py", "runrooms", "--name", name]
        if OWN_HOST:
            command = ["unshare", "--uts", "sh", "-c", f"hostname {name}; exec {' '.join(command)}"]
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        while "is ready" not in self.process.stdout.readline():
            if self.process.poll() is not None:
                raise RuntimeError(f"worker {name} ended at once")

    def end(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)


class Talker(threading.Thread):
    """Asks for one text after the other, so that the room would never be silent for long."""

    def __init__(self, call: Call) -> None:
        super().__init__(daemon=True)
        self.call, self.over = call, threading.Event()

    def run(self) -> None:
        number = 0
        while not self.over.is_set():
            number += 1
            self.call.say(f"Number {number}.")
            waiting = self.call.ask("GET", f"conversations/{self.call.id}/echoes/?state=queued&limit=10")["results"]
            self.over.wait(0.5 if len(waiting) > 3 else 0.05)


def arrivals(call: Call) -> list[float]:
    """When each text came into the room, epoch seconds."""
    return [row["at"] for row in call.record() if "text" in row["message"].get("properties", {})]


class Trial:
    """Two workers, of which one has the room."""

    def __init__(self, call: Call) -> None:
        self.call, self.made = call, 0
        self.workers: dict[str, Worker] = {}
        for _ in range(2):
            self.start()

    def start(self) -> None:
        """One more worker."""
        self.made += 1
        worker = Worker(f"w{self.made}", self.call.console.environment)
        self.workers[worker.name] = worker

    def holder(self) -> str:
        """The name of the worker that has the room, once one is in it."""
        room = until(self._joined, "a worker has joined the room", MOST)
        return str(room["worker"])

    def _joined(self) -> Any:
        room = self.call.ask("GET", f"conversations/{self.call.id}/")["room"]
        return room if room["state"] == "joined" and room["worker"] in self.workers else None

    def kill(self) -> float:
        """Seconds from the kill to the first text that another worker says."""
        worker = self.workers.pop(self.holder())
        at = time.time()
        worker.end(signal.SIGKILL)
        worker.process.wait()
        gone = time.time()  # what it had handed over may still arrive a moment later
        heard = until(lambda: [one for one in arrivals(self.call) if one > gone + 0.5], "it speaks again", MOST)
        self.start()
        return heard[0] - at

    def drain(self) -> float:
        """The longest pause between two texts around the drain, seconds."""
        worker = self.workers.pop(self.holder())
        at = time.time()
        worker.end(signal.SIGTERM)
        code = worker.process.wait(MOST)
        if code:
            raise RuntimeError(f"a worker that drained ended with {code}")
        ended = time.time()
        until(lambda: len([one for one in arrivals(self.call) if one > ended]) > 3, "it speaks again", MOST)
        self.start()
        times = [one for one in arrivals(self.call) if one > at - 5]
        return max(after - before for before, after in pairwise(times) if after > at)


def told(times: list[float]) -> dict[str, float]:
    """Seconds."""
    return {"median": round(statistics.median(times), 2), "worst": round(max(times), 2), "times": len(times)}


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All kills, then all drains."""
    settings = {
        "DATABASE_URL": arguments.database_url,
        "REDIS_URL": arguments.redis_url,
        "ECHOADMIN_ROOMS": "worker",
        "ECHOADMIN_SECRET_KEY": "only for this benchmark, nobody signs in here: 0123456789abcdef",
        "ECHOADMIN_SIGNING_KEY": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "TWIN_SPEED": "20",
        "ECHOADMIN_WORKER": "",
    }
    with running_console(folder, **settings) as console:
        call = Call(console, console.api_key())
        persona = call.ask("POST", "personas/", {"persona_name": "Echo", "pipeline_mode": "echo"})
        wanted = {"persona_id": persona["persona_id"], "replica_id": "re8e740a42", "join": True}
        made = call.ask("POST", "conversations/", wanted)
        call.id, call.upstream_id = made["id"], made["conversation_id"]
        trial = Trial(call)
        call.until_joined()
        talker = Talker(call)
        talker.start()
        try:
            kills = [shown("kill", trial.kill()) for _ in range(arguments.times)]
            drains = [shown("drain", trial.drain()) for _ in range(arguments.times)]
        finally:
            talker.over.set()
            talker.join(10)
            for worker in trial.workers.values():
                worker.end(signal.SIGTERM)
        ended = call.ask("GET", f"conversations/{call.id}/")["status"]
        call.ask("POST", f"conversations/{call.id}/end/")
    same_room = {"conversations_paid": 1, "status": ended}
    return {"hosts": 2 if OWN_HOST else 1, "kill_s": told(kills), "drain_s": told(drains), **same_room}


def shown(what: str, seconds: float) -> float:
    """Tell people how it goes."""
    print(f"{what}: {seconds:.2f} s", file=sys.stderr, flush=True)
    return seconds


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--redis-url", required=True)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(arguments, Path(folder))
    found["passed"] = found["kill_s"]["worst"] < 45 and found["drain_s"]["worst"] < 5
    print(json.dumps(found) if arguments.json else json.dumps(found, indent=2))
    sys.exit(not found["passed"])


if __name__ == "__main__":
    main()
