"""First use: Start talking, the steps of an empty console, the home page that keeps itself up to date, pre-flight."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import OPEN
from tests.browser.signing_in import sign_in
from tests.browser.test_pages import check
from tests.browser.test_whole_way import CONVERSATION, start
from tests.console_process import ConsoleProcess, running_console

SAY = "What the replica says"


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleProcess]:
    """A console in which nothing was ever made."""
    with running_console(tmp_path_factory.mktemp("empty"), TWIN_SPEED="10", PRICE_PER_MINUTE="0.37") as started:
        yield started


def first_page(browser: Browser, console: ConsoleProcess) -> Page:
    page = browser.new_context(base_url=console.url).new_page()
    page.goto("/admin/")
    sign_in(page, console.user, console.password)
    return page


def test_an_empty_console_shows_three_steps_of_one_button_each(browser: Browser, empty: ConsoleProcess) -> None:
    page = first_page(browser, empty)
    steps = page.locator(".ea-steps li")
    expect(steps).to_have_count(3)
    expect(page.locator("#today-title")).to_have_count(0)
    check(page)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.get_by_role("button", name="Make the persona").click()
    expect(page.locator(".ea-step-done")).to_have_count(1)
    page.get_by_role("button", name="Make the conversation").click()
    expect(page.locator(".ea-step-done")).to_have_count(2)
    page.get_by_role("button", name="Join the room").click()
    page.wait_for_url(CONVERSATION)
    expect(page.locator('[data-live="room"]')).to_have_text("joined")
    say(page, "Step by step.")
    page.goto("/admin/")
    expect(page.locator(".ea-steps")).to_have_count(0)
    page.context.close()


def say(page: Page, words: str) -> None:
    page.get_by_label(SAY).fill(words)
    page.keyboard.press("Enter")
    echo = page.locator("#echoes li", has_text=words).first
    expect(echo.locator(".ea-state")).to_have_text("spoken")


def test_three_interactions_after_the_login_a_replica_has_spoken(opened: OPEN) -> None:
    page = opened("/admin/")
    page.get_by_role("button", name="Start talking").click()  # one
    page.wait_for_url(CONVERSATION)
    expect(page.locator("#say")).to_be_enabled()
    page.get_by_label(SAY).fill("Hello from the first page.")  # two
    page.keyboard.press("Enter")  # three
    echo = page.locator("#echoes li", has_text="Hello from the first page").first
    expect(echo.locator(".ea-state")).to_have_text("spoken")


def test_the_button_says_what_it_costs(opened: OPEN) -> None:
    page = opened("/admin/")
    button = page.get_by_role("button", name="Start talking")
    expect(button).to_contain_text("≈ 0.37 USD a minute")
    expect(button).to_have_attribute("title", re.compile(r"at most 22\.20 USD in 60 min"))


def test_home_tells_what_is_being_said_without_being_loaded_again(opened: OPEN) -> None:
    page, other = opened("/admin/"), opened()
    start(other, "Told at home")
    row = page.locator('[data-home="live"] li', has_text="Told at home")
    expect(row).to_contain_text("silent")
    expect(row).to_contain_text("2 in room")
    other.get_by_label(SAY).fill("A line that takes a while to be said. " * 60)
    other.keyboard.press("Enter")
    expect(row.locator(".ea-state")).to_have_text("speaking")
    expect(row).to_contain_text("A line that takes a while")
    link = row.get_by_role("link", name="Told at home")
    link.focus()
    with page.expect_response(re.compile("/home/state/")):
        pass
    assert page.evaluate("document.activeElement.textContent") == "Told at home", "the focus stays"


def test_a_hidden_home_page_asks_nothing(opened: OPEN) -> None:
    page = opened("/admin/")
    with page.expect_response(re.compile("/home/state/")):
        pass
    asked: list[str] = []
    hide = "Object.defineProperty(document, 'hidden', { value: true, configurable: true }); "
    page.evaluate(hide + "document.dispatchEvent(new Event('visibilitychange'))")
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(7000)
    assert asked == []
    with page.expect_response(re.compile("/home/state/")):
        page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")


def test_a_console_that_does_not_answer_is_told(opened: OPEN) -> None:
    page = opened("/admin/")
    page.route("**/home/state/**", lambda route: route.abort())
    expect(page.locator("[data-home-away]")).to_contain_text("does not answer")
    page.unroute("**/home/state/**")
    expect(page.locator("[data-home-away]")).to_be_hidden()


def test_the_pre_flight_is_green_for_an_echo_persona_and_tells_the_way_out_else(
    opened: OPEN, console: ConsoleProcess
) -> None:
    key = {"Authorization": f"Bearer {console.api_key()}"}
    live = httpx.get(f"{console.url}/api/v1/conversations/?status=active&limit=100", headers=key).json()["results"]
    for one in live:  # other tests' hold the slots
        httpx.post(f"{console.url}/api/v1/conversations/{one['id']}/end/", headers=key, timeout=30).raise_for_status()
    page = opened("/admin/conversations/conversation/add/?persona=pipecat0")
    told = page.locator("[data-preflight-told]")
    expect(told).to_have_text("Everything is ready.")
    expect(page.locator('#preflight li[data-kind="good"]')).to_have_count(9)
    page.goto("/admin/conversations/conversation/add/?persona=p-nowhere")
    expect(told).to_contain_text("it would fail")
    expect(page.locator('#preflight li[data-check="persona"]')).to_contain_text("Tavus has no persona p-nowhere")
    check(page)
