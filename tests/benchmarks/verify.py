"""How quickly the log verifies, and whether its memory stays level.

    .venv/bin/python tests/benchmarks/verify.py --database-url sqlite:////tmp/log/sandbox.sqlite3 [--json]

Fill the database with make_log.py first. `manage.py verify_log` runs as a process of its own; its memory is looked at
every 50 ms, and told at a tenth of the way and at its most. SQLite's page cache of 64 MB is part of it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "benchmarks")]


def verified(extra: list[str]) -> dict[str, Any]:
    """The command's own result, with its memory (MB)."""
    command = [sys.executable, "manage.py", "verify_log", "--json", *extra]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    seen: list[tuple[float, float]] = []
    watched = psutil.Process(process.pid)
    began = time.perf_counter()
    cpu = 0.0
    while process.poll() is None:
        try:
            seen.append((time.perf_counter() - began, watched.memory_info().rss / 1e6))
            cpu = sum(watched.cpu_times()[:2])
        except psutil.NoSuchProcess:
            break
        time.sleep(0.05)
    assert process.stdout is not None
    result: dict[str, Any] = json.loads(process.stdout.read())
    early = next((mb for at, mb in seen if at > seen[-1][0] / 10), 0.0)
    return {
        **result,
        "cpu_seconds": round(cpu, 1),
        "mb_early": round(early),
        "mb_most": round(max(mb for _, mb in seen)),
    }


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    settle(arguments.database_url)
    subprocess.run([sys.executable, "manage.py", "checkpoint_log"], cwd=ROOT, check=True, capture_output=True)
    result = verified([])
    result |= {
        "engine": "sqlite" if arguments.database_url.startswith("sqlite") else "postgresql",
        "entries_a_second": round(result["entries"] / result["seconds"]),
        "entries_a_cpu_second": round(result["entries"] / result["cpu_seconds"]),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
    }
    if arguments.json:
        print(json.dumps(result, indent=2))
        return
    print(
        f"{result['entries']:,} entries of {result['streams']:,} streams in {result['seconds']:.1f} s: "
        f"{result['entries_a_second']:,} a second ({result['entries_a_cpu_second']:,} a second of CPU); "
        f"{result['mb_early']} MB at a tenth of the way, {result['mb_most']} MB at the most; "
        f"{'as they were written' if result['verified'] else result['findings'][:3]}"
    )


def settle(database_url: str) -> None:
    """The environment for the processes that are started here."""
    if database_url.startswith("sqlite:///"):
        os.environ["ECHOADMIN_DATA"] = str(Path(database_url.removeprefix("sqlite:///")).parent)
        os.environ.pop("DATABASE_URL", None)
    else:
        os.environ["DATABASE_URL"] = database_url
    os.environ.setdefault("ECHOADMIN_SECRET_KEY", "only for a made-up log, nobody signs in here: 0123456789abcdef")
    os.environ.setdefault("ECHOADMIN_SIGNING_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
    os.environ.setdefault("LOG_LEVEL", "ERROR")


if __name__ == "__main__":
    main()
