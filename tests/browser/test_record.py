"""The record by page: browse, search, open a row, hear it, the timeline, an export, and what arrives meanwhile."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OPEN
from tests.browser.test_pages import check
from tests.browser.test_whole_way import CONVERSATION, start
from tests.console_process import ConsoleProcess

LINE = "One more time, said the kangaroo."
LOG = "/admin/log/entry/"


def say(page: Page, words: str) -> None:
    page.locator("#say-text").fill(words)
    page.locator("#say-text").press("Enter")
    expect(page.locator("#echoes li", has_text=words).locator(".ea-state")).to_have_text("spoken")


@pytest.fixture(scope="module")
def told(console: ConsoleProcess, browser: object, signed_in: str) -> str:
    """The id of a conversation in which LINE was spoken, and a sound."""
    from conversations.audio import wav_header

    context = browser.new_context(base_url=console.url, storage_state=signed_in)  # type: ignore[attr-defined]
    context.set_default_timeout(30_000)
    page = context.new_page()
    start(page, "For the record")
    expect(page.locator('[data-live="room"]')).to_have_text("joined")
    say(page, LINE)
    file = {"name": "one.wav", "mimeType": "audio/wav", "buffer": wav_header(24_000, 24_000) + bytes(24_000)}
    page.locator("#say-audio").set_input_files(file)
    expect(page.locator("#echoes li", has_text="Audio").locator(".ea-state")).to_have_text("spoken")
    found = CONVERSATION.search(page.url)
    assert found is not None
    context.close()
    return found.group().split("/")[4]


def until_found(page: Page) -> None:
    """The index follows the log by some seconds: the page is asked until it has the row."""
    deadline = time.monotonic() + 30
    while not page.locator("#entries mark").count() and time.monotonic() < deadline:
        page.reload()


def test_words_are_found_marked_and_their_row_opens_with_what_it_belongs_to(opened: OPEN, told: str) -> None:
    page = opened(LOG)
    page.get_by_label("Search the log").fill("kangaroo")
    page.get_by_role("button", name="Search").click()
    page.wait_for_url(re.compile("text=kangaroo$"))
    until_found(page)
    row = page.locator("#entries > li", has_text="conversation.echo").first
    expect(row.locator("mark")).to_have_text("kangaroo")
    row.locator("summary").click()
    expect(row.locator("pre mark").first).to_have_text("kangaroo")
    expect(row.get_by_role("link", name="Its echo")).to_be_visible()
    expect(row.locator(".ea-around li[aria-current]")).to_have_count(1)
    row.get_by_role("link", name="Permanent link").click()
    expect(page.locator("pre")).to_contain_text("kangaroo")
    check(page)


def test_filters_become_chips_and_pages_lead_to_older_entries_and_back(opened: OPEN, told: str) -> None:
    page = opened(f"{LOG}?noise=1")
    page.get_by_role("button", name="+ Filter").click()
    page.get_by_label("Kind").select_option("app_message")
    page.get_by_role("button", name="Show", exact=True).click()
    page.wait_for_url(re.compile(r"kind=app_message"))
    assert "family=" not in page.url
    chip = page.get_by_role("link", name="kind App message")
    expect(chip).to_be_visible()
    page.locator(".ea-bars a").last.click()
    expect(page.locator(".ea-chip", has_text="before")).to_be_visible()
    page.get_by_role("link", name="kind App message").click()
    expect(page.locator(".ea-chip", has_text="kind")).to_have_count(0)


def test_an_audio_echo_is_one_row_that_plays(opened: OPEN, told: str) -> None:
    page = opened(f"{LOG}?conversation={told}&family=echo")
    row = page.locator("#entries > li", has_text="audio")
    expect(row).to_have_count(1)
    row.locator("summary").click()
    sound = row.locator("audio")
    expect(sound).to_be_visible()
    sound.evaluate("sound => { sound.preload = 'auto'; sound.load(); }")
    page.wait_for_function("() => document.querySelector('#entries audio').duration > 0.4")


def test_the_timeline_groups_by_echo_on_one_clock(opened: OPEN, told: str) -> None:
    page = opened(f"{LOG}timeline/{told}/")
    echo = page.locator('[data-block="echo"]', has_text="kangaroo")
    expect(echo.locator("details").first).to_be_visible()
    expect(echo).to_contain_text("started_speaking")
    assert page.locator('[data-block="echo"]').count() == 2
    check(page)


def test_an_export_is_made_in_the_background_and_downloaded(opened: OPEN, told: str) -> None:
    page = opened(f"{LOG}?conversation={told}")
    page.get_by_role("button", name="Export…").click()
    page.get_by_role("button", name="Make it in the background").click()
    expect(page.locator('[data-run="state"]')).to_have_text("done")
    with page.expect_download() as started:
        page.locator('[data-run="file"]').click()
    assert "kangaroo" in started.value.path().read_text()
    check(page)


def test_what_happens_arrives_by_itself_and_is_counted_while_paused(opened: OPEN, told: str) -> None:
    page = opened(f"{LOG}?conversation={told}")
    expect(page.locator("#live-state")).to_have_text("live")
    other = opened(f"/admin/conversations/conversation/{told}/change/")
    say(other, "Arrives by itself.")
    expect(page.locator("#entries > li", has_text="Arrives by itself.").first).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    say(other, "Is counted.")
    expect(page.locator("#log-new")).to_contain_text(re.compile(r"\d+ new"))
    expect(page.locator("#entries > li", has_text="Is counted.")).to_have_count(0)
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("#entries > li", has_text="Is counted.").first).to_be_visible()
    ids = page.locator("#entries > li").evaluate_all("rows => rows.map((row) => Number(row.dataset.id))")
    assert ids == sorted(set(ids), reverse=True)


def test_the_list_of_runs_is_accessible_and_fits_a_phone(opened: OPEN, told: str) -> None:
    check(opened("/admin/echoadmin/run/"))
