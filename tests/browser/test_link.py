"""The live page's link to the console: a connection that is dead without a word is noticed, and nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, Route, WebSocketRoute, expect

from tests.browser.conftest import OPEN
from tests.browser.test_whole_way import start

WITHIN = 3_000  # ms
WHEN_AWAY = """() => {
    const away = {}, begun = performance.now(), chip = document.querySelector("#log-live");
    const look = () => chip.textContent === "away" && (away.after ??= performance.now() - begun);
    new MutationObserver(look).observe(chip, { childList: true, characterData: true, subtree: true });
    return away;
}"""


class Cable:
    """Between a page and the console: cut, it carries nothing and tells neither end."""

    def __init__(self, page: Page) -> None:
        self.is_cut = False
        self.connections = 0
        page.route_web_socket("**/ws/v1/conversations/**", self._join)
        page.route("**/admin/conversations/conversation/**", self._pass)

    def _join(self, socket: WebSocketRoute) -> None:
        self.connections += 1
        far = socket.connect_to_server()
        lost: list[bool] = []  # a stream of which something was lost carries nothing after it

        def carry(to: WebSocketRoute, message: str | bytes) -> None:
            if self.is_cut:
                lost.append(True)
            if not lost:
                to.send(message)

        socket.on_message(lambda message: carry(far, message))
        far.on_message(lambda message: carry(socket, message))

    def _pass(self, route: Route) -> None:
        if self.is_cut:
            route.abort()
        else:
            route.fallback()


def joined(opened: OPEN, name: str) -> tuple[Page, Page, Cable]:
    """A page that watches a conversation over a cable, and another that speaks in it without one."""
    speaker = opened()
    start(speaker, name)
    expect(speaker.locator('[data-live="room-more"]')).to_contain_text("the replica is there")
    watcher = opened()
    cable = Cable(watcher)
    watcher.goto(speaker.url)
    expect(watcher.locator("#log-live")).to_have_text("live")
    return speaker, watcher, cable


def say(page: Page, words: str) -> None:
    line = page.get_by_label("What the replica says")
    line.fill(words)
    line.press("Enter")
    expect(line).to_have_value("")


def test_a_half_dead_connection_is_away_within_3_s_and_nothing_is_lost(opened: OPEN) -> None:
    speaker, watcher, cable = joined(opened, "Half-dead")
    cable.is_cut = True
    away = watcher.evaluate_handle(WHEN_AWAY)
    expect(watcher.locator("#log-live")).to_have_text("away")
    assert away.evaluate("away => away.after") < WITHIN
    expect(watcher.locator("#say-hint")).to_contain_text("out of reach")
    line = watcher.get_by_label("What the replica says")
    line.fill("Kept where it was typed.")
    line.press("Enter")
    expect(watcher.get_by_role("alert")).to_contain_text("Not sent")
    expect(line).to_have_value("Kept where it was typed.")
    say(speaker, "Said meanwhile.")
    expect(speaker.locator("#echoes li", has_text="Said meanwhile").locator(".ea-state")).to_have_text("spoken")
    expect(watcher.locator("#echoes li", has_text="Said meanwhile")).to_have_count(0)
    cable.is_cut = False
    expect(watcher.locator("#log-live")).to_have_text("live")
    expect(watcher.locator("#echoes li", has_text="Said meanwhile").locator(".ea-state")).to_have_text("spoken")
    said = watcher.locator("#log li", has_text="Said meanwhile.")
    expect(said).to_have_count(1)
    expect(line).to_have_value("Kept where it was typed.")
    expect(speaker.locator("#echoes li", has_text="Kept where")).to_have_count(0)
    line.press("Enter")
    expect(speaker.locator("#echoes li", has_text="Kept where").locator(".ea-state")).to_have_text("spoken")


def test_a_connection_that_is_well_stays_the_one_it_is_and_asks_for_nothing_else(opened: OPEN) -> None:
    speaker, watcher, cable = joined(opened, "Well")
    looks: list[str] = []
    watcher.on("request", lambda asked: looks.append(asked.url) if asked.url.endswith("/state/") else None)
    speaker.get_by_role("button", name="Leave").click()
    expect(watcher.locator('[data-live="room"]')).to_have_text("idle")
    expect(watcher.locator("#say")).to_be_disabled()
    watcher.wait_for_timeout(5_000)  # that nothing happens is seen by waiting
    assert (cable.connections, looks) == (1, [])


def withholding(page: Page, count: int, begins: Callable[[dict[str, Any]], bool]) -> list[int]:
    """The page does not get `count` entries, from one on that `begins`, and is told that they are missed."""
    withheld: list[int] = []

    def join(socket: WebSocketRoute) -> None:
        far = socket.connect_to_server()
        socket.on_message(far.send)

        def pass_on(message: str | bytes) -> None:
            said = json.loads(message)
            if said["type"] != "entry" or len(withheld) == count or not (withheld or begins(said["entry"])):
                return socket.send(message)
            withheld.append(said["entry"]["n"])
            if len(withheld) == count:
                missed = {"after": withheld[0] - 1, "until": withheld[-1], "count": count}
                socket.send(json.dumps({"type": "missed", **missed}))
            return None

        far.on_message(pass_on)

    page.route_web_socket("**/ws/v1/conversations/**", join)
    return withheld


def far_behind(opened: OPEN, name: str, address: str, begins: Callable[[dict[str, Any]], bool]) -> tuple[Page, Page]:
    """Who speaks, and a page that watches and misses 5 entries."""
    speaker = opened()
    start(speaker, name)
    expect(speaker.locator('[data-live="room-more"]')).to_contain_text("the replica is there")
    page = opened()
    withholding(page, 5, begins)
    page.goto(speaker.url + address)
    expect(page.locator("#log-live")).to_have_text("live")
    return speaker, page


def began_to_speak(entry: dict[str, Any]) -> bool:
    return str(entry["event_type"]).endswith("started_speaking")


def load_missed(page: Page) -> list[int]:
    """The numbers of the rows, once what was missed is there."""
    row = page.locator("#log > li", has_text="5 missed")
    row.get_by_role("button", name="Load").click()
    expect(row).to_have_count(0)
    numbers = page.locator("#log > [data-n]").evaluate_all("rows => rows.map((row) => Number(row.dataset.n))")
    return list(numbers)


def test_what_was_left_out_because_it_was_too_much_is_told_and_loaded(opened: OPEN) -> None:
    speaker, page = far_behind(opened, "Far behind", "?view=log&noise=1", lambda entry: True)
    before = int(page.locator("#log > [data-n]").last.get_attribute("data-n") or 0)
    say(speaker, "The first words.")
    expect(speaker.locator("#echoes li .ea-state").first).to_have_text("spoken")
    numbers = load_missed(page)
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert numbers[-1] >= before + 5


def test_what_was_left_out_of_an_echo_goes_into_its_line_and_moves_it_nowhere(opened: OPEN) -> None:
    speaker, page = far_behind(
        opened, "In its line", "", lambda entry: entry["event_type"].endswith("started_speaking")
    )
    say(speaker, "The first words.")
    line = page.locator('#log > [data-shape="said"]')
    number = line.get_attribute("data-n")
    expect(page.locator("#log > li", has_text="5 missed")).to_be_visible()
    assert load_missed(page).count(int(number or 0)) == 1
    expect(line).to_have_count(1)
    assert line.get_attribute("data-n") == number
