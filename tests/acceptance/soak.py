"""Whether a console that holds rooms stays as it is: `make soak`, or with --joins and --messages for a shorter one.

One room is joined and left 500 times, then its replica sends as many messages as heartbeats come in eight hours, fast.
Memory, threads and file handles of the process are looked at after a tenth of each, and at its end.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.acceptance.calling import Call
from tests.console_process import running_console
from tests.waiting import until

HEARTBEATS = 2 * 8 * 3600 // 5  # of both names, one every 5 s
FASTEST = 400  # messages a second
MORE_MEMORY, MORE_HANDLES, MORE_THREADS = 1.15, 8, 4  # what may come on top, as factor and numbers


def look(process: psutil.Process) -> dict[str, float]:
    """What it has now."""
    memory = round(process.memory_info().rss / 1e6, 1)
    return {"rss_mb": memory, "threads": process.num_threads(), "handles": process.num_fds()}


def is_level(early: dict[str, float], late: dict[str, float]) -> bool:
    """Whether nothing grew that should not."""
    return (
        late["rss_mb"] <= early["rss_mb"] * MORE_MEMORY
        and late["handles"] <= early["handles"] + MORE_HANDLES
        and late["threads"] <= early["threads"] + MORE_THREADS
    )


def join_and_leave(call: Call, process: psutil.Process, times: int) -> tuple[dict[str, float], dict[str, float]]:
    """So often; what it has after a tenth, and at the end."""
    early = look(process)
    for number in range(times):
        call.ask("POST", f"conversations/{call.id}/leave/")
        until(lambda: call.ask("GET", f"conversations/{call.id}/")["room"]["state"] == "idle", "the room is left", 60)
        call.ask("POST", f"conversations/{call.id}/join/")
        call.until_joined()
        if number == times // 10:
            early = look(process)
    return early, look(process)


def listen(call: Call, process: psutil.Process, messages: int) -> tuple[dict[str, float], dict[str, float]]:
    """To so many messages of the replica's."""
    url = f"{call.console.twin_url}/twin/rooms/{call.upstream_id}/chatter"
    call.http.put(url, json={"per_second": FASTEST}).raise_for_status()
    _until_heard(call, messages // 10)
    early = look(process)
    _until_heard(call, messages)
    call.http.put(url, json={"per_second": 0}).raise_for_status()
    return early, look(process)


def _until_heard(call: Call, messages: int) -> None:
    def heard() -> bool:
        path = f"entries/?conversation={call.id}&event_type=conversation.chatter&limit=1"
        newest = call.ask("GET", path)["results"]
        return bool(newest) and newest[0]["message"]["properties"]["number"] >= messages

    until(heard, f"{messages} messages are in the log", 60 + messages / 20)


def soak(joins: int, messages: int) -> dict[str, Any]:
    """Both, in one console."""
    with tempfile.TemporaryDirectory() as folder, running_console(Path(folder) / "c", TWIN_SPEED="50") as console:
        call = Call(console, console.api_key())
        process = psutil.Process(console.pid)
        call.open()
        began = time.monotonic()
        found = {"joins": join_and_leave(call, process, joins), "messages": listen(call, process, messages)}
        call.ask("POST", f"conversations/{call.id}/end/")
        seconds = round(time.monotonic() - began)
    told = {
        name: {"early": early, "late": late, "level": is_level(early, late)} for name, (early, late) in found.items()
    }
    return {**told, "seconds": seconds, "passed": all(one["level"] for one in told.values())}


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--joins", type=int, default=500)
    parser.add_argument("--messages", type=int, default=HEARTBEATS)
    arguments = parser.parse_args()
    found = soak(arguments.joins, arguments.messages)
    print(json.dumps(found, indent=1))
    sys.exit(not found["passed"])


if __name__ == "__main__":
    main()
