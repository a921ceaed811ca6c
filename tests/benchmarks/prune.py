"""Pruning while entries arrive: how long the log's writer has to wait.

    .venv/bin/python tests/benchmarks/prune.py --database-url sqlite:////tmp/log/sandbox.sqlite3 [--json]

Fill the database with make_log.py first; what is there then is pruned (up to --entries), so give a copy. A process of
its own stores --rate entries a second through the console's writer, five at a time, first alone for --quiet seconds,
then while another process prunes. Of each put it is told how long it took until it was stored. A third process
tells what the machine itself keeps anybody waiting for.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "benchmarks")]

AT_ONCE = 5  # entries in a unit
DISK = 0.05  # seconds for 8 KB, from which on the disk is what keeps the writer waiting


def write(rate: int) -> None:
    """Stores entries until its input ends, and tells at what moment each was put and how long it took."""
    import django

    django.setup()
    from echoadmin.garbage import spare_what_is_loaded
    from echoadmin.log.writer import Draft, Unit, Writer

    spare_what_is_loaded()  # as a process does that holds rooms
    from echoadmin.log.writer import checkpointing

    checkpoints = timed(checkpointing, "_copy_back")
    writer = Writer()
    writer.start()
    took: list[tuple[float, float]] = []
    lock = threading.Lock()
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()

    def stored(put_at: float) -> None:
        with lock:
            took.append((put_at, time.time() - put_at))

    number, began = 0, time.time()
    while not over.is_set():
        beat = {
            "message_type": "system",
            "event_type": "system.replica_present",
            "conversation_id": "c1",
            "seq": number,
        }
        heard = {"direction": "in", "family": "presence", "sender": "replica", "message": beat}
        stream = f"cv_live{number % 20}"
        draft = {"stream": stream, "kind": "app_message", "event_type": "system.replica_present"}
        unit = Unit([Draft(**draft, **heard, conversation_ref=stream) for _ in range(AT_ONCE)])
        put_at = time.time()
        writer.put(unit).add_done_callback(lambda future, at=put_at: (future.result(), stored(at)))
        number += 1
        time.sleep(max(0.0, began + number * AT_ONCE / rate - time.time()))
    writer.stop()
    print(json.dumps({"took": took, "checkpoints": checkpoints}), flush=True)


def prune(entries: int, seconds: float) -> None:
    """Prunes what is there, until so many are gone or so long has passed."""
    import django

    django.setup()
    from django.conf import settings
    from django.utils import timezone

    from echoadmin.log.keeping import pruning
    from echoadmin.log.search.pieces import Tidy

    merges = timed(Tidy, "_merge")

    class Enough(Exception):
        pass

    began = time.time()
    gone = 0

    def progress(count: int) -> None:
        nonlocal gone
        gone = count
        if count >= entries or time.time() - began > seconds:
            raise Enough

    settings.LOG_KEEP_DAYS = dict.fromkeys(settings.LOG_KEEP_DAYS) | {"": 1.0}
    with suppress(Enough):
        pruning.prune(now=timezone.now() + timedelta(days=1), progress=progress)
    print(json.dumps({"pruned": gone, "began": began, "seconds": time.time() - began, "merges": merges}), flush=True)


def timed(owner: Any, name: str) -> list[tuple[float, float]]:
    """From now on each call of the function is noted: when it began, and how long it took."""
    calls: list[tuple[float, float]] = []
    function = getattr(owner, name)

    def noting(*given: Any) -> Any:
        began = time.time()
        try:
            return function(*given)
        finally:
            calls.append((began, time.time() - began))

    setattr(owner, name, noting)
    return calls


def watch(folder: str) -> None:
    """What the machine itself keeps anybody waiting for: a sleep of 5 ms, and 20 times a second 8 KB to the disk."""
    sleeps: list[tuple[float, float]] = []
    disk: list[tuple[float, float]] = []
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    with tempfile.TemporaryFile(dir=folder) as file:
        while not over.is_set():
            before = time.time()
            time.sleep(0.005)
            sleeps.append((before, time.time() - before - 0.005))
            if len(sleeps) % 10 == 0:
                before = time.time()
                os.pwrite(file.fileno(), b"x" * 8192, len(sleeps) % 10_000 * 8192)
                os.fdatasync(file.fileno())
                disk.append((before, time.time() - before))
    print(json.dumps({"sleeps": sleeps, "disk": disk}), flush=True)


def ms(values: list[float]) -> dict[str, float]:
    """Percentiles in milliseconds."""
    cuts = statistics.quantiles(values, n=1000)
    named = {"p50": cuts[499], "p95": cuts[949], "p99": cuts[989], "max": max(values)}
    return {name: round(value * 1000, 1) for name, value in named.items()}


def held_up(at: float, seconds: float, disk: list[tuple[float, float]]) -> bool:
    """Whether anybody had to wait for the disk for most of that time, whatever they wrote."""
    shared = (min(at + seconds, began + took) - max(at, began) for began, took in disk if took > DISK)
    return max(shared, default=0.0) > seconds / 2


def longest(took: list[tuple[float, float]], began: float) -> list[tuple[str, float, float]]:
    """The three that took longest: when (UTC), how many seconds after the pruning began, and how many ms."""
    slowest = sorted(((seconds, at) for at, seconds in took if at >= began), reverse=True)[:3]
    clock = [f"{datetime.fromtimestamp(at, UTC):%H:%M:%S.%f}"[:-3] for _, at in slowest]
    return [(at, round(put - began, 1), round(s * 1000, 1)) for at, (s, put) in zip(clock, slowest, strict=True)]


def role(name: str, *options: str) -> subprocess.Popen[str]:
    """This script again, as one of the two processes."""
    command = [sys.executable, __file__, "--role", name, *options]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def measured(arguments: argparse.Namespace) -> dict[str, Any]:
    """Both phases."""
    machine = role("watch", "--folder", arguments.folder)
    writer = role("write", "--rate", str(arguments.rate))
    time.sleep(arguments.quiet + 3)
    pruner = role("prune", "--entries", str(arguments.entries), "--seconds", str(arguments.seconds))
    told = json.loads(pruner.communicate()[0])
    written = json.loads(writer.communicate("")[0])
    seen = json.loads(machine.communicate("")[0])
    took = written["took"]
    ends = told["began"] + told["seconds"]
    quiet = [seconds for at, seconds in took[100:] if at < told["began"] - 2]  # 2 s: the other process starts
    busy_puts = [(at, seconds) for at, seconds in took if told["began"] <= at <= ends]
    busy = [seconds for _, seconds in busy_puts]
    return {
        "engine": "sqlite" if arguments.database_url.startswith("sqlite") else "postgresql",
        "pruned": told["pruned"],
        "pruned_a_second": round(told["pruned"] / told["seconds"]),
        "stored_meanwhile_a_second": round(len(busy) * AT_ONCE / told["seconds"]),
        "writer_alone_ms": ms(quiet),
        "writer_while_pruning_ms": ms(busy),
        "over_100_ms": sum(seconds > 0.1 for seconds in busy),
        "not_the_disks_own": sum(seconds > 0.1 for at, seconds in busy_puts if not held_up(at, seconds, seen["disk"])),
        "longest": {
            "puts": longest(took, told["began"]),
            "checkpoints": longest(written["checkpoints"], told["began"]),
            "merges": longest(told["merges"], told["began"]),
            "the machine: a sleep's end": longest(seen["sleeps"], told["began"]),
            "the machine: 8 KB to the disk": longest(seen["disk"], told["began"]),
        },
        "cpus": os.cpu_count(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
    }


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--database-url", default="")
    parser.add_argument("--rate", type=int, default=500, help="entries a second")
    parser.add_argument("--entries", type=int, default=1_000_000, help="to prune, at most")
    parser.add_argument("--seconds", type=float, default=3600, help="to prune, at most")
    parser.add_argument("--quiet", type=float, default=20, help="seconds without pruning")
    parser.add_argument("--folder", default=".", help="on the disk that the database is on")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--role", choices=["write", "prune", "watch"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.role == "write":
        write(arguments.rate)
    elif arguments.role == "prune":
        prune(arguments.entries, arguments.seconds)
    elif arguments.role == "watch":
        watch(arguments.folder)
    elif not arguments.database_url:
        parser.error("--database-url is needed")
    else:
        from verify import settle

        os.environ["DJANGO_SETTINGS_MODULE"] = "echoadmin.settings"
        settle(arguments.database_url)
        print(json.dumps(measured(arguments), indent=2))


if __name__ == "__main__":
    main()
