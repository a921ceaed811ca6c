"""Saved views, rules, alerts and webhooks out by page: from a filter of the log to somebody being told."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from echoadmin.deliveries.signing import signature
from tests.browser.conftest import OPEN
from tests.browser.test_pages import check
from tests.waiting import until
from tests.webhook_receiver import Receiver, receiving

LOG, ALERTS = "/admin/log/entry/", "/admin/alerts/alert/"
SUBSCRIPTIONS, DELIVERIES = "/admin/deliveries/subscription/", "/admin/deliveries/delivery/"
_number = itertools.count()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def signed(secret: str, got: tuple[dict[str, str], bytes]) -> dict[str, Any]:
    """What came, which is signed with this secret, maybe beside another."""
    headers, body = got
    expected = signature(secret, headers["webhook-id"], int(headers["webhook-timestamp"]), body)
    assert expected in headers["webhook-signature"].split()
    return dict(json.loads(body))


def until_shown(page: Page, selector: str, text: str) -> None:
    """Asks for the page again until it shows it: what is waited for is done by the console's duties."""

    def look() -> bool:
        page.reload()
        return page.locator(selector, has_text=text).count() > 0

    until(look, f"{text!r} on {page.url}")


def save_view(page: Page) -> str:
    """A view of keys being made, saved on the log; returns its name."""
    name = f"Keys made {next(_number)}"
    page.goto(f"{LOG}?event_type=api_key.created")
    page.get_by_role("button", name="Save view").click()
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Shared with everybody here").check()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text(f"Saved as {name}.")).to_be_visible()
    return name


def put_rule(page: Page, view: str) -> str:
    """A rule on a view, which has begun to look; returns its name."""
    name = f"Somebody made a key {next(_number)}"
    page.goto("/admin/alerts/savedview/")
    page.get_by_role("link", name=view, exact=True).click()
    page.get_by_role("link", name="New rule").click()
    expect(page.get_by_label("View")).to_have_value(re.compile("^vw_"))
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Make the rule").click()
    expect(page.get_by_text(f"{name} looks from now on.")).to_be_visible()
    until_shown(page, "dt", "Last looked")
    return name


def make_key(page: Page) -> None:
    page.goto("/admin/accounts/apikey/add/")
    page.get_by_label("Label").fill("noticed")
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_role("link", name="I have it")).to_be_visible()


def test_a_view_of_the_log_gets_a_rule_and_what_it_finds_is_seen_and_acknowledged(opened: OPEN) -> None:
    page = opened(LOG)
    view = save_view(page)
    expect(page).to_have_url(re.compile(r"\?event_type=api_key\.created$"))
    page.goto(LOG)
    page.get_by_role("button", name="Views").click()
    page.locator("#views-menu").get_by_role("link", name=view).click()
    expect(page.locator(".ea-chip", has_text="api_key.created")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile(r"^View: Keys made \d+"))).to_be_visible()
    rule = put_rule(page, view)
    make_key(page)
    page.goto(ALERTS)
    until_shown(page, "tbody tr", rule)
    row = page.locator("tbody tr", has_text=rule)
    row.get_by_role("link", name="1 entry").click()
    expect(page.locator("#entries > li")).to_have_count(1)
    expect(page.locator("#entries > li")).to_contain_text("api_key.created")
    page.goto("/admin/")
    expect(page.get_by_text(f"Alert: {rule}")).to_be_visible()
    page.get_by_role("link", name="Alerts").click()
    row.get_by_role("button", name="Acknowledge").click()
    expect(page).to_have_url(re.compile(f"{ALERTS}$"))
    expect(row).to_have_count(0)
    page.get_by_role("link", name="Acknowledged", exact=True).click()
    expect(row).to_contain_text("admin")
    row.get_by_role("link", name=rule).click()
    check(page)


def test_several_alerts_are_ticked_and_acknowledged_together(opened: OPEN) -> None:
    page = opened()
    view = save_view(page)
    rules = [put_rule(page, view) for _ in range(2)]
    make_key(page)
    page.goto(ALERTS)
    for rule in rules:
        until_shown(page, "tbody tr", rule)
    button = page.get_by_role("button", name="Acknowledge the ticked")
    expect(button).to_be_disabled()
    page.locator("tbody tr", has_text=rules[0]).get_by_role("checkbox").check()
    expect(button).to_have_text("Acknowledge the ticked (1)")
    page.get_by_label("Tick all on this page").check()
    button.click()
    expect(page.get_by_text("No alert is open.")).to_be_visible()
    page.get_by_role("link", name="All", exact=True).click()
    for rule in rules:
        expect(page.locator("tbody tr", has_text=rule)).to_contain_text("acknowledged")
    check(page)


def subscribe(page: Page, receiver: Receiver) -> str:
    """A subscription to alerts; returns its secret, which is on no page afterwards."""
    page.goto(SUBSCRIPTIONS)
    page.get_by_role("link", name="New subscription").first.click()
    page.get_by_label("URL").fill("ftp://nowhere")
    page.get_by_label("alert.raised").check()
    page.get_by_label("Description").fill("The pager")
    page.get_by_role("button", name="Make the subscription").click()
    expect(page.get_by_text("Is no URL.")).to_be_visible()
    expect(page.get_by_label("alert.raised")).to_be_checked()
    expect(page.get_by_label("Description")).to_have_value("The pager")
    page.get_by_label("URL").fill(receiver.url)
    page.get_by_role("button", name="Make the subscription").click()
    secret = page.locator("#secret").inner_text()
    page.wait_for_url(re.compile(r"/subscription/sb_\w+/change/$"))
    page.reload()
    expect(page.get_by_role("heading", name="Latest deliveries")).to_be_visible()
    assert secret not in page.content()
    return secret


def test_a_subscription_is_made_pinged_and_told_of_an_alert(opened: OPEN, receiver: Receiver) -> None:
    page = opened()
    secret = subscribe(page, receiver)
    here = page.url
    page.get_by_role("button", name="Send a ping").click()
    page.wait_for_url(re.compile(r"/delivery/dl_\w+/change/$"))
    expect(page.locator(".ea-facts .ea-state")).to_have_text("delivered")
    expect(page.locator("#delivery")).to_contain_text("Answered 200")
    [got] = receiver.got
    assert signed(secret, got)["type"] == "ping"
    check(page)
    page = opened(LOG)
    rule = put_rule(page, save_view(page))
    make_key(page)
    page.goto(here)
    until_shown(page, ".ea-rows li", "alert.raised")

    def told() -> list[Any]:
        return [signed(secret, got) for got in receiver.got[1:]]

    until(lambda: rule in {one["data"]["rule"] for one in told()}, "the rule's alert at the receiver")  # others' too
    assert {one["type"] for one in told()} == {"alert.raised"}
    check(page)


def test_what_did_not_arrive_is_seen_and_sent_again_and_a_new_secret_counts(opened: OPEN, receiver: Receiver) -> None:
    receiver.statuses, receiver.answer = [410], b"we have moved"
    page = opened()
    secret = subscribe(page, receiver)
    here = page.url
    page.get_by_role("button", name="Send a ping").click()
    expect(page.locator("#delivery")).to_contain_text("Answered 410")
    expect(page.locator("#delivery")).to_contain_text("we have moved")
    expect(page.locator(".ea-facts .ea-state")).to_have_text("failed")
    there = page.url
    page.goto(here)
    expect(page.get_by_text("It is off: nothing is sent there.")).to_be_visible()
    check(page)
    page.get_by_role("button", name="Switch on").click()
    page.get_by_role("button", name="New secret…").click()
    page.get_by_role("button", name="Make a new secret").click()
    newer = page.locator("#secret").inner_text()
    assert newer.startswith("whsec_") and newer != secret
    receiver.statuses = [200]
    page.goto(there)
    page.get_by_role("button", name="Send again").click()
    expect(page.locator(".ea-facts .ea-state")).to_have_text("delivered")
    assert signed(newer, receiver.got[-1]) == signed(secret, receiver.got[-1])
    page.goto(f"{DELIVERIES}?state__exact=delivered")
    expect(page.locator("tbody tr", has_text=receiver.url[:50]).first).to_be_visible()


@pytest.mark.parametrize(
    "path",
    [
        "/admin/alerts/savedview/",
        "/admin/alerts/savedview/add/?event_type=nothing&at_after=2026-01-01T00:00:00Z",
        "/admin/alerts/rule/",
        "/admin/alerts/rule/add/",
        ALERTS,
        SUBSCRIPTIONS,
        f"{SUBSCRIPTIONS}add/",
        DELIVERIES,
    ],
)
def test_a_page_is_accessible_and_fits_a_phone(path: str, opened: OPEN) -> None:
    check(opened(path))


@pytest.mark.parametrize("name", ["Views", "Save view"])
def test_the_logs_menus_are_accessible(name: str, opened: OPEN) -> None:
    from tests.browser.test_pages import faults

    page = opened(f"{LOG}?kind=upstream")
    save_view(page)
    page.get_by_role("button", name=re.compile(f"^{name[:4]}")).click()
    assert faults(page) == []
