"""From Enter in the browser to the words arriving in the twin's room, beside the REST call's, one by one in one run.

Both clocks are this machine's. `--json` for programs.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page, expect, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.browser.signing_in import sign_in
from tests.browser.test_whole_way import start
from tests.chromium import ARGUMENTS, chromium
from tests.console_process import ConsoleProcess, running_console

WARM_UP = 5
BETWEEN = 0.4  # s: the line before has been said, so that this one does not wait for it


def signed_in(console: ConsoleProcess, page: Page) -> None:
    """A joined conversation's page."""
    page.goto(f"{console.url}/admin/")
    sign_in(page, console.user, console.password)
    page.wait_for_url("**/admin/")
    start(page, "Live send")
    expect(page.locator('[data-live="room-more"]')).to_contain_text("the replica is there")
    # The moment of the key as the page itself gets it, before any of its scripts.
    page.evaluate(
        "addEventListener('keydown', ({ key }) => { if (key === 'Enter') window.pressed = performance.timeOrigin +"
        " performance.now(); }, true)"
    )


def percentiles(times: list[float]) -> dict[str, float]:
    """In ms."""
    ordered = sorted(times[WARM_UP:])
    return {"p50_ms": statistics.median(ordered), "p95_ms": ordered[int(len(ordered) * 0.95)]}


def measure(console: ConsoleProcess, page: Page, count: int) -> dict[str, Any]:
    """`count` lines by each way, turn by turn."""
    found = re.search(r"cv_\w+", page.url)
    assert found
    path = f"{console.url}/api/v1/conversations/{found.group()}/"
    times: dict[str, list[float]] = {"browser": [], "rest": []}
    with httpx.Client(headers={"Authorization": f"Bearer {console.api_key()}"}, timeout=30) as http:
        room = f"{console.twin_url}/twin/rooms/{http.get(path).json()['conversation_id']}/messages"

        def by_page(words: str) -> float:
            page.locator("#say-text").fill(words)
            page.keyboard.press("Enter")
            return float(page.evaluate("window.pressed")) / 1000

        def by_rest(words: str) -> float:
            began = time.time()
            http.post(f"{path}echoes/", json={"text": words}).raise_for_status()
            return began

        ways: dict[str, Callable[[str], float]] = {"browser": by_page, "rest": by_rest}
        for number in range(count + WARM_UP):
            for way, say in ways.items():
                words = f"Line {number} by {way}."
                began = say(words)
                times[way].append((arrival(http, room, words) - began) * 1000)
                time.sleep(BETWEEN)
    return {"lines": count, **{way: percentiles(taken) for way, taken in times.items()}}


def arrival(http: httpx.Client, room: str, words: str) -> float:
    """When the room got them (epoch seconds)."""
    deadline = time.time() + 30
    while time.time() < deadline:
        time.sleep(0.1)
        for row in http.get(room).json():
            if row["message"].get("properties", {}).get("text") == words and row["from_name"].startswith("echoadmin/"):
                return float(row["at"])
    raise RuntimeError(f"{words!r} did not arrive within 30 s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_console(Path(folder), TWIN_SPEED="50") as console,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        page = browser.new_page(base_url=console.url)
        signed_in(console, page)
        told = measure(console, page, asked.lines)
        browser.close()
    if asked.json:
        print(json.dumps(told))
        return
    for way in ("browser", "rest"):
        print(f"{way:8} p50 {told[way]['p50_ms']:6.1f} ms   p95 {told[way]['p95_ms']:6.1f} ms")


if __name__ == "__main__":
    main()
