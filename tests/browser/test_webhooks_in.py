"""Webhooks in by page: what Tavus reported, processed again by ticks as a run, and the address with its secret."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import OPEN
from tests.browser.test_every_page import wrong_with
from tests.browser.test_transcript import live
from tests.waiting import until

WEBHOOKS = "/admin/conversations/webhookreceived/"


def test_what_was_reported_is_ticked_and_processed_again_as_a_run(opened: OPEN) -> None:
    page = live(opened, "Reported by webhook")

    def processed() -> bool:
        page.goto(f"{WEBHOOKS}?state__exact=processed")
        return page.locator("input[name=webhook]").count() > 1

    until(processed, "the replica's coming was reported")
    button = page.get_by_role("button", name="Process the ticked again")
    expect(button).to_be_disabled()
    page.get_by_label("Tick all on this page").check()
    expect(button).to_be_enabled()
    button.click()
    page.wait_for_url(re.compile(r"/admin/echoadmin/run/rn_"))
    expect(page.get_by_text('"processed"')).to_be_visible()
    page.goto(WEBHOOKS)
    page.get_by_role("link", name="system.replica_joined").first.click()
    page.get_by_role("button", name="Process again").click()
    expect(page.locator("[data-state=processed]").first).to_be_visible()


def test_the_address_is_shown_when_asked_for_and_its_secret_replaced(opened: OPEN) -> None:
    page = opened(f"{WEBHOOKS}address/")
    assert wrong_with(page, f"{WEBHOOKS}address/") == []
    shown = page.get_by_label("The address without its secret")
    expect(shown).to_have_text(re.compile(r"/webhooks/tavus/…/$"))
    page.get_by_role("button", name="Show all of it").click()
    whole = page.get_by_label("The whole address")
    expect(whole).to_have_text(re.compile(r"/webhooks/tavus/[\w-]{43}/$"))
    before = whole.inner_text()
    page.get_by_role("button", name="New secret…").click()
    page.get_by_role("button", name="Make a new secret").click()
    expect(page.get_by_text("nothing came with it since")).to_be_visible()
    assert wrong_with(page, f"{WEBHOOKS}address/") == []
    page.get_by_role("button", name="Show all of it").click()
    expect(whole).not_to_have_text(before)
