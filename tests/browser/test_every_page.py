"""Every page that the menu leads to, and the pages one link further: accessible in light and in dark, no wider than a
phone, no inline script, no other host."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OPEN
from tests.browser.signing_in import make_user, sign_in
from tests.browser.test_pages import COLOURS, INLINE, PAGES, faults
from tests.browser.test_transcript import live, play, say
from tests.console_process import ConsoleProcess

LINKS = "links => links.filter((link) => link.origin === location.origin).map((link) => link.pathname)"
FURTHER = "#content a[href*='/change/'], #content a[href$='/add/'], #result_list a"
OUTSIDE = """() => {
    const head = document.querySelector("div:has(> #header-inner)")?.getBoundingClientRect();
    const lies = ({ top, bottom }) => head && bottom > top && (top < head.top || bottom > head.bottom + 1);
    const shown = [...document.querySelectorAll("#header-inner .ea-button, #header-inner h1")];
    return shown.filter((one) => lies(one.getBoundingClientRect())).map((one) => one.innerText);
}"""
LEAVES = ("logout", "jsi18n")  # no pages
MOST_FURTHER = 2  # of one page: its first row, its form


def own_links(page: Page, selector: str) -> list[str]:
    found = page.locator(selector).evaluate_all(LINKS)
    return [
        path for path in dict.fromkeys(found) if path.startswith("/admin/") and not path.rstrip("/").endswith(LEAVES)
    ]


def wrong_with(page: Page, path: str, status: int = 200) -> list[str]:
    answer = page.goto(path)
    assert answer is not None and answer.status == status, f"{path}: {answer and answer.status}"
    policy = answer.headers["content-security-policy"]
    [scripts] = [part for part in policy.split(";") if part.strip().startswith("script-src")]
    found = [f"{path}: its policy allows {part}" for part in scripts.split() if "unsafe-inline" in part]
    found += [f"{path}: inline: {one}" for one in page.evaluate(INLINE)]
    found += [f"{path}: {one}" for one in faults(page)]
    page.evaluate("document.documentElement.classList.add('dark')")
    found += [f"{path}, dark: {one}" for one in faults(page, COLOURS)]
    page.set_viewport_size({"width": 360, "height": 780})
    if page.evaluate("document.documentElement.scrollWidth") > 360:
        found.append(f"{path}: wider than a phone")
    found += [f"{path}: {words} lies outside the page's head" for words in page.evaluate(OUTSIDE)]
    page.set_viewport_size({"width": 1440, "height": 900})
    return found


@pytest.mark.parametrize("half", [0, 1])
def test_every_page_of_the_menu_and_the_pages_behind_it(opened: OPEN, half: int) -> None:
    page = live(opened, "For every page")
    say(page, "Something to list.")
    menu = own_links(page, "#nav-sidebar a, aside a, nav a")
    assert len(menu) > 25
    looked, wrong = set(PAGES), []
    for path in menu[half::2]:
        if path not in looked:
            wrong += wrong_with(page, path)
        else:
            page.goto(path)
        looked.add(path)
        for further in own_links(page, FURTHER)[:MOST_FURTHER]:
            if further not in looked and not any(_same_kind(further, one) for one in looked):
                wrong += wrong_with(page, further)
            looked.add(further)
    assert wrong == []


def _same_kind(path: str, other: str) -> bool:
    """Whether both are a row's own page of the same model."""
    parts, others = path.split("/"), other.split("/")
    return parts[:4] == others[:4] and parts[-2:] == others[-2:] == ["change", ""]


def test_the_live_page_with_all_of_it_open(opened: OPEN) -> None:
    page = live(opened, "All of it open")
    play(page, 1)
    say(page, "A line to open.")
    page.locator("#log .ea-turn-open").last.click()
    expect(page.locator("#log .ea-turn-behind li").first).to_be_visible()
    page.locator("#log .ea-turn-behind li summary").first.click()
    for summary in ("#latencies > summary", "#interactions > summary"):
        page.locator(summary).click()
    assert faults(page) == []
    for opener, dialog in (("Save a line…", "#line-box"), ("End…", "#end-confirm")):
        page.get_by_role("button", name=opener).click()
        expect(page.locator(dialog)).to_be_visible()
        assert faults(page) == [], opener
        page.evaluate("document.documentElement.classList.add('dark')")
        assert faults(page, COLOURS) == [], opener
        page.evaluate("document.documentElement.classList.remove('dark')")
        page.keyboard.press("Escape")
    assert urlsplit(page.url).path.endswith("/change/")


def test_what_an_auditor_sees_and_is_refused(opened: OPEN, console: ConsoleProcess) -> None:
    conversation = urlsplit(live(opened, "Seen by an auditor").url).path
    page = opened("/admin/", signed=False)
    sign_in(page, make_user(console, "aud", "auditor"))
    page.wait_for_url("**/admin/")
    wrong = [one for path in ("/admin/", conversation, "/admin/log/entry/") for one in wrong_with(page, path)]
    wrong += wrong_with(page, "/admin/conversations/conversation/add/", 403)
    assert wrong == []
