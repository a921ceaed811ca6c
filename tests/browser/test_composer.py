"""The composer: by keyboard, and nothing that was typed is lost."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from conversations import interactions
from conversations.audio import wav_header
from tests.browser.conftest import OPEN
from tests.browser.test_whole_way import start

LONG = "A sentence that goes on for a while, and then ends. " * 100


@pytest.fixture
def page(opened: OPEN) -> Page:
    page = opened()
    start(page, "Composer")
    expect(page.locator('[data-live="room"]')).to_have_text("joined")
    expect(page.locator("#say")).to_be_enabled()
    return page


def line(page: Page):  # type: ignore[no-untyped-def]
    return page.get_by_label("What the replica says")


def test_enter_says_shift_enter_makes_a_line_and_up_recalls(page: Page) -> None:
    for words in ("First.", "Second."):
        line(page).fill(words)
        line(page).press("Enter")
        expect(page.locator("#echoes li", has_text=words)).to_have_count(1)
    line(page).press("ArrowUp")
    expect(line(page)).to_have_value("Second.")
    line(page).press("ArrowUp")
    expect(line(page)).to_have_value("First.")
    line(page).press("ArrowDown")
    expect(line(page)).to_have_value("Second.")
    line(page).press("End")
    line(page).press("Shift+Enter")
    page.keyboard.type("More.")
    expect(line(page)).to_have_value("Second.\nMore.")
    line(page).press("ArrowUp")  # what was changed is not taken away
    expect(line(page)).to_have_value("Second.\nMore.")
    line(page).press("Enter")
    expect(page.locator("#echoes li", has_text="More.")).to_have_count(1)


def test_a_draft_is_kept_over_a_reload(page: Page) -> None:
    line(page).fill("Half a thou")
    page.reload()
    expect(line(page)).to_have_value("Half a thou")


def test_what_is_typed_fast_is_said_in_order(page: Page) -> None:
    line(page).focus()
    for number in range(5):
        page.keyboard.type(f"Number {number}.")
        page.keyboard.press("Enter")
    expect(page.locator("#echoes li")).to_have_count(5)
    told = page.locator("#echoes li [data-field=words]").all_inner_texts()
    assert told == [f"Number {number}." for number in reversed(range(5))]


def test_a_send_that_fails_gives_the_words_back_and_the_next_try_says_them_once(page: Page) -> None:
    page.route("**/speak/", lambda route: (route.fetch(), route.abort()))  # it arrives; its answer does not
    line(page).fill("Only once.")
    line(page).press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("did not answer")
    expect(line(page)).to_have_value("Only once.")
    page.unroute("**/speak/")
    line(page).press("Enter")
    expect(line(page)).to_have_value("")
    expect(page.locator("#echoes li .ea-state").first).to_have_text("spoken")
    assert page.locator("#echoes li").count() == 1


def test_one_can_type_when_nothing_can_be_said_and_is_told_why(page: Page) -> None:
    page.get_by_role("button", name="Leave").click()
    expect(page.locator("#say")).to_be_disabled()
    expect(page.locator("#say-hint")).to_contain_text("Join the room first")
    line(page).fill("For later.")
    line(page).press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Join the room first")
    expect(line(page)).to_have_value("For later.")
    assert page.locator("#echoes li").count() == 0


def test_a_long_text_shows_where_it_is_cut_as_the_server_cuts_it(page: Page) -> None:
    line(page).fill(LONG)
    parts = interactions.split_text(LONG.strip(), "c" * 33, "0" * 32)
    expect(page.locator("#say-length")).to_contain_text(f"{len(parts)} messages")
    expect(page.locator("#say-cuts li")).to_have_count(len(parts) - 1)
    expect(page.locator("#say-cuts li").first).to_contain_text("and then ends. ✂ A sentence")
    line(page).fill("Short.")
    expect(page.locator("#say-cuts")).to_be_hidden()
    expect(page.locator("#say-length")).to_contain_text("one message")


def give(page: Page, how: str, name: str, kind: str, size: int = 0, data: list[int] | None = None) -> None:
    """Drops or pastes a file on the composer."""
    page.evaluate(
        """([how, name, kind, size, data]) => {
            const file = new File([data ? new Uint8Array(data) : new ArrayBuffer(size)], name, { type: kind });
            const carried = new DataTransfer();
            carried.items.add(file);
            const more = { bubbles: true, cancelable: true };
            const event = how === "drop" ? new DragEvent("drop", { ...more, dataTransfer: carried })
                : new ClipboardEvent("paste", { ...more, clipboardData: carried });
            document.getElementById("say-text").dispatchEvent(event);
        }""",
        [how, name, kind, size, data],
    )


@pytest.mark.parametrize("how", ["drop", "paste"])
def test_a_file_is_dropped_or_pasted_and_spoken(page: Page, how: str) -> None:
    give(page, how, "one.wav", "audio/wav", data=list(wav_header(24_000, 24_000) + bytes(24_000)))
    expect(page.locator("#echoes li .ea-state").first).to_have_text("spoken")
    expect(page.locator("#upload")).to_be_hidden()


@pytest.mark.parametrize(
    ("name", "kind", "size", "words"),
    [
        ("talk.mp4", "video/mp4", 100, "is a video. Take its sound out"),
        ("huge.wav", "audio/wav", 500_000_000, "has 500 MB; at most 256 MB"),
        ("notes.txt", "text/plain", 100, "is no audio file"),
        ("nothing.wav", "audio/wav", 0, "is empty"),
    ],
)
def test_a_wrong_file_is_told_before_anything_is_sent(page: Page, name: str, kind: str, size: int, words: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    line(page).fill("Stays.")
    give(page, "drop", name, kind, size)
    expect(page.get_by_role("alert")).to_contain_text(words)
    expect(line(page)).to_have_value("Stays.")
    assert [url for url in asked if "/speak/" in url] == []


def test_an_upload_tells_how_far_it_is_and_can_be_stopped(page: Page) -> None:
    page.route("**/speak/", lambda route: None)  # it never gets an answer
    line(page).fill("Stays.")
    give(page, "drop", "slow.wav", "audio/wav", data=list(wav_header(2, 24_000) + bytes(2)))
    expect(page.locator("#upload")).to_contain_text("slow.wav")
    page.get_by_role("button", name="Stop sending").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Stopped: slow.wav was not sent.")
    expect(page.locator("#upload")).to_be_hidden()
    expect(line(page)).to_have_value("Stays.")


def test_escape_interrupts_from_anywhere(page: Page) -> None:
    expect(page.locator('[data-live="room-more"]')).to_contain_text(re.compile("replica is there"))
    line(page).fill("On and on. " * 200)
    line(page).press("Enter")
    expect(page.locator("#echoes li .ea-state").first).to_have_text("speaking")
    page.locator("#mic").focus()
    page.keyboard.press("Escape")
    expect(page.locator("#echoes li .ea-state").first).to_have_text("interrupted")
