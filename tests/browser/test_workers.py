"""The console's worker by page: it is drained, its room is left, it takes rooms again, and the room is joined again."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import OPEN
from tests.browser.test_pages import check
from tests.browser.test_whole_way import start
from tests.waiting import until


def test_the_worker_is_drained_and_takes_rooms_again(opened: OPEN) -> None:
    page = opened()
    start(page, "Held by the worker")
    expect(page.locator('[data-live="room"]')).to_have_text("joined")
    conversation = page.url
    page.get_by_role("link", name="Workers").click()
    row = page.locator("tbody tr", has_text="alive")
    expect(row).to_contain_text("of 100")
    check(page)
    page.set_viewport_size({"width": 1440, "height": 900})
    row.get_by_role("link").first.click()
    expect(page.locator("#rooms li", has_text="Held by the worker")).to_contain_text("joined")
    page.get_by_role("button", name="Drain…").click()
    expect(page.get_by_role("dialog")).to_contain_text("No other worker is alive")
    page.get_by_role("button", name="Drain it").click()
    expect(page.get_by_text("It is being drained.")).to_be_visible()
    worker = page.url
    check(page)
    page.goto(conversation)
    expect(page.locator('[data-live="room"]')).to_have_text("idle")
    page.goto(worker)
    page.get_by_role("button", name="Take rooms again").click()
    state = page.locator(".ea-facts .ea-state").first
    until(lambda: page.reload() and state.inner_text() == "alive", "the worker has noticed that it takes rooms again")
    page.goto(conversation)
    expect(page.locator('[data-live="room"]')).to_have_text("joined")
    page.goto("/admin/log/entry/?event_type=worker.drain_asked")
    expect(page.locator("#entries > li")).to_have_count(1)
    expect(page.locator("#entries > li")).to_contain_text(re.compile("admin"))
