"""First use, recorded by the browser itself: what lies between the first page and a replica that speaks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.signing_in import sign_in
from tests.browser.test_whole_way import CONVERSATION
from tests.console_process import ConsoleProcess, running_console

SAY = "What the replica says"
RECORD = """() => {
    const record = () => JSON.parse(sessionStorage.record ?? "[]");
    const note = (what) => { sessionStorage.record = JSON.stringify([...record(), what]); };
    const words = (one) => one.innerText?.trim().split("\\n")[0];
    const named = (one) => words(one.closest("button, a, label, summary") ?? one) || one.id;
    addEventListener("click", (event) => event.isTrusted && event.detail && note(`click ${named(event.target)}`), true);
    addEventListener("keydown", ({ isTrusted, key }) => isTrusted && key === "Enter" && note("press Enter"), true);
    let field = null;
    addEventListener("input", ({ target }) => {
        if (target !== field) note(`type into ${target.id}`);
        field = target;
    }, true);
}"""


@pytest.fixture
def first(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The first page after login, of a console in which nothing was ever made; it keeps a record of what is done."""
    with running_console(tmp_path_factory.mktemp("first"), TWIN_SPEED="10", PRICE_PER_MINUTE="0.37") as console:
        yield signed_in(browser, console)


def signed_in(browser: Browser, console: ConsoleProcess) -> Page:
    page = browser.new_context(base_url=console.url).new_page()
    page.goto("/admin/")
    sign_in(page, console.user, console.password)
    page.wait_for_url("**/admin/")
    page.add_init_script(f"({RECORD})()")
    page.reload()
    return page


def speak(page: Page, words: str) -> list[str]:
    """Types and says it; the record, once the replica has spoken."""
    page.wait_for_url(CONVERSATION)
    expect(page.locator("#say")).to_be_enabled()
    page.get_by_label(SAY).fill(words)
    page.keyboard.press("Enter")
    line = page.locator('#log > [data-shape="said"]', has_text=words)
    expect(line.locator(".ea-state")).to_have_text("spoken")
    record: list[str] = page.evaluate("JSON.parse(sessionStorage.record)")
    page.context.close()
    return record


def test_start_talking_takes_three_interactions(first: Page) -> None:
    first.get_by_role("button", name="Start talking").click()
    record = speak(first, "Hello.")
    assert record == ["click Start talking", "type into say-text", "press Enter"]


def test_step_by_step_takes_five(first: Page) -> None:
    for step in ("Make the persona", "Make the conversation", "Join the room"):
        first.get_by_role("button", name=step).click()
    record = speak(first, "Step by step.")
    assert record == [
        "click Make the persona", "click Make the conversation", "click Join the room", "type into say-text",
        "press Enter",
    ]  # fmt: skip


def test_by_hand_over_every_form_it_takes_at_most_eight(first: Page) -> None:
    first.get_by_role("link", name="Personas").click()
    first.get_by_role("link", name="New persona").click()
    first.get_by_label("Name").fill("Music host")
    first.get_by_role("button", name="Make the persona").click()
    first.get_by_role("link", name="New conversation with it").click()
    first.get_by_role("button", name="Create and join (starts the clock)").click()
    record = speak(first, "By hand.")
    assert len(record) <= 8, record
    assert record[-2:] == ["type into say-text", "press Enter"]
