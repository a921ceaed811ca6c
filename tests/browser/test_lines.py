"""Saved lines on the live page, by keyboard."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import OPEN
from tests.browser.test_pages import check
from tests.browser.test_whole_way import start


def test_a_line_is_saved_said_by_its_number_changed_and_taken_away(opened: OPEN) -> None:
    page = opened()
    start(page, "Lines")
    expect(page.locator("#say")).to_be_enabled()
    line = page.get_by_label("What the replica says")
    line.fill("Welcome, everybody.")
    page.locator("#line-new").press("Enter")
    page.get_by_label("Name", exact=True).fill("Greeting")
    page.get_by_label("Name", exact=True).press("Enter")
    expect(page.locator("#line-box")).to_be_hidden()
    greeting = page.get_by_role("button", name="1 Greeting", exact=True)
    expect(greeting).to_be_visible()
    line.press("1")  # in the box it is a letter
    expect(line).to_have_value("Welcome, everybody.1")
    page.locator("#mic").focus()
    page.keyboard.press("1")
    echo = page.locator("#echoes li", has_text="Welcome, everybody.")
    expect(echo.locator(".ea-state")).to_have_text("spoken")
    greeting.press("Enter")
    expect(echo).to_have_count(2)
    page.locator("#line-new").press("Enter")
    page.get_by_label("What it says").select_option(index=1)
    page.get_by_label("Name", exact=True).fill("From an echo")
    page.get_by_role("button", name="Save", exact=True).press("Enter")
    expect(page.get_by_role("button", name="2 From an echo", exact=True)).to_be_visible()
    page.get_by_role("button", name="Edit Greeting").press("Enter")
    page.get_by_label("Words", exact=True).fill("")
    page.get_by_role("button", name="Save", exact=True).press("Enter")
    expect(page.locator("#line-error")).to_contain_text("Give the words")
    page.get_by_label("Words", exact=True).fill("Hello.")
    page.get_by_role("button", name="Save", exact=True).press("Enter")
    expect(page.locator("#line-box")).to_be_hidden()
    expect(greeting).to_have_attribute("title", "Hello. · ≈ 0.4 s")
    check(page)
    expect(greeting).to_be_hidden()  # on a phone they are one press away
    page.get_by_text("Saved lines and microphone").click()
    for name in ("Greeting", "From an echo"):
        page.get_by_role("button", name=f"Edit {name}").press("Enter")
        page.locator("#line-delete").press("Enter")
        expect(page.get_by_role("button", name=f"Edit {name}")).to_have_count(0)
