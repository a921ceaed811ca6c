"""Two people at one conversation: one whose lines wait for the other, and a floor that passes between them."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OPEN
from tests.browser.signing_in import make_user, sign_in
from tests.browser.test_pages import check
from tests.browser.test_whole_way import start
from tests.console_process import ConsoleProcess


@pytest.fixture(scope="module")
def ana(console: ConsoleProcess) -> str:
    return make_user(console, "ana", "operator", "reviewed")


def of_ana(opened: OPEN, path: str, name: str) -> Page:
    page = opened(path, signed=False)
    sign_in(page, name)
    page.wait_for_url(f"**{path}")
    return page


def test_lines_wait_for_a_second_person_and_the_floor_passes(opened: OPEN, ana: str) -> None:
    page = opened()
    start(page, "Two people")
    expect(page.locator('[data-live="room"]')).to_have_text("joined")
    path = page.url.split("/admin/", 1)[1]
    other = of_ana(opened, f"/admin/{path}", ana)
    for words in ("One.", "Two."):
        other.get_by_label("What the replica says").fill(words)
        other.get_by_label("What the replica says").press("Enter")
        expect(other.locator("#queue li", has_text=words)).to_have_count(1)
    expect(other.get_by_role("button", name="Approve")).to_have_count(0)
    rows = page.locator("#queue li")
    expect(rows.locator("[data-field=words]")).to_have_text(["One.", "Two."])
    expect(rows.locator(".ea-state")).to_have_text(["held", "held"])
    expect(page.locator("#interrupt")).to_have_text("Interrupt (cancels 2)")
    rows.nth(1).get_by_role("button", name="Up").press("Alt+ArrowUp")
    for each in (page, other):
        expect(each.locator("#queue li [data-field=words]")).to_have_text(["Two.", "One."])
    rows.nth(0).get_by_role("button", name="Edit").click()
    rows.nth(0).get_by_label("Other words for this line").fill("Two, better.")
    rows.nth(0).get_by_role("button", name="Save").click()
    expect(other.locator("#queue li").nth(0)).to_contain_text("Two, better.")
    check(page)
    page.set_viewport_size({"width": 1440, "height": 900})
    rows.nth(0).get_by_role("button", name="Approve").click()
    expect(page.locator("#echoes li", has_text="Two, better.").locator(".ea-state")).to_have_text("spoken")
    rows.nth(0).get_by_role("button", name="Reject").click()
    rows.nth(0).get_by_label("Why not").fill("Not in front of guests.")
    rows.nth(0).get_by_role("button", name="Reject it").click()
    expect(other.locator("#echoes li", has_text="One.").locator(".ea-state")).to_have_text("rejected")
    expect(other.locator("#echoes li", has_text="One.")).to_contain_text("Rejected by admin: Not in front of guests.")
    expect(other.locator("#queue li")).to_have_count(0)

    other.get_by_role("button", name="Take the floor").click()
    expect(other.locator("#floor-words")).to_contain_text("You have the floor")
    expect(page.locator("#floor-words")).to_contain_text("ana has the floor")
    expect(page.locator("#say-hint")).to_contain_text("Take it over beside the queue")
    expect(page.get_by_role("button", name="Say it")).to_be_disabled()
    expect(page.locator("#interrupt")).to_be_enabled()
    expect(other.locator("#say-hint")).to_contain_text("wait until a second person lets them be said")
    page.get_by_role("button", name="Take over the floor").click()
    expect(other.locator("#floor-words")).to_contain_text("admin has the floor")
    expect(other.locator("#say-hint")).to_contain_text("Ask them to hand it over")
    other.get_by_label("What the replica says").fill("Me too.")
    other.get_by_label("What the replica says").press("Enter")
    expect(other.locator("#say-error")).to_contain_text("admin has the floor")
    page.get_by_role("button", name="Release the floor").click()
    expect(other.locator("#floor-words")).to_contain_text("free")
    expect(other.get_by_role("button", name="Say it")).to_be_enabled()


def test_what_was_said_tells_its_steps_and_where_it_came_from(opened: OPEN) -> None:
    page = opened()
    start(page, "Steps")
    ready = page.locator("#ready")
    expect(ready.locator("summary")).to_have_text("Ready: all 5 checks are green")
    ready.locator("summary").click()
    expect(ready).to_contain_text("The replica is in the room.")
    page.get_by_label("What the replica says").fill("A line of the page.")
    page.get_by_label("What the replica says").press("Enter")
    row = page.locator("#echoes li", has_text="A line of the page.")
    expect(row.locator(".ea-state")).to_have_text("spoken")
    expect(row).to_contain_text(re.compile(r"admin · page.*began after \d+ ms, spoke for 0\.\d s", re.DOTALL))
    expect(ready).to_be_hidden()
    took = page.locator("#latencies")
    took.locator("summary").click()
    expect(took.locator("tbody tr")).to_have_count(4)
    expect(took.locator("tbody td").first).to_contain_text(re.compile(r"\d (ms|s)"))
    with page.expect_response("**/api/v1/latencies/"):  # once more, as the next one has ended
        page.get_by_label("What the replica says").fill("Another line.")
        page.get_by_label("What the replica says").press("Enter")
    page.get_by_role("button", name="Leave").click()
    expect(ready).to_contain_text("Join it: what is said goes through it.")
