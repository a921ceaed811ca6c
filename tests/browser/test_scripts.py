"""Scripts by page alone: written, moved about, started on the live page, paused, skipped, stopped; by keyboard too."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from conversations.audio import wav_header
from tests.browser.conftest import OPEN
from tests.browser.test_pages import check
from tests.browser.test_replay import LONG, a_room

RUN = re.compile(r"/admin/echoadmin/run/rn_\w+/change/")
SCRIPT = re.compile(r"/admin/conversations/script/sc_\w+/change/$")


def words(page: Page, number: int) -> Locator:
    return page.get_by_label(f"Words of line {number}", exact=True)


def written(page: Page, name: str, *lines: str) -> None:
    """A script, written on its page."""
    page.goto("/admin/conversations/script/add/")
    page.get_by_label("Name", exact=True).fill(name)
    for number, line in enumerate(lines, 1):
        if words(page, number).count() == 0:
            page.get_by_role("button", name="Add a line").click()
        words(page, number).fill(line)
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(SCRIPT)


def panel(page: Page) -> Locator:
    return page.locator("#script")


def state(page: Page) -> Locator:
    return page.locator('[data-script="state"]')


def press(page: Page, name: str) -> None:
    panel(page).get_by_role("button", name=name, exact=True).click()


def begin(page: Page, name: str, **values: str) -> None:
    """Choose a script in the panel, fill it in, and start it."""
    page.reload()  # the scripts of now
    page.get_by_label("Run a script").select_option(label=name)
    for variable, value in values.items():
        panel(page).get_by_label(variable, exact=True).fill(value)
    press(page, "Start")


def said(page: Page) -> Locator:
    return page.locator("#echoes li", has=page.locator(".ea-state", has_text="spoken"))


def test_lines_are_written_moved_by_button_and_by_key_and_taken_away(opened: OPEN) -> None:
    page = opened("/admin/conversations/script/")
    page.get_by_role("link", name="New script").first.click()
    page.get_by_label("Name", exact=True).fill("Moved about")
    words(page, 1).fill("Second.")
    words(page, 2).fill("First, {{guest}}.")
    words(page, 3).fill("Gone.")
    expect(page.locator("#script-said")).to_contain_text("3 lines")
    page.get_by_role("button", name="Take line 3 away").click()
    page.get_by_role("button", name="Line 2 up").click()
    expect(words(page, 1)).to_have_value("First, {{guest}}.")
    words(page, 1).press("Alt+ArrowDown")
    expect(words(page, 2)).to_be_focused()
    words(page, 2).press("Alt+ArrowUp")
    expect(words(page, 1)).to_have_value("First, {{guest}}.")
    page.get_by_label("guest, if nothing is given").fill("you")
    file = {"name": "bell.wav", "mimeType": "audio/wav", "buffer": wav_header(24_000, 24_000) + bytes(24_000)}
    page.locator("#script-file").set_input_files(file)
    expect(page.locator(".ea-script-clip", has_text="bell.wav")).to_contain_text("0.5 s")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(SCRIPT)
    expect(page.locator(".ea-table-words")).to_have_text(["First, {{guest}}.", "Second.", "bell.wav"])
    page.get_by_role("link", name="Edit").click()
    expect(page.get_by_label("guest, if nothing is given")).to_have_value("you")
    words(page, 2).fill("Not {{closed.")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert").filter(has_text="makes no variable")).to_be_visible()
    expect(words(page, 2)).to_have_value("Not {{closed.")
    page.goto(page.url.removesuffix("edit/"))
    check(page)
    page.get_by_role("link", name="Edit").click()
    check(page)


def test_a_script_is_said_line_by_line_and_a_missing_variable_is_asked_for(opened: OPEN) -> None:
    page = opened()
    written(page, "Greeting", "Hello {{guest}}.", "How are you?", "Goodbye, {{guest}}.")
    page = a_room(opened, "Greeted")
    begin(page, "Greeting")
    expect(panel(page).get_by_role("alert")).to_contain_text("Give guest")
    panel(page).get_by_label("guest", exact=True).fill("Ana")
    press(page, "Start")
    expect(state(page)).to_have_text("done")
    expect(page.locator('[data-script="at"]')).to_have_text("3 of 3 lines")
    expect(said(page).locator('[data-field="words"]')).to_have_text(["Goodbye, Ana.", "How are you?", "Hello Ana."])
    panel(page).get_by_role("link", name="Greeting").click()
    page.wait_for_url(RUN)
    expect(page.locator('[data-line="counted"]')).to_have_text("3 spoken")
    check(page)


def test_it_is_paused_goes_on_is_skipped_and_stopped_where_one_speaks(opened: OPEN) -> None:
    page = opened()
    written(page, "Long", LONG, f"Two. {LONG * 3}", f"Three. {LONG}", "Four.")
    page = a_room(opened, "A long one")
    begin(page, "Long")
    expect(page.locator('[data-script="at"]')).to_have_text("line 1 of 4")
    expect(page.locator("#echoes li .ea-state")).to_have_text(["speaking"])
    press(page, "Pause")
    expect(state(page)).to_have_text("paused")
    expect(page.locator("#echoes li .ea-state")).to_have_text(["spoken"])  # to its end, and no other
    press(page, "Resume")
    expect(page.locator("#echoes li", has_text="Two.").locator(".ea-state")).to_have_text("speaking")
    press(page, "Skip line")
    expect(page.locator("#echoes li", has_text="Two.").locator(".ea-state")).to_have_text("interrupted")
    expect(page.locator("#echoes li", has_text="Three.").locator(".ea-state")).to_have_text("speaking")
    press(page, "Stop script")
    expect(state(page)).to_have_text("stopped")
    expect(page.locator("#echoes li", has_text="Three.").locator(".ea-state")).to_have_text("spoken")
    expect(page.locator("#echoes li", has_text="Four.")).to_have_count(0)
    expect(panel(page).get_by_role("button", name="Start")).to_be_visible()
    press(page, "Resume")
    expect(state(page)).to_have_text("done")
    expect(page.locator("#echoes li", has_text="Four.").locator(".ea-state")).to_have_text("spoken")


def test_an_interrupt_pauses_it_and_the_panel_says_why(opened: OPEN) -> None:
    page = opened()
    written(page, "Interrupted", LONG * 3, "The next one.")
    page = a_room(opened, "To be interrupted")
    begin(page, "Interrupted")
    expect(page.locator("#echoes li .ea-state").first).to_have_text("speaking")
    page.locator("#say-text").press("Escape")
    expect(state(page)).to_have_text("paused")
    expect(panel(page).get_by_role("alert")).to_contain_text("Line 1 of 2 was interrupted")
    press(page, "Resume")
    expect(state(page)).to_have_text("done")
    expect(panel(page).get_by_role("alert")).to_have_count(0)
    check(page)


def test_it_is_started_from_the_scripts_own_page(opened: OPEN) -> None:
    into = a_room(opened, "From its page")
    page = opened()
    written(page, "By its page", "Hello {{guest}}.")
    page.get_by_role("link", name="Run…").click()
    address = page.url
    page.get_by_label("Into").select_option(into.url.split("/")[-3])
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("alert")).to_contain_text("Give guest")
    page.get_by_label("guest", exact=True).fill("Bo")
    page.get_by_role("button", name="Start").click()
    page.wait_for_url(RUN)
    expect(page.locator('[data-run="state"]')).to_have_text("done")
    expect(said(into)).to_have_count(1)
    page.goto(address)
    check(page)
