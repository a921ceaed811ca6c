"""By page alone: sign in, an echo persona, a conversation, its room, a line, and the line spoken."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import OPEN
from tests.browser.signing_in import sign_in
from tests.console_process import ConsoleProcess

CONVERSATION = re.compile(r"/admin/conversations/conversation/cv_\w+/change/")


def start(page: Page, name: str) -> None:
    """A conversation with pipecat's stock echo persona, joined."""
    page.goto("/admin/conversations/conversation/add/?persona=pipecat0")
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Create and join (starts the clock)").click()
    page.wait_for_url(CONVERSATION)


def test_the_whole_way_by_page(opened: OPEN, console: ConsoleProcess) -> None:
    page = opened("/admin/", signed=False)
    sign_in(page, console.user, console.password)
    page.get_by_role("link", name="Personas").click()
    page.get_by_role("link", name="New persona").click()
    page.get_by_label("Name").fill("Music host")
    page.get_by_role("radio", name=re.compile("Nathan")).check(force=True)
    page.get_by_role("button", name="Make the persona").click()
    page.get_by_role("link", name="New conversation with it").click()
    page.get_by_label("Name").fill("Music Chat")
    page.get_by_role("button", name="Create and join (starts the clock)").click()
    page.wait_for_url(CONVERSATION)
    expect(page.locator('[data-live="room"]')).to_have_text("joined")
    expect(page.locator('[data-live="room-more"]')).to_contain_text("the replica is there")
    line = page.get_by_label("What the replica says")
    line.fill("Around the world, around the world.")
    line.press("Enter")
    echo = page.locator("#echoes li").first
    expect(echo).to_contain_text("Around the world")
    expect(echo.locator(".ea-state")).to_have_text("spoken")
    expect(line).to_have_value("")
    log = page.locator("#log")
    said = log.locator('[data-shape="said"]', has_text="Around the world, around the world.")
    expect(said.locator(".ea-state")).to_have_text("spoken")


def test_an_audio_file_is_spoken(opened: OPEN) -> None:
    from conversations.audio import wav_header

    page = opened()
    start(page, "Audio")
    expect(page.locator('[data-live="room"]')).to_have_text("joined")
    samples = bytes(96_000)
    file = {"name": "two.wav", "mimeType": "audio/wav", "buffer": wav_header(len(samples), 24_000) + samples}
    page.locator("#say-audio").set_input_files(file)
    expect(page.locator("#echoes li .ea-state").first).to_have_text("spoken")
    expect(page.locator("#log .ea-player")).to_contain_text("2 s")


def test_what_is_wrong_with_a_file_is_told_where_one_is(opened: OPEN) -> None:
    page = opened()
    start(page, "Broken")
    expect(page.locator("#say")).to_be_enabled()
    video = {"name": "a.mp4", "mimeType": "video/mp4", "buffer": b"\0\0\0\x18ftypmp42"}
    page.locator("#say-audio").set_input_files(video)
    expect(page.get_by_role("alert")).to_contain_text("video")


def test_escape_interrupts_and_cancels_the_queue(opened: OPEN) -> None:
    page = opened()
    start(page, "Interrupted")
    expect(page.locator('[data-live="room-more"]')).to_contain_text("the replica is there")
    line = page.get_by_label("What the replica says")
    for words in ("A long line. " * 150, "Never said."):
        line.fill(words)
        line.press("Enter")
        expect(line).to_have_value("")
    long = page.locator("#echoes li", has_text="A long line")
    expect(long.locator(".ea-state")).to_have_text("speaking")
    line.press("Escape")
    expect(long.locator(".ea-state")).to_have_text("interrupted")
    queued = page.locator("#echoes li", has_text="Never said")
    expect(queued.locator(".ea-state")).to_have_text("cancelled")
    queued.get_by_role("button", name="Say again").click()
    expect(page.locator("#echoes li", has_text="Never said").first.locator(".ea-state")).to_have_text("spoken")


def test_leave_join_and_end(opened: OPEN) -> None:
    page = opened()
    start(page, "Ended")
    room = page.locator('[data-live="room"]')
    expect(room).to_have_text("joined")
    page.get_by_role("button", name="Leave").click()
    expect(room).to_have_text("idle")
    expect(page.locator("#say")).to_be_disabled()
    expect(page.locator("#say-hint")).to_contain_text("Join the room first")
    page.get_by_role("button", name="Join").click()
    expect(room).to_have_text("joined")
    page.get_by_role("button", name="End…").click()
    expect(page.get_by_role("dialog")).to_contain_text("can't be taken up again")
    page.get_by_role("button", name="Let it go on").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.get_by_role("button", name="End…").click()
    page.get_by_role("button", name="End it now").click()
    expect(page.locator('[data-live="state"]')).to_have_text("ended")
    expect(page.locator("#say-hint")).to_contain_text("This conversation has ended")


def test_a_second_window_sees_what_the_first_one_says(opened: OPEN) -> None:
    first = opened()
    start(first, "Two windows")
    second = opened(first.url)
    expect(second.locator("#log-live")).to_have_text("live")
    line = first.get_by_label("What the replica says")
    line.fill("Seen by both.")
    line.press("Enter")
    expect(second.locator("#echoes li", has_text="Seen by both").locator(".ea-state")).to_have_text("spoken")


def test_times_are_the_viewers_own_with_utc_on_hover(opened: OPEN) -> None:
    page = opened("/admin/personas/persona/")
    time = page.locator("time[data-local]").last
    assert time.get_attribute("title").split(" · ")[0].endswith("UTC")
    assert "GMT+5:30" in time.get_attribute("title") or "IST" in time.get_attribute("title")
    utc = time.get_attribute("datetime")
    offset = page.evaluate("at => new Date(at).getTimezoneOffset()", utc)
    assert offset == -330
