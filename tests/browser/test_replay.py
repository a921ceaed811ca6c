"""Replay by page: a look, other words into another room, how far it is, a stop, and where each echo comes from."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import OPEN
from tests.browser.test_pages import check
from tests.browser.test_record import say
from tests.browser.test_whole_way import CONVERSATION, start
from tests.console_process import ConsoleProcess

LINES = ("The river has fallen.", "The bridges are open.")
RUN = re.compile(r"/admin/echoadmin/run/rn_\w+/change/")
LONG = "It goes on and on. " * 40  # 760 characters: some 5 s at the twin's tenfold speed


@pytest.fixture(scope="module")
def source(console: ConsoleProcess, browser: Browser, signed_in: str) -> str:
    """The address of a conversation in which LINES and a sound were said."""
    from conversations.audio import wav_header

    context = browser.new_context(base_url=console.url, storage_state=signed_in)
    context.set_default_timeout(30_000)
    page = context.new_page()
    start(page, "Said before")
    expect(page.locator('[data-live="room"]')).to_have_text("joined")
    for words in LINES:
        say(page, words)
    file = {"name": "one.wav", "mimeType": "audio/wav", "buffer": wav_header(24_000, 24_000) + bytes(24_000)}
    page.locator("#say-audio").set_input_files(file)
    expect(page.locator("#echoes li", has_text="Audio").locator(".ea-state")).to_have_text("spoken")
    address = page.url.removeprefix(console.url)
    context.close()
    return address


def a_room(opened: OPEN, name: str) -> Page:
    """The page of a new conversation that can be spoken into."""
    page = opened()
    start(page, name)
    expect(page.locator('[data-live="room-more"]')).to_contain_text("the replica is there")
    return page


def ask(page: Page, source: str, into: Page) -> None:
    """The replay's form, on the way there that people take; said in the conversation of the page `into`."""
    page.goto(source)
    page.get_by_role("link", name="Replay…").click()
    found = CONVERSATION.search(into.url)
    assert found is not None
    page.get_by_label("Into").select_option(found.group().split("/")[4])
    page.get_by_label("Timing").select_option("no pauses")


def words(page: Page, number: int) -> Locator:
    return page.get_by_label(f"Words of line {number}", exact=True)


def state(page: Page) -> Locator:
    return page.locator('[data-run="state"]')


def row(page: Page, number: int) -> Locator:
    return page.locator(f'tr[data-line="{number}"]')


def test_a_look_then_other_words_said_into_another_conversation(opened: OPEN, source: str) -> None:
    into = a_room(opened, "Said again")
    page = opened()
    ask(page, source, into)
    total = page.locator("#replay-sum")
    expect(total).to_contain_text("3 echoes · about")
    words(page, 2).fill("The bridges are closed.")
    expect(total).to_contain_text("3 echoes · 1 changed")
    page.get_by_role("checkbox", name="Say line 3").uncheck()
    expect(total).to_contain_text("2 echoes · 1 changed")

    page.get_by_role("button", name="Only look (dry)").click()
    page.wait_for_url(RUN)
    expect(state(page)).to_have_text("done")
    expect(page.get_by_text("2 of 2 lines would be said, in 2 messages")).to_be_visible()
    expect(row(page, 2)).to_contain_text("The bridges are closed.")
    expect(row(page, 2)).to_contain_text("changed")
    expect(into.locator("#echoes li")).to_have_count(0)
    look = page.url

    page.go_back()
    expect(words(page, 2)).to_have_value("The bridges are closed.")
    expect(total).to_contain_text("2 echoes · 1 changed")
    page.get_by_role("button", name="Replay", exact=True).click()
    page.wait_for_url(RUN)
    expect(state(page)).to_have_text("done")
    expect(page.locator('[data-line="counted"]')).to_have_text("2 spoken")
    expect(page.locator('[data-run="words"]')).to_have_text("2 of 2")
    assert_origins(page, into)
    check(page)
    page.goto(look)
    check(page)


def assert_origins(page: Page, into: Page) -> None:
    """Each echo names its origin: on the run's page, on its own, and in the conversation where it was said."""
    said = into.locator("#echoes li")
    expect(said).to_have_count(2)
    expect(said.locator('[data-field="words"]')).to_have_text(["The bridges are closed.", LINES[0]])
    for number, line in enumerate(LINES, 1):
        origin = row(page, number).get_by_role("link", name=re.compile(r"^echo \d+ of Said before$"))
        address = origin.get_attribute("href")
        assert said.nth(2 - number).get_by_role("link", name="says again echo").get_attribute("href") == address
        row(page, number).get_by_role("link", name="The new echo").click()
        expect(page.locator("dd", has_text="by replay")).to_be_visible()
        page.locator(f'dd a[href="{address}"]').click()
        expect(page.locator("pre")).to_have_text(line)
        page.go_back()
        page.go_back()


def test_a_stop_takes_back_what_waits_and_it_goes_on_from_there(opened: OPEN, source: str) -> None:
    into = a_room(opened, "Stopped on the way")
    page = opened()
    ask(page, source, into)
    for number in (1, 2, 3):
        words(page, number).fill(LONG)
    page.get_by_role("button", name="Replay", exact=True).click()
    page.wait_for_url(RUN)
    expect(row(page, 1).locator(".ea-state")).to_have_text("speaking")
    expect(page.locator('[data-run="words"]')).to_have_text("0 of 3")
    page.get_by_role("button", name="Stop").click()
    expect(state(page)).to_have_text("stopped")
    expect(row(page, 2).locator(".ea-state")).to_have_text("not said")
    expect(row(page, 3).locator(".ea-state")).to_have_text("not said")
    expect(row(page, 1).locator(".ea-state")).to_have_text("spoken")  # to its end, and told without a reload
    assert into.locator("#echoes li .ea-state").all_text_contents().count("spoken") <= 1
    page.get_by_role("button", name="Go on from where it was").click()
    expect(state(page)).to_have_text("done")
    expect(page.locator('[data-line="counted"]')).to_have_text("3 spoken")
    spoken = into.locator("#echoes li .ea-state", has_text="spoken")
    expect(spoken).to_have_count(3)


def test_what_was_typed_is_kept_when_it_is_refused(opened: OPEN, source: str) -> None:
    into = a_room(opened, "Refused")
    page = opened()
    ask(page, source, into)
    words(page, 1).fill("Typed with care.")
    words(page, 2).fill("")
    page.get_by_role("checkbox", name="Say line 3").uncheck()
    page.get_by_role("button", name="Replay", exact=True).click()
    expect(page.locator(".ea-line", has=words(page, 2)).get_by_role("alert")).to_be_visible()
    expect(words(page, 1)).to_have_value("Typed with care.")
    expect(page.get_by_role("checkbox", name="Say line 3")).not_to_be_checked()
    expect(page.get_by_label("Timing")).to_have_value("0")
    changed = page.locator(".ea-line", has=words(page, 2))
    changed.get_by_role("button", name="as it was").click()
    expect(words(page, 2)).to_have_value(LINES[1])
    page.get_by_label("Longest pause").fill("soon")
    page.get_by_role("button", name="Only look (dry)").click()
    expect(page.get_by_role("alert")).to_contain_text("number")
    expect(page.get_by_label("Longest pause")).to_have_value("soon")
    expect(words(page, 1)).to_have_value("Typed with care.")
    check(page)


def test_one_echo_from_the_timeline_and_from_its_own_page(opened: OPEN, source: str) -> None:
    page = opened(source)
    page.get_by_role("link", name="Timeline").click()
    block = page.locator('[data-block="echo"]', has_text=LINES[1])
    block.get_by_role("link", name="Replay… this echo").click()
    expect(page.locator(".ea-line")).to_have_count(1)
    expect(words(page, 1)).to_have_value(LINES[1])
    page.get_by_role("link", name="Its page").click()
    page.get_by_role("link", name="Replay…").click()
    expect(words(page, 1)).to_have_value(LINES[1])
    page.get_by_role("link", name="All echoes of this conversation").click()
    expect(page.locator(".ea-line")).to_have_count(3)
    sound = page.get_by_label("Sound of line 3")
    sound.evaluate("sound => { sound.preload = 'auto'; sound.load(); }")
    page.wait_for_function("() => document.querySelector('.ea-line audio').duration > 0.4")
    page.get_by_role("button", name="Tick none").click()
    expect(page.locator("#replay-sum")).to_have_text("0 echoes")
    page.get_by_role("button", name="Tick all").click()
    expect(page.locator("#replay-sum")).to_contain_text("3 echoes")
    check(page)
