"""Rehearse faults by page: a fault is armed, the console meets it and says so, and it is removed."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import OPEN
from tests.browser.test_pages import check
from tests.browser.test_whole_way import start

PAGE = "/admin/sandbox/faults/"


def test_the_next_conversation_is_refused_as_rehearsed_and_the_one_after_is_made(opened: OPEN) -> None:
    page = opened()
    page.get_by_role("link", name="Rehearse faults").click()
    page.get_by_role("radio", name=re.compile("No credits are left")).check()
    page.get_by_role("button", name="Arm it").click()
    expect(page.locator("#armed li")).to_contain_text("No credits are left (402)")
    expect(page.locator("#armed li")).to_contain_text("1 more time")
    page.goto("/admin/conversations/conversation/add/?persona=pipecat0")
    page.get_by_role("button", name="Create and join (starts the clock)").click()
    expect(page.get_by_text("out of conversational credits").first).to_be_visible()
    page.goto(PAGE)
    expect(page.get_by_text("Nothing goes wrong.")).to_be_visible()
    start(page, "After the rehearsal")
    expect(page.locator('[data-live="state"]')).to_have_text("active")


def test_a_replica_leaves_in_the_middle_of_a_word_of_one_conversation(opened: OPEN) -> None:
    page = opened()
    start(page, "Loses its replica")
    expect(page.locator('[data-live="room-more"]')).to_contain_text("the replica is there")
    page.locator("#say-text").fill("A sentence that takes quite a while to be said. " * 100)
    page.locator("#say-text").press("Enter")
    expect(page.locator("#echoes li .ea-state").first).to_have_text("speaking")
    conversation = page.url
    page.goto(PAGE)
    page.get_by_role("radio", name=re.compile("The replica leaves")).check()
    page.get_by_role("combobox", name="Where").select_option(label="Loses its replica")
    page.get_by_role("button", name="Arm it").click()
    page.goto(conversation)
    expect(page.locator("#echoes li .ea-state").first).to_have_text("unconfirmed")


def test_the_page_is_accessible_and_what_is_armed_is_removed(opened: OPEN) -> None:
    page = opened(PAGE)
    for name in ("The room is full", "The replica never comes"):
        page.get_by_role("radio", name=re.compile(name)).check()
        page.get_by_label("Until it is removed").check()
        page.get_by_role("button", name="Arm it").click()
        expect(page.locator("#armed li", has_text=name)).to_contain_text("until it is removed")
    check(page)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.get_by_role("button", name="Remove The room is full").click()
    expect(page.locator("#armed li")).to_have_count(1)
    page.get_by_role("button", name="Remove all").click()
    expect(page.get_by_text("Nothing goes wrong.")).to_be_visible()
