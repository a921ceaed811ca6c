"""The interactions console of the live page: forms that explain themselves, raw JSON, and the last ones by one key."""

from __future__ import annotations

from typing import Any

import httpx
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import OPEN
from tests.browser.test_pages import check
from tests.browser.test_pages import faults as accessible
from tests.browser.test_replay import a_room
from tests.console_process import ConsoleProcess
from tests.waiting import until


def console_of(page: Page) -> Locator:
    """The part of the page, opened."""
    box = page.locator("#interactions")
    box.locator("summary").first.click()
    return box


def form_of(page: Page, event_type: str) -> Locator:
    """The form of one kind, chosen."""
    page.locator("#interactions").get_by_label("What to send").select_option(event_type)
    return page.locator(f'#interactions fieldset[data-event="{event_type}"]')


def sent(console: ConsoleProcess, page: Page) -> list[dict[str, Any]]:
    """What the twin's room carried of this console's, but for echoes."""
    ours = page.url.split("/")[-3]
    upstream = page.request.get(f"{console.url}/api/v1/conversations/{ours}/").json()["conversation_id"]
    rows = httpx.get(f"{console.twin_url}/twin/rooms/{upstream}/messages").json()
    return [row["message"] for row in rows if row["from_name"].startswith("echoadmin/")]


def test_a_form_explains_itself_and_its_message_reaches_the_room(opened: OPEN, console: ConsoleProcess) -> None:
    page = a_room(opened, "Interactions")
    box = console_of(page)
    form = form_of(page, "conversation.respond")
    expect(form.get_by_text("No effect in echo mode")).to_be_visible()
    box.get_by_role("button", name="Send it").click()
    expect(box.get_by_role("alert")).to_contain_text("fill it in")
    expect(form.get_by_label("Text")).to_have_attribute("aria-invalid", "true")
    form.get_by_label("Text").fill("What is your favourite colour?")
    expect(box.locator("#interaction-said")).to_contain_text("of 4,096 bytes")
    expect(box.get_by_role("alert")).to_have_count(0)
    box.get_by_role("button", name="Send it").click()
    expect(box.locator("#interaction-said")).to_contain_text("handed to the room")
    wanted = {"text": "What is your favourite colour?"}
    until(lambda: [one for one in sent(console, page) if one.get("properties") == wanted], "the room carried it")

    form = form_of(page, "conversation.tool_result")
    form.get_by_label("Id of the call").fill("call_1")
    form.get_by_label("Output").fill('{"celsius": 22}')
    box.get_by_role("button", name="Send it").click()
    wanted_too = {"tool_call_id": "call_1", "output": {"celsius": 22}, "status": "success"}
    until(lambda: [one for one in sent(console, page) if one.get("properties") == wanted_too], "the room carried it")
    assert accessible(page) == []
    check(page)


def test_the_last_ones_are_sent_once_more_by_one_key(opened: OPEN, console: ConsoleProcess) -> None:
    page = a_room(opened, "Once more")
    box = console_of(page)
    form = form_of(page, "conversation.append_llm_context")
    for words in ("First.", "Second."):
        form.get_by_label("Context").fill(words)
        box.get_by_role("button", name="Send it").click()
        expect(box.locator("#interaction-last li").first).to_contain_text(words)
    form.get_by_label("Context").press("2")  # in a field it is a digit
    expect(form.get_by_label("Context")).to_have_value("Second.2")
    box.locator("#interaction-last button").first.focus()
    page.keyboard.press("2")

    def contexts() -> list[str]:
        return [one["properties"]["context"] for one in sent(console, page) if "context" in one.get("properties", {})]

    until(lambda: contexts() == ["First.", "Second.", "First."], "it was sent once more")
    expect(box.locator("#interaction-last li").first).to_contain_text("First.")
    page.reload()
    expect(console_of(page).locator("#interaction-last li")).to_have_count(2)


def test_raw_json_is_judged_while_it_is_typed(opened: OPEN, console: ConsoleProcess) -> None:
    page = a_room(opened, "Raw")
    box = console_of(page)
    box.get_by_label("What to send").select_option(label="Raw JSON")
    raw = box.get_by_label("The interaction, as JSON")
    raw.fill('{"event_type": "conversation.sensitivity", ')
    expect(box.get_by_role("alert")).to_contain_text("This is no JSON")
    raw.fill('{"event_type": "conversation.echo"}')
    expect(box.get_by_role("alert")).to_contain_text("An echo goes through echoes/")
    raw.fill('{"event_type": "my.own", "x": 1}')
    expect(box.locator("#interaction-said")).to_contain_text("of 4,096 bytes")
    box.get_by_role("button", name="Send it").click()
    until(lambda: {"event_type": "my.own", "x": 1} in sent(console, page), "the room carried it")
