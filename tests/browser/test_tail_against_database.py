"""The live page against the database: cut off 20 times while 5,000 entries come, it shows each once and in order."""

from __future__ import annotations

import json
import random
import sqlite3
import threading
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import Browser, Page, WebSocket, expect

from tests.browser.conftest import OPEN
from tests.browser.test_whole_way import start
from tests.console_process import ConsoleProcess
from tests.cut_proxy import cut_proxy

ENTRIES = 5_000
CUTS = 20
SEED = 20261127
NOTE_ROWS = """() => {
    window.seen = [];
    const note = (rows) => { for (const row of rows) if (row.dataset?.n) window.seen.push(Number(row.dataset.n)); };
    const watch = () => {
        const list = document.getElementById("log");
        if (!list) return requestAnimationFrame(watch);
        note(list.children);
        const changed = new MutationObserver((all) => all.forEach(({ addedNodes }) => note(addedNodes)));
        changed.observe(list, { childList: true });
    };
    watch();
}"""


def tell(twin: str, room: str, count: int) -> None:
    """`count` utterances from the replica's side of the room."""
    with httpx.Client(timeout=30) as http:
        for number in range(count):
            properties = {"role": "user", "speech": f"Line {number}."}
            message = {"message_type": "conversation", "event_type": "conversation.utterance", "properties": properties}
            body = json.dumps({**message, "conversation_id": room})
            http.post(f"{twin}/twin/rooms/{room}/messages", content=body).raise_for_status()


def stored(console: ConsoleProcess, conversation: str) -> list[int]:
    """The numbers of its entries, as the database has them."""
    with sqlite3.connect(f"file:{console.data / 'sandbox.sqlite3'}?mode=ro", uri=True) as database:
        rows = database.execute(
            "SELECT n FROM log_entry WHERE stream = (SELECT id FROM log_stream WHERE public_id = ?) ORDER BY n",
            [conversation],
        )
        return [n for (n,) in rows]


def wait_past(page: Page, count: int) -> None:
    page.wait_for_function("count => window.seen.length >= count", arg=count, timeout=120_000)


def test_each_entry_is_shown_once_and_in_order_over_20_cuts(
    opened: OPEN, browser: Browser, console: ConsoleProcess, signed_in: str
) -> None:
    speaker = opened()
    start(speaker, "Cut twenty times")
    expect(speaker.locator('[data-live="room-more"]')).to_contain_text("the replica is there")
    room = speaker.locator("dd code", has_text="daily.co/").inner_text().rsplit("/", 1)[1]
    path = urlsplit(speaker.url).path
    speaker.close()
    chance = random.Random(SEED)
    with cut_proxy(urlsplit(console.url).port or 80) as proxy:
        context = browser.new_context(base_url=f"http://127.0.0.1:{proxy.port}", storage_state=signed_in)
        page = context.new_page()
        sockets: list[WebSocket] = []
        page.on("websocket", lambda socket: sockets.append(socket))  # playwright takes no method of a list
        page.add_init_script(f"({NOTE_ROWS})()")
        page.goto(f"{path}?view=log&noise=1")
        expect(page.locator("#log-live")).to_have_text("live")
        teller = threading.Thread(target=tell, args=(console.twin_url, room, ENTRIES))
        teller.start()
        reached = sorted(chance.sample(range(50, ENTRIES - 50), CUTS))
        for count in reached:
            wait_past(page, count)
            expect(page.locator("#log-live")).to_have_text("live")
            with page.expect_websocket():  # until the page has noticed: one cut must not hide behind another
                proxy.cut()
        teller.join()
        wait_past(page, ENTRIES)
        conversation = path.split("/")[-3]
        page.wait_for_function("n => window.seen.at(-1) >= n", arg=stored(console, conversation)[-1])
        seen = page.evaluate("window.seen")
        closed = [socket.is_closed() for socket in sockets]
        context.close()
    assert closed == [True] * CUTS + [False]
    there = stored(console, conversation)
    assert seen == there[: len(seen)]
    assert len(there) - len(seen) < 5  # what came since
