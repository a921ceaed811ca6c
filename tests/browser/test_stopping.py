"""Stop everything, by page: one button, one question, and every replica is silent."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import OPEN
from tests.browser.test_pages import check, faults
from tests.browser.test_whole_way import start

LONG = "A sentence that takes quite a while to be said. " * 100


def speak(page: Page, name: str) -> str:
    """A conversation whose replica is in the middle of a long line; returns its address."""
    start(page, name)
    page.locator("#say-text").fill(LONG)
    page.locator("#say-text").press("Enter")
    expect(page.locator("#echoes li .ea-state").first).to_have_text("speaking")
    return page.url


def stop(page: Page, then: str, why: str = "") -> None:
    page.get_by_role("button", name="Stop everything…").click()
    page.get_by_role("radio", name=then).check()
    page.get_by_label("Why").fill(why)
    page.get_by_role("button", name="Stop everything now").click()
    page.wait_for_url(re.compile(r"/conversation/stopped/\d+/$"))


def test_two_replicas_are_silent_after_one_button_on_the_home_page(opened: OPEN) -> None:
    page = opened()
    addresses = {name: speak(page, name) for name in ("Stopped one", "Stopped two")}
    page.goto("/admin/")
    stop(page, "Nothing more", "a rehearsal of stopping")
    for name, address in addresses.items():
        row = page.locator("#stopped li", has_text=name)
        expect(row).to_contain_text("an echo was interrupted")
        expect(row.locator(".ea-state")).to_have_text("silent")
        row.get_by_role("link", name=name, exact=True).click()
        expect(page).to_have_url(address)
        expect(page.locator("#echoes li .ea-state").first).to_have_text("interrupted")
        expect(page.locator('[data-live="room"]')).to_have_text("joined")
        page.go_back()
    page.get_by_role("link", name="In the log").click()
    stopped = page.locator("#entries > li", has_text="everything.stopped").first
    stopped.locator("summary").click()
    expect(stopped).to_contain_text("a rehearsal of stopping")


def test_everything_is_ended_from_the_list(opened: OPEN) -> None:
    page = opened()
    address = speak(page, "Ended with all")
    page.goto("/admin/conversations/conversation/")
    stop(page, "End the conversations")
    row = page.locator("#stopped li", has_text="Ended with all")
    expect(row.locator(".ea-state")).to_have_text("ended")
    check(page)
    page.goto(address)
    expect(page.locator('[data-live="state"]')).to_have_text("ended")
    page.goto("/admin/")
    expect(page.get_by_role("button", name="Stop everything…")).to_have_count(0)


def test_the_question_is_asked_once_and_can_be_left(opened: OPEN) -> None:
    page = opened()
    address = speak(page, "Goes on")
    page.goto("/admin/conversations/conversation/")
    page.get_by_role("button", name="Stop everything…").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert faults(page) == []
    page.get_by_role("button", name="Let it go on").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    check(page)
    page.goto(address)
    expect(page.locator("#echoes li .ea-state").first).to_have_text("speaking")
