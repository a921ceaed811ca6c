"""Every page in a real browser: accessible, no wider than a phone, in light and dark, asking no other host."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.conftest import OPEN
from tests.browser.test_whole_way import start

PAGES = (
    "/admin/",
    "/admin/conversations/conversation/",
    "/admin/conversations/conversation/add/",
    "/admin/personas/persona/add/",
    "/admin/personas/persona/add/?kind=json",
    "/admin/personas/persona/pipecat0/change/",
    "/admin/personas/replica/",
    "/admin/log/entry/",
    "/admin/conversations/echo/",
    "/admin/conversations/script/",
    "/admin/conversations/script/add/",
    "/admin/conversations/savedline/",
    "/admin/echoadmin/duty/",
    "/admin/accounts/apikey/add/",
    "/admin/auth/user/",
    "/admin/auth/user/1/change/",
    "/admin/nowhere/",
)
INLINE = """() => {
    const runs = (one) => one.matches('script:not([src], [type="application/json"])');
    const handles = (one) => [...one.attributes].some(({ name }) => name.startsWith("on"));
    const found = [...document.querySelectorAll("*")].filter((one) => runs(one) || handles(one));
    return found.map((one) => one.outerHTML.slice(0, 200));
}"""


STANDARD = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}


def faults(page: Page, rules: object = None) -> list[str]:
    """What axe finds by `rules`, or by all that it has, its best practices too."""
    options = {"resultTypes": ["violations"], **({"runOnly": rules} if rules else {})}
    found = Axe().run(page, options=options).response["violations"]
    return [f"{one['id']}: {one['help']}: {node['html'][:200]}" for one in found for node in one["nodes"]]


def check(page: Page, rules: object = None) -> None:
    """Accessible in light and in dark, no wider than a phone, without inline scripts."""
    assert page.evaluate(INLINE) == []
    assert faults(page, rules) == []
    page.emulate_media(color_scheme="dark")
    page.reload()
    page.wait_for_selector("html.dark")
    assert faults(page, COLOURS) == []
    page.set_viewport_size({"width": 360, "height": 780})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_accessible_and_fits_a_phone(path: str, opened: OPEN) -> None:
    check(opened(path))


def test_the_sign_in_page_is_accessible_and_fits_a_phone(opened: OPEN) -> None:
    page = opened("/admin/login/", signed=False)
    check(page, {"type": "tag", "values": STANDARD})  # unfold's switch of the colours is in no landmark


def test_a_conversations_page_is_accessible_and_fits_a_phone(opened: OPEN) -> None:
    page = opened()
    start(page, "Accessible, and with a rather long name that goes on and on")
    page.locator("#say-text").fill("Hello.")
    page.locator("#say-text").press("Enter")
    page.locator("#echoes li").first.wait_for()
    page.locator("#log > [data-n]").first.wait_for()
    check(page)


def test_the_banner_of_the_sandbox_is_on_every_page(opened: OPEN) -> None:
    page = opened()
    for path in ("/admin/", "/admin/log/entry/", "/admin/auth/user/add/", "/admin/nowhere/"):
        page.goto(path)
        assert "nothing is billed" in page.locator(".ea-banner").inner_text()
