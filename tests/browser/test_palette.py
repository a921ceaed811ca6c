"""The palette: by keyboard alone, from anywhere, without disturbing what one was doing."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import OPEN
from tests.browser.test_pages import check, faults
from tests.browser.test_whole_way import CONVERSATION, start

LONG = "A sentence that takes quite a while to be said. " * 100


def ask(page: Page, words: str) -> None:
    page.keyboard.press("Control+k")
    expect(page.locator("#palette-text")).to_be_focused()
    page.keyboard.insert_text(words)


def test_any_page_is_reached_by_keyboard_alone(opened: OPEN) -> None:
    page = opened("/admin/accounts/apikey/")
    ask(page, "dut")
    expect(page.locator("#palette-hits [role=option]").first).to_contain_text("Duties")
    assert faults(page) == []
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/echoadmin/duty/")


def test_an_id_is_found_from_inside_the_composer_and_what_was_typed_stays(opened: OPEN) -> None:
    page = opened()
    start(page, "Palette")
    line = page.get_by_label("What the replica says")
    expect(page.locator("#say")).to_be_enabled()
    line.fill("half a li")
    line.focus()
    page.keyboard.press("Control+k")
    box = page.locator("#palette-text")
    expect(box).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#palette")).to_be_hidden()
    expect(line).to_be_focused()
    expect(line).to_have_value("half a li")
    ask(page, page.url.split("/")[-3])
    hit = page.locator("#palette-hits [role=option]").first
    expect(hit).to_contain_text("Palette")
    expect(hit).to_have_attribute("aria-selected", "true")
    assert box.get_attribute("aria-activedescendant") == hit.get_attribute("id")


def test_escape_closes_the_palette_and_interrupts_nothing(opened: OPEN) -> None:
    page = opened()
    start(page, "Uninterrupted")
    line = page.get_by_label("What the replica says")
    expect(page.locator("#say")).to_be_enabled()
    line.fill(LONG)
    line.press("Enter")
    state = page.locator("#echoes li .ea-state").first
    expect(state).to_have_text("speaking")
    line.focus()
    for _ in range(3):
        page.keyboard.press("Control+k")
        expect(page.locator("#palette-text")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.locator("#palette")).to_be_hidden()
    page.wait_for_timeout(1000)
    expect(state).to_have_text("speaking")


def test_enter_before_the_answer_goes_to_what_was_typed(opened: OPEN) -> None:
    page = opened("/admin/")
    page.keyboard.press("Control+k")
    expect(page.locator("#palette-hits [role=option]").first).to_be_visible()
    page.keyboard.insert_text("Gaps")
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/conversations/gap/")


def test_start_talking_by_the_palette(opened: OPEN) -> None:
    page = opened("/admin/log/entry/")
    ask(page, "start talk")
    expect(page.locator("#palette-hits [role=option]").first).to_contain_text("0.37 USD a minute")
    page.keyboard.press("Enter")
    page.wait_for_url(CONVERSATION)


def test_stop_everything_leads_to_its_question(opened: OPEN) -> None:
    page = opened("/admin/")
    ask(page, "stop every")
    expect(page.locator("#palette-hits [role=option]").first).to_contain_text("Stop everything…")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/conversation/#stop-confirm$"))
    expect(page.get_by_role("dialog", name="Stop everything?")).to_be_visible()


def test_a_question_mark_lists_the_keys_but_not_where_one_types(opened: OPEN) -> None:
    page = opened("/admin/")
    page.locator("body").press("Shift+?")
    dialog = page.get_by_role("dialog", name="Keyboard")
    expect(dialog).to_contain_text("interrupts the replica")
    assert faults(page) == []
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.goto("/admin/log/entry/")
    page.get_by_label("Search the log").press("Shift+?")
    expect(dialog).to_be_hidden()


def test_a_page_with_the_palettes_button_is_accessible(opened: OPEN) -> None:
    page = opened("/admin/echoadmin/duty/")
    page.get_by_role("button", name="Find, or do something").click()
    expect(page.locator("#palette-hits [role=option]").first).to_be_visible()
    assert faults(page) == []
    page.keyboard.press("Escape")
    check(page)
