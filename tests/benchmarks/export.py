"""The log as NDJSON against the databases' own ways out, on the same rows, one after the other in the same run.

    .venv/bin/python tests/benchmarks/export.py --database-url sqlite:////tmp/log/sandbox.sqlite3 [--json]

Fill the database with make_log.py first. PostgreSQL's way is `COPY log_entry TO STDOUT` by psql, SQLite's the csv mode
of its own shell, both into a file. Each is run `--times` times, turn and turn about; the best of each counts. The
export is a process of its own, `manage.py export_log`: the time that it takes to start is taken off, and its memory,
looked at every 20 ms, is told as what it takes above a process that has started and read one page of the log.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "benchmarks")]

IDLE = """
import django, resource, sys, time
django.setup()
from echoadmin.log import reader
reader.as_dicts(reader.page(reader.filtered({})).rows, lambda refs: {})
print("ready", flush=True)
sys.stdin.read()
"""


def watched(command: list[str], output: Any = subprocess.DEVNULL) -> tuple[float, float]:
    """Seconds that it took, and the most memory that it had in MB."""
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=output)
    most = 0.0

    def look() -> None:
        nonlocal most
        it = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                most = max(most, it.memory_info().rss / 1e6)
            except psutil.NoSuchProcess:
                return
            time.sleep(0.02)

    looker = threading.Thread(target=look)
    looker.start()
    if process.wait():
        sys.exit(f"{command} failed")
    took = time.perf_counter() - began
    looker.join()
    return took, most


def idle_memory() -> float:
    """MB of a process that has started and read one page."""
    process = subprocess.Popen([sys.executable, "-c", IDLE], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdin is not None
    process.stdout.readline()
    used = psutil.Process(process.pid).memory_info().rss / 1e6
    process.stdin.close()
    process.wait()
    return used


def own_way(database_url: str) -> list[str]:
    """The command that takes the whole table out the database's own way."""
    if database_url.startswith("sqlite:///"):
        path = database_url.removeprefix("sqlite:///")
        return ["sqlite3", "-csv", "-readonly", path, "SELECT * FROM log_entry"]
    return ["psql", "-q", "-d", database_url.replace("postgres://", "postgresql://"), "-c", "COPY log_entry TO STDOUT"]


def exported(format: str, *filters: str) -> tuple[float, float, int]:
    """Seconds, the most memory in MB, and the file's bytes."""
    with tempfile.TemporaryDirectory() as folder:
        to = Path(folder) / f"out.{format}"
        command = [sys.executable, "manage.py", "export_log", "--format", format, "--to", str(to), *filters]
        took, most = watched(command)
        return took, most, to.stat().st_size


def measure(database_url: str, times: int, format: str) -> dict[str, Any]:
    """Rows per second of both, their ratio, and the memory."""
    from echoadmin.log.models import Entry

    theirs: list[float] = []
    ours: list[float] = []
    memory: list[float] = []
    idle = idle_memory()
    nothing = min(exported(format, "--conversation", "none")[0] for _ in range(2))
    rows = Entry.objects.count()
    for _ in range(times):
        with tempfile.TemporaryFile() as file:
            theirs.append(watched(own_way(database_url), file)[0])
        took, most, size = exported(format)
        ours.append(took - nothing)
        memory.append(most)
    return {
        "database": "sqlite" if database_url.startswith("sqlite") else "postgresql",
        "format": format,
        "entries": rows,
        "own_rows_per_s": round(rows / min(theirs)),
        "export_rows_per_s": round(rows / min(ours)),
        "ratio": round(min(theirs) / min(ours), 3),
        "ratios": [round(own / export, 3) for own, export in zip(theirs, ours, strict=True)],
        "start_up_s": round(nothing, 2),
        "mb": round(size / 1e6),
        "idle_mb": round(idle),
        "above_idle_mb": round(max(memory) - idle),
        "load": os.getloadavg()[0],
    }


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--database-url", required=True, help="sqlite:////path/sandbox.sqlite3 or postgres://…")
    parser.add_argument("--format", default="ndjson", choices=["ndjson", "csv"])
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    from make_log import settle

    os.environ.setdefault("ECHOADMIN_SIGNING_KEY", base64.b64encode(bytes(32)).decode())
    settle(arguments.database_url)
    found = measure(arguments.database_url, arguments.times, arguments.format)
    if arguments.json:
        print(json.dumps(found))
    else:
        print("\n".join(f"{name:>20}  {value}" for name, value in found.items()))


if __name__ == "__main__":
    main()
