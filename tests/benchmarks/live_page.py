"""The live page under load: 10,000 entries in its conversation, and 50 more arriving each second, for 10 minutes.

In a real chromium, on a real console with its twin, through whose room the entries come. Measured:

* scripting per frame: the time in which the page's main thread ran JavaScript (the union of the script events of
  Chrome's own trace) between two frames, of frames in which it ran any; traced for some seconds of each minute.
* memory: the JavaScript heap after a garbage collection, and the number of DOM nodes, at each minute. Level means that
  the last third is within 10 % of the first.
* first contentful paint of the conversation view: the median of five loads without a cache, as the browser tells it.
* whether every entry was shown: nothing in the log is newer than the newest row, and with `--raw` there were as many
  rows as entries.

Besides the 50 a second, two echoes are said every two seconds: a text, and a second of audio in its chunks.

`--raw` shows the log with each message as a row, the heavier view; without it, the conversation. `--json` for programs.
"""

from __future__ import annotations

import argparse
import base64
import json
import statistics
import sys
import tempfile
import threading
import time
from bisect import bisect_right
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, CDPSession, Page, expect, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.live_send import signed_in
from tests.chromium import ARGUMENTS, chromium
from tests.console_process import ConsoleProcess, running_console

MOST_SCRIPTING = 16.0  # ms a frame, at the 95th percentile
MOST_GROWTH = 1.10
FIRST_PAINT = 1_000.0  # ms
TRACED = 8.0  # s of each minute
CATEGORIES = "devtools.timeline,disabled-by-default-devtools.timeline,v8,toplevel"
SCRIPTS = {
    "EvaluateScript", "FunctionCall", "v8.callFunction", "BlinkScheduler_PerformMicrotaskCheckpoint",
    "FireAnimationFrame", "TimerFire", "EventDispatch", "MinorGC", "MajorGC", "V8.GCScavenger",
}  # fmt: skip
FRAME = "Layerize"  # once a frame, when all that changed is drawn
NOTE = """() => {
    window.added = 0; window.newest = 0;
    const note = (rows) => {
        for (const { line } of rows) {
            if (!line) continue;
            window.added += 1;
            window.newest = Math.max(window.newest, line.last);
        }
    };
    const watch = () => {
        const list = document.getElementById("log");
        if (!list) return requestAnimationFrame(watch);
        note(list.children);
        const changed = new MutationObserver((all) => all.forEach(({ addedNodes }) => note(addedNodes)));
        changed.observe(list, { childList: true });
    };
    watch();
}"""


def said(number: int) -> tuple[str, dict[str, Any]]:
    """One message of the replica's: what people say, in whole and word by word, heartbeats, somebody beginning."""
    words = {"role": "user", "speech": f"This is line {number}, about as long as what people say."}
    return (
        ("conversation.utterance", words),
        ("conversation.utterance.streaming", words),
        ("system.replica_present", {"attempt": number}),
        ("conversation.user.started_speaking", {"role": "user"}),
    )[number % 4]


LAST = "[added, Math.max(...[...document.getElementById('log').children].map(({ line }) => line?.last ?? 0))]"
NEWER = """async (newest) => {
    const query = new URLSearchParams(location.search);
    query.set("after", newest);
    const { base } = document.getElementById("conversation").dataset;
    return (await (await fetch(`${base}transcript/?${query}`)).json()).entries.length;
}"""


class Arrivals:
    """Messages from the replica's side of the room, `rate` a second, until it is stopped."""

    def __init__(self, twin: str, room: str, rate: float, most: float = float("inf")) -> None:
        self._address = f"{twin}/twin/rooms/{room}/messages"
        self._room, self._rate, self._most = room, rate, most
        self._stopped = threading.Event()
        self.sent = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Until all were sent."""
        self._thread.join()

    def stop(self) -> int:
        self._stopped.set()
        self._thread.join()
        return self.sent

    def _run(self) -> None:
        began = time.monotonic()
        with httpx.Client(timeout=30) as http:
            while self.sent < self._most:
                if self._stopped.wait(max(0.0, began + self.sent / self._rate - time.monotonic())):
                    return
                event_type, properties = said(self.sent)
                message = {"message_type": "conversation", "event_type": event_type, "properties": properties}
                body = json.dumps({**message, "conversation_id": self._room})
                http.post(self._address, content=body).raise_for_status()
                self.sent += 1


class Speaking:
    """A text and a second of audio through the API, every two seconds, until it is stopped."""

    def __init__(self, http: httpx.Client, conversation: str) -> None:
        self._http, self._path = http, f"conversations/{conversation}/echoes/"
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        second = base64.b64encode(bytes(range(256)) * 187 + bytes(128)).decode()
        while not self._stopped.wait(2.0):
            for body in ({"text": "Said while it is looked at."}, {"audio": second, "sample_rate": 24_000}):
                self._http.post(self._path, json=body).raise_for_status()


class Trace:
    """Chrome's trace of one page, for some seconds."""

    def __init__(self, cdp: CDPSession) -> None:
        self._cdp = cdp
        self._events: list[dict[str, Any]] = []
        self._done = False
        cdp.on("Tracing.dataCollected", lambda told: self._events.extend(told["value"]))
        cdp.on("Tracing.tracingComplete", lambda told: setattr(self, "_done", True))

    def take(self, page: Page, seconds: float) -> list[float]:
        """The ms of scripting of each frame that had any."""
        self._events, self._done = [], False
        self._cdp.send("Tracing.start", {"transferMode": "ReportEvents", "traceConfig": _categories()})
        page.wait_for_timeout(seconds * 1000)
        self._cdp.send("Tracing.end")
        while not self._done:
            page.wait_for_timeout(50)
        return scripting(self._events)


def _categories() -> dict[str, Any]:
    return {"includedCategories": CATEGORIES.split(","), "excludedCategories": ["*"]}


def scripting(events: list[dict[str, Any]]) -> list[float]:
    """The union of script events between two frames, in ms, on the thread that ran most of them."""
    spans: dict[tuple[int, int], list[tuple[float, float]]] = {}
    frames: dict[tuple[int, int], list[float]] = {}
    for event in events:
        thread = (event["pid"], event["tid"])
        if event["name"] == FRAME:
            frames.setdefault(thread, []).append(event["ts"])
        elif event["name"] in SCRIPTS and event.get("dur"):
            spans.setdefault(thread, []).append((event["ts"], event["ts"] + event["dur"]))
    main = max(frames, key=lambda thread: len(spans.get(thread, ())))
    starts = sorted(frames[main])
    taken = [0.0] * (len(starts) + 1)
    end = 0.0
    for begin, stop in sorted(spans.get(main, ())):
        taken[bisect_right(starts, begin)] += max(0.0, stop - max(begin, end)) / 1000
        end = max(end, stop)
    return [one for one in taken if one > 0]


def memory(cdp: CDPSession) -> dict[str, float]:
    """After a garbage collection."""
    cdp.send("HeapProfiler.collectGarbage")
    found = {one["name"]: one["value"] for one in cdp.send("Performance.getMetrics")["metrics"]}
    return {"heap_mb": found["JSHeapUsedSize"] / 1e6, "nodes": found["Nodes"]}


def first_paint(browser: Browser, page: Page, loads: int) -> float:
    """The median, in ms; each load in a profile of its own, whose cache is empty."""
    state = page.context.storage_state()
    taken = []
    for _ in range(loads):
        context = browser.new_context(storage_state=state, viewport={"width": 1440, "height": 900})
        fresh = context.new_page()
        fresh.goto(page.url)
        fresh.wait_for_function("performance.getEntriesByName('first-contentful-paint').length > 0")
        taken.append(fresh.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
        context.close()
    return statistics.median(taken)


def watch(page: Page, minutes: float) -> dict[str, Any]:
    """Frames and memory, minute by minute."""
    cdp = page.context.new_cdp_session(page)
    cdp.send("Performance.enable")
    trace = Trace(cdp)
    frames: list[float] = []
    kept: list[dict[str, float]] = []
    ends = time.monotonic() + minutes * 60
    while time.monotonic() < ends:
        minute = min(ends, time.monotonic() + 60)
        frames += trace.take(page, min(TRACED, minutes * 60 / 2))
        page.wait_for_timeout(max(0.0, minute - time.monotonic()) * 1000)
        kept.append(memory(cdp))
    return {"scripting": percentiles(frames), "memory": kept, "growth": growth(kept)}


def percentiles(frames: list[float]) -> dict[str, float]:
    """In ms."""
    ordered = sorted(frames)
    return {
        "frames": len(ordered),
        "p50_ms": statistics.median(ordered),
        "p95_ms": ordered[int(len(ordered) * 0.95)],
        "most_ms": ordered[-1],
    }


def growth(kept: list[dict[str, float]]) -> dict[str, float]:
    """The last third beside the first."""
    third = max(1, len(kept) // 3)
    return {
        name: statistics.mean(one[name] for one in kept[-third:]) / statistics.mean(one[name] for one in kept[:third])
        for name in ("heap_mb", "nodes")
    }


def measure(console: ConsoleProcess, browser: Browser, asked: argparse.Namespace) -> dict[str, Any]:
    page = browser.new_page(base_url=console.url, viewport={"width": 1440, "height": 900})
    signed_in(console, page)
    conversation = page.url.split("/")[-3]
    room = page.locator("dd code", has_text="daily.co/").inner_text().rsplit("/", 1)[1]
    Arrivals(console.twin_url, room, 1_000, asked.entries).wait()
    paint = first_paint(browser, page, asked.loads)
    page.add_init_script(f"({NOTE})()")
    page.goto(page.url + ("?view=log&noise=1" if asked.raw else ""))
    expect(page.locator("#log-live")).to_have_text("live")
    before = page.evaluate("[added, newest]")
    key = {"Authorization": f"Bearer {console.api_key()}"}
    with httpx.Client(base_url=f"{console.url}/api/v1/", headers=key, timeout=30) as http:
        arrivals, speaking = Arrivals(console.twin_url, room, asked.rate), Speaking(http, conversation)
        told = watch(page, asked.minutes)
        speaking.stop()
        sent = arrivals.stop()
        page.wait_for_timeout(3_000)
        added, newest = page.evaluate(LAST)
    newer = page.evaluate(NEWER, newest)
    shown = {"sent": sent, "entries": newest - before[1], "rows": added - before[0], "newer_in_the_log": newer}
    told |= {"entries": asked.entries, "raw": asked.raw, "first_paint_ms": paint, "shown": shown}
    return told | {"passed": passed(told)}


def passed(told: dict[str, Any]) -> bool:
    """Whether all of it is as it is wanted."""
    shown = told["shown"]
    whole = shown["newer_in_the_log"] == 0 and (not told["raw"] or shown["rows"] == shown["entries"])
    level = all(grown <= MOST_GROWTH for grown in told["growth"].values())
    quick = told["scripting"]["p95_ms"] <= MOST_SCRIPTING and told["first_paint_ms"] < FIRST_PAINT
    return bool(whole and level and quick)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=50.0, help="entries a second")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--loads", type=int, default=5)
    parser.add_argument("--raw", action="store_true")
    parser.add_argument("--smoke", action="store_true", help="a few seconds, to see that it runs")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if asked.smoke:
        asked.entries, asked.minutes, asked.loads = 500, 0.05, 1
    with (
        tempfile.TemporaryDirectory() as folder,
        running_console(Path(folder), TWIN_SPEED="50") as console,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        told = measure(console, browser, asked)
        browser.close()
    if asked.json:
        print(json.dumps(told))
    else:
        tell(told)


def tell(told: dict[str, Any]) -> None:
    frames, growing = told["scripting"], told["growth"]
    print(f"scripting a frame  p50 {frames['p50_ms']:.1f}  p95 {frames['p95_ms']:.1f} (≤ {MOST_SCRIPTING:.0f})  most "
          f"{frames['most_ms']:.1f} ms, of {frames['frames']} frames")  # fmt: skip
    for minute, one in enumerate(told["memory"], 1):
        print(f"minute {minute:2}  heap {one['heap_mb']:.1f} MB  {one['nodes']:,.0f} nodes")
    print(f"last third beside the first: heap {growing['heap_mb']:.2f}, nodes {growing['nodes']:.2f} (≤ {MOST_GROWTH})")
    print(f"first contentful paint {told['first_paint_ms']:.0f} ms (< {FIRST_PAINT:.0f})")
    print(f"shown: {told['shown']}")
    print("passed" if told["passed"] else "NOT passed")


if __name__ == "__main__":
    main()
