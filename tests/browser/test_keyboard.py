"""Every action of the live page by keyboard alone: reached by Tab, seen to be focused, pressed, and seen to be done."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import OPEN
from tests.browser.test_queue import ana, of_ana  # noqa: F401 - a fixture
from tests.browser.test_scripts import written
from tests.browser.test_transcript import live, play

MOST_TABS = 150
LONG = "A long line that is said for quite a while. " * 60
SHOWN = """one => {
    const outlined = ({ outlineStyle, outlineWidth }) => outlineStyle !== "none" && parseFloat(outlineWidth) > 0;
    const ringed = ({ boxShadow }) => boxShadow !== "none" && !/^(rgba\\(0, 0, 0, 0\\)( 0px){4},? ?)+$/.test(boxShadow);
    const seen = (each) => Math.min(each.offsetWidth, each.offsetHeight) > 4; // a ring around a hidden field is none
    const shows = (each) => seen(each) && (outlined(getComputedStyle(each)) || ringed(getComputedStyle(each)));
    const ring = one.type === "range" ? [one.parentElement] : [...(one.labels ?? [])];
    const lit = [one, ...ring].filter(shows);
    one.blur(); // what shows it all the time does not show the focus
    const still = lit.filter(shows);
    one.focus({ preventScroll: true, focusVisible: true });
    return lit.length > still.length;
}"""
FOCUSED = "one => one === document.activeElement"


def go(page: Page, target: Locator, back: bool = False) -> Locator:
    """Tab until it has the focus, and shows it."""
    expect(target).to_be_visible()
    for _ in range(MOST_TABS):
        if target.evaluate(FOCUSED):
            assert target.evaluate(SHOWN), f"nobody sees that {target} has the focus"
            return target
        page.keyboard.press("Shift+Tab" if back else "Tab")
    raise AssertionError(f"{target} is not reached by Tab")


def press(page: Page, target: Locator, key: str = "Enter") -> None:
    go(page, target)
    page.keyboard.press(key)


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def say(page: Page, words: str) -> None:
    go(page, page.locator("#say-text"))
    page.keyboard.insert_text(words)
    page.keyboard.press("Enter")
    expect(page.locator("#say-text")).to_have_value("")


def state(page: Page, words: str) -> Locator:
    return page.locator("#echoes li", has_text=words).first.locator(".ea-state")


def test_say_recall_interrupt_and_say_again(opened: OPEN) -> None:
    page = live(opened, "By key")
    say(page, "Said by key.")
    expect(state(page, "Said by key.")).to_have_text("spoken")
    page.keyboard.press("ArrowUp")
    expect(page.locator("#say-text")).to_have_value("Said by key.")
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(LONG)
    page.keyboard.press("Enter")
    expect(state(page, "A long line")).to_have_text("speaking")
    page.keyboard.press("Escape")
    expect(state(page, "A long line")).to_have_text("interrupted")
    again = page.locator("#echoes li", has_text="Said by key.").get_by_role("button", name="Say again")
    press(page, again, "Space")
    expect(page.locator("#echoes li", has_text="Said by key.")).to_have_count(2)
    for key in ("Enter", "Space"):
        with page.expect_file_chooser():
            press(page, page.locator("#say-audio"), key)


def test_a_saved_line_is_saved_and_said(opened: OPEN) -> None:
    page = live(opened, "Lines by key")
    press(page, button(page, "Save a line…"))
    go(page, page.get_by_label("Name", exact=True))
    page.keyboard.insert_text("Key greeting")
    go(page, page.get_by_label("Words", exact=True))
    page.keyboard.insert_text("Hello by key.")
    press(page, button(page, "Save"))
    line = page.get_by_role("button", name=re.compile("^[0-9] Key greeting"))
    press(page, line)
    expect(state(page, "Hello by key.")).to_have_text("spoken")
    press(page, button(page, "Edit Key greeting"))
    press(page, page.locator("#line-delete"))
    expect(line).to_have_count(0)


def test_what_waits_is_moved_edited_and_cancelled(opened: OPEN) -> None:
    page = live(opened, "Queue by key")
    for words in (LONG, "First.", "Second.", "Third."):
        say(page, words)
    rows = page.locator("#queue > li")
    expect(rows).to_have_count(3)
    press(page, rows.nth(1).get_by_role("button", name="Up"))
    expect(rows.locator("[data-field=words]")).to_have_text(["Second.", "First.", "Third."])
    go(page, rows.nth(0).get_by_role("button", name="Up"))
    page.keyboard.press("Alt+ArrowDown")
    expect(rows.locator("[data-field=words]")).to_have_text(["First.", "Second.", "Third."])
    page.keyboard.press("Alt+ArrowUp")  # the focus went with it
    expect(rows.locator("[data-field=words]")).to_have_text(["Second.", "First.", "Third."])
    press(page, rows.nth(0).get_by_role("button", name="Edit"))
    page.keyboard.press("Control+a")
    page.keyboard.insert_text("Second, in other words.")
    press(page, rows.nth(0).get_by_role("button", name="Save"))
    expect(rows.nth(0)).to_contain_text("Second, in other words.")
    press(page, rows.nth(2).get_by_role("button", name="Cancel"))
    expect(rows).to_have_count(2)
    expect(state(page, "Third.")).to_have_text("cancelled")
    took = page.locator("#latencies summary")
    press(page, took)
    expect(page.locator("#latencies tbody tr")).to_have_count(4)


def test_the_floor_passes_and_lines_are_approved_and_rejected(opened: OPEN, ana: str) -> None:  # noqa: F811
    page = live(opened, "Floor by key")
    other = of_ana(opened, "/admin/" + page.url.split("/admin/", 1)[1], ana)
    for words in ("Approved.", "Rejected."):
        say(other, words)
    rows = page.locator("#queue > li")
    expect(rows).to_have_count(2)
    press(page, rows.nth(0).get_by_role("button", name="Approve"))
    expect(state(page, "Approved.")).to_have_text("spoken")
    press(page, rows.nth(0).get_by_role("button", name="Reject", exact=True))
    page.keyboard.insert_text("Not in front of guests.")
    page.keyboard.press("Enter")
    expect(state(page, "Rejected.")).to_have_text("rejected")
    press(page, button(page, "Take the floor"))
    expect(page.locator("#floor-words")).to_contain_text("You have the floor")
    go(page, page.locator("#floor-to"))
    page.keyboard.insert_text(ana)
    press(page, button(page, "Hand over"))
    expect(page.locator("#floor-words")).to_contain_text("ana has the floor")
    press(page, button(page, "Take over the floor"))
    press(page, button(page, "Release the floor"))
    expect(page.locator("#floor-words")).to_contain_text("free")


def test_a_script_is_run_paused_skipped_resumed_and_stopped(opened: OPEN) -> None:
    page = live(opened, "Script by key")
    address = page.url
    written(page, "Key tour", LONG, LONG, "The last line.")
    page.goto(address)
    go(page, page.get_by_label("Run a script"))
    page.keyboard.type("Key tour")
    press(page, button(page, "Start"))
    script = page.locator('[data-script="state"]')
    part = page.locator("#script")
    expect(script).to_have_text("running")
    press(page, part.get_by_role("button", name="Skip line"))
    expect(page.locator('[data-script="at"]')).to_contain_text("2")
    press(page, part.get_by_role("button", name="Pause"))
    expect(script).to_have_text("paused")
    press(page, part.get_by_role("button", name="Resume"))
    expect(script).to_have_text("running")
    press(page, part.get_by_role("button", name="Stop script"))
    expect(script).to_have_text("stopped")


def test_an_interaction_is_sent_and_the_last_once_more_by_one_key(opened: OPEN) -> None:
    page = live(opened, "Interactions by key")
    press(page, page.locator("#interactions > summary"))
    go(page, page.get_by_label("What to send"))
    page.keyboard.press("Home")
    form = page.locator("#interactions fieldset:not([hidden])")
    expect(form).to_have_count(1)
    for _ in range(20):
        if form.get_attribute("data-event") == "conversation.respond":
            break
        page.keyboard.press("ArrowDown")
    go(page, form.get_by_label("Text"))
    page.keyboard.insert_text("Asked by key.")
    press(page, button(page, "Send it"))
    expect(page.locator("#interaction-said")).to_contain_text("handed to the room")
    last = page.locator("#interaction-last button").first
    go(page, last)
    page.keyboard.press("1")
    expect(page.locator("#log > li", has_text="respond")).to_have_count(2)


def test_the_transcript_is_paused_filtered_and_opened(opened: OPEN) -> None:
    page = live(opened, "Transcript by key")
    play(page, 2)
    say(page, "Words to find.")
    expect(state(page, "Words to find.")).to_have_text("spoken")
    press(page, button(page, "Pause"))
    expect(button(page, "Resume")).to_be_visible()
    page.keyboard.press("Enter")
    press(page, button(page, "Log"))
    expect(page).to_have_url(re.compile("view=log"))
    go(page, button(page, "Conversation"), back=True)
    page.keyboard.press("Enter")
    go(page, page.get_by_label("What to show"))
    page.keyboard.type("What was said")
    expect(page).to_have_url(re.compile("show=said"))
    go(page, page.get_by_label("Find in it"))
    page.keyboard.type("to find")
    expect(page.locator("#log > li")).to_have_count(1)
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    expect(page.locator("#log > li")).to_have_count(2)
    go(page, page.get_by_label("heartbeats"))
    with page.expect_response("**/transcript/**"):
        page.keyboard.press("Space")
    expect(page).to_have_url(re.compile("noise=1"))
    expect(page.locator("#log > li")).to_have_count(2)
    go(page, page.locator("#log .ea-turn-open").last)
    page.keyboard.press("ArrowUp")
    assert page.locator("#log .ea-turn-open").first.evaluate(SHOWN)
    page.keyboard.press("Enter")
    expect(page.locator("#log .ea-turn-behind dl")).to_contain_text("40 of 40 sent")
    press(page, page.locator("#log [data-play]"))
    page.wait_for_function("document.querySelector('#log .ea-player').player.at > 0.05")
    press(page, button(page, "Sound on"))
    expect(page.get_by_role("button", name="Sound off")).to_be_visible()


def test_palette_and_the_list_of_keys(opened: OPEN) -> None:
    page = live(opened, "Palette by key")
    page.keyboard.press("Control+k")
    page.keyboard.type("duties")
    expect(page.locator("#palette-hits [role=option]").first).to_contain_text("Duties")
    page.keyboard.press("Escape")
    go(page, button(page, "Pause"))
    page.keyboard.press("?")
    keys = page.get_by_role("dialog").filter(has_text="Esc")
    expect(keys).to_be_visible()
    expect(keys).to_contain_text("interrupts")
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    expect(page.locator('[data-live="room"]')).to_have_text("joined")
    page.keyboard.press("Control+k")
    page.keyboard.type("duties")
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/echoadmin/duty/")


def test_leave_join_sync_and_end(opened: OPEN) -> None:
    page = live(opened, "Room by key")
    room = page.locator('[data-live="room"]')
    press(page, button(page, "Leave"))
    expect(room).to_have_text("idle")
    press(page, button(page, "Join"))
    expect(room).to_have_text("joined")
    press(page, button(page, "Sync"))
    expect(page.get_by_text("It is as Tavus has it now.")).to_be_visible()
    press(page, button(page, "End…"))
    press(page, button(page, "Let it go on"))
    expect(page.get_by_role("dialog")).to_be_hidden()
    press(page, button(page, "End…"))
    press(page, button(page, "End it now"))
    expect(page.locator('[data-live="state"]')).to_have_text("ended")
