"""What changes while one types: the login, the role, the conversation, the console, another person.

The page says what to do, and nothing that was typed is lost.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from itertools import count

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import OPEN
from tests.browser.signing_in import make_user, sign_in
from tests.browser.test_composer import give
from tests.browser.test_link import Cable, joined, say
from tests.browser.test_whole_way import start
from tests.console_process import ConsoleProcess

KEPT = "Typed before it happened."
_number = count(1)


def line(page: Page) -> Locator:
    return page.get_by_label("What the replica says")


def told(page: Page) -> Locator:
    return page.locator("#say-error")


def words(page: Page) -> Locator:
    return page.locator("#echoes li [data-field=words]")


def state_of(page: Page, text: str) -> Locator:
    return page.locator("#echoes li", has_text=text).locator(".ea-state")


def try_to_say(page: Page, text: str = KEPT) -> None:
    line(page).fill(text)
    line(page).press("Enter")


def spoken_in(page: Page, name: str) -> Page:
    """The page of a conversation in which one can speak."""
    start(page, name)
    expect(page.locator('[data-live="room-more"]')).to_contain_text("the replica is there")
    expect(page.locator("#log-live")).to_have_text("live")
    return page


def person(console: ConsoleProcess, role: str) -> str:
    """The name of somebody new with this role."""
    return make_user(console, f"{role}-{next(_number)}", role)


def change_role(console: ConsoleProcess, name: str, role: str = "") -> None:
    console.manage(
        "shell", "-c",
        "from django.contrib.auth.models import Group, User\n"
        f"User.objects.get(username={name!r}).groups.set(Group.objects.filter(name={role!r}))",
    )  # fmt: skip


def end_session(console: ConsoleProcess, page: Page) -> None:
    """As a login that expired."""
    keys = [cookie.get("value") for cookie in page.context.cookies() if "csrf" not in cookie.get("name", "")]
    console.manage(
        "shell", "-c",
        f"from echoadmin.accounts.sessions import SessionStore; [SessionStore(key).delete() for key in {keys!r}]",
    )  # fmt: skip


def also_in(opened: OPEN, first: Page, name: str) -> Page:
    """The conversation that `first` shows, for somebody else."""
    page = opened("/admin/" + first.url.split("/admin/", 1)[1], signed=False)
    sign_in(page, name)
    page.wait_for_url(first.url)
    expect(page.locator("#log-live")).to_have_text("live")
    return page


def test_a_login_that_expired_leaves_the_words_and_a_way_back_to_them(opened: OPEN, console: ConsoleProcess) -> None:
    name = person(console, "operator")
    page = also_in(opened, spoken_in(opened(), "Expired"), name)
    end_session(console, page)
    try_to_say(page)
    expect(told(page)).to_contain_text("You are signed out")
    expect(line(page)).to_have_value(KEPT)
    address = page.url
    page.get_by_role("link", name="Sign in again").click()
    sign_in(page, name)
    page.wait_for_url(address)
    expect(line(page)).to_have_value(KEPT)
    expect(page.locator("#echoes li", has_text=KEPT)).to_have_count(0)
    expect(page.locator("#say-sign-in")).to_be_hidden()
    expect(page.locator("#say")).to_be_enabled()
    line(page).press("Enter")
    expect(state_of(page, KEPT)).to_have_text("spoken")


def test_a_login_that_expired_is_told_before_anything_is_sent(opened: OPEN, console: ConsoleProcess) -> None:
    page = also_in(opened, spoken_in(opened(), "Expired unseen"), person(console, "operator"))
    line(page).fill(KEPT)
    end_session(console, page)
    expect(page.locator("#log-live")).to_have_text("signed out")
    expect(page.locator("#say-hint")).to_contain_text("You are signed out")
    expect(page.get_by_role("link", name="Sign in again")).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    line(page).press("Enter")
    expect(told(page)).to_contain_text("You are signed out")
    expect(line(page)).to_have_value(KEPT)
    assert [url for url in asked if "/speak/" in url] == []


def test_who_may_only_read_has_no_box_and_is_told_why(opened: OPEN, console: ConsoleProcess) -> None:
    page = also_in(opened, spoken_in(opened(), "Read only"), person(console, "auditor"))
    expect(line(page)).to_have_count(0)
    expect(page.get_by_text("an operator can speak")).to_be_visible()


def test_a_role_that_was_taken_away_is_told_and_the_words_stay(opened: OPEN, console: ConsoleProcess) -> None:
    name = person(console, "operator")
    page = also_in(opened, spoken_in(opened(), "Role"), name)
    change_role(console, name, "auditor")
    try_to_say(page)
    expect(told(page)).to_contain_text("role operator or higher")
    expect(told(page)).to_contain_text("An admin can change that under Users")
    expect(line(page)).to_have_value(KEPT)
    change_role(console, name)
    expect(page.locator("#log-live")).to_have_text("not allowed")
    expect(page.locator("#say-hint")).to_contain_text("Your role no longer lets you read this")
    expect(line(page)).to_have_value(KEPT)


def test_two_operators_at_once_see_one_order_and_what_the_other_stopped(opened: OPEN, console: ConsoleProcess) -> None:
    one = spoken_in(opened(), "Two at once")
    other = also_in(opened, one, person(console, "operator"))
    for number in range(3):
        line(one).fill(f"Mine {number}.")
        line(other).fill(f"Yours {number}.")
        for page in (one, other):  # neither waits for the other's answer
            line(page).press("Enter", no_wait_after=True)
    for page in (one, other):
        expect(page.locator("#echoes li")).to_have_count(6)
        expect(page.locator("#echoes li .ea-state", has_text="spoken")).to_have_count(6)
    assert words(one).all_inner_texts() == words(other).all_inner_texts()
    shown = [page.locator('#log [data-shape="said"]', has_text=re.compile("Mine|Yours")) for page in (one, other)]
    for rows in shown:
        expect(rows).to_have_count(6)
    said = [re.findall(r"(?:Mine|Yours) \d", " ".join(rows.all_inner_texts())) for rows in shown]
    assert said[0] == said[1]
    assert sorted(said[0]) == sorted(f"{who} {number}" for who in ("Mine", "Yours") for number in range(3))
    say(one, "On and on. " * 200)
    say(one, "Never begun.")
    expect(state_of(other, "On and on.").first).to_have_text("speaking")
    expect(state_of(other, "Never begun.")).to_have_text("queued")
    other.locator("#interrupt").click()
    expect(state_of(one, "On and on.").first).to_have_text("interrupted")
    expect(state_of(one, "Never begun.")).to_have_text("cancelled")


def test_without_https_the_microphone_says_what_to_do(opened: OPEN) -> None:
    page = opened()
    page.add_init_script("Object.defineProperty(window, 'isSecureContext', { get: () => false })")
    spoken_in(page, "Plain http")
    expect(page.locator("#mic-note")).to_contain_text("Open this page by https, or send a file")
    expect(page.locator("#mic")).to_have_attribute("aria-disabled", "true")
    say(page, "Typing goes on.")


def test_a_text_that_is_called_wav_is_told_and_leaves_what_was_typed(opened: OPEN) -> None:
    page = spoken_in(opened(), "Files")
    line(page).fill(KEPT)
    give(page, "drop", "notes.wav", "audio/wav", data=list(b"These are notes, and no sound at all. " * 20))
    expect(told(page)).to_contain_text(re.compile("audio", re.I))
    expect(page.locator("#upload")).to_be_hidden()
    expect(line(page)).to_have_value(KEPT)
    assert page.locator("#echoes li").count() == 0


def test_a_page_that_slept_for_an_hour_catches_up_and_sends_nothing(opened: OPEN) -> None:
    speaker = spoken_in(opened(), "Asleep")
    page = opened()
    cable = Cable(page)
    page.clock.install()
    page.goto(speaker.url)
    expect(page.locator("#log-live")).to_have_text("live")
    line(page).fill(KEPT)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)
    cable.is_cut = True
    page.clock.pause_at(page.evaluate("Date.now()") / 1000 + 1)
    for number in range(4):
        say(speaker, f"Meanwhile {number}.")
        expect(state_of(speaker, f"Meanwhile {number}.")).to_have_text("spoken")
    expect(page.locator("#echoes li")).to_have_count(0)
    cable.is_cut = False
    page.clock.fast_forward("01:00:00")
    page.clock.resume()
    expect(page.locator("#log-live")).to_have_text("live")
    expect(page.locator("#echoes li .ea-state", has_text="spoken")).to_have_count(4)
    assert words(page).all_inner_texts() == words(speaker).all_inner_texts()
    rows = page.locator('#log [data-shape="said"]', has_text="Meanwhile")
    expect(rows).to_have_count(4)
    assert re.findall(r"Meanwhile \d", " ".join(rows.all_inner_texts())) == [f"Meanwhile {at}" for at in range(4)]
    expect(line(page)).to_have_value(KEPT)
    assert asked == []
    line(page).press("Enter")
    expect(state_of(speaker, KEPT)).to_have_text("spoken")


def test_a_page_that_slept_longer_than_its_login_says_so(opened: OPEN, console: ConsoleProcess) -> None:
    page = also_in(opened, spoken_in(opened(), "Overslept"), person(console, "operator"))
    cable = Cable(page)
    page.reload()
    expect(page.locator("#log-live")).to_have_text("live")
    line(page).fill(KEPT)
    cable.is_cut = True
    expect(page.locator("#log-live")).to_have_text("away")
    end_session(console, page)
    cable.is_cut = False
    expect(page.locator("#log-live")).to_have_text("signed out")
    expect(page.get_by_role("link", name="Sign in again")).to_be_visible()
    expect(line(page)).to_have_value(KEPT)


def end_by_page(other: Page, console: ConsoleProcess) -> None:
    other.get_by_role("button", name="End…").click()
    other.get_by_role("button", name="End it now").click()


def end_by_tavus(other: Page, console: ConsoleProcess) -> None:
    found = re.search(r"cv_\w+", other.url)
    assert found
    key = {"Authorization": f"Bearer {console.api_key()}"}
    told = httpx.get(f"{console.url}/api/v1/conversations/{found.group()}/", headers=key).json()
    end = f"{console.twin_url}/v2/conversations/{told['conversation_id']}/end"
    assert httpx.post(end, headers={"x-api-key": "a-test"}).is_success


@pytest.mark.parametrize("end", [end_by_page, end_by_tavus])
def test_a_conversation_that_ends_under_ones_hands(opened: OPEN, console: ConsoleProcess, end) -> None:  # type: ignore[no-untyped-def]
    other = spoken_in(opened(), "Ends")
    page = opened("/admin/" + other.url.split("/admin/", 1)[1])
    expect(page.locator("#log-live")).to_have_text("live")
    say(page, "On and on. " * 300)
    say(page, "Waits for ever.")
    expect(state_of(page, "On and on.").first).to_have_text("speaking")
    line(page).fill(KEPT)
    end(other, console)
    expect(page.locator('[data-live="state"]')).to_have_text("ended")
    expect(page.locator("#say-hint")).to_contain_text("ended")
    expect(page.locator("#say")).to_be_disabled()
    expect(state_of(page, "Waits for ever.")).to_have_text(re.compile("cancelled|failed"))
    expect(page.locator("#echoes li", has_text="Waits for ever.")).to_contain_text(re.compile("ended", re.I))
    expect(page.locator("#mic")).to_have_attribute("aria-disabled", "true")
    line(page).press("Enter")
    expect(told(page)).to_contain_text("ended")
    expect(line(page)).to_have_value(KEPT)
    page.reload()
    expect(line(page)).to_have_value(KEPT)


def test_a_console_that_goes_away_as_one_presses_enter_gets_nothing_later(opened: OPEN) -> None:
    speaker, page, cable = joined(opened, "Away")
    line(page).fill(KEPT)
    cable.is_cut = True
    line(page).press("Enter")
    expect(told(page)).to_contain_text(re.compile("did not answer|out of reach"))
    expect(line(page)).to_have_value(KEPT)
    expect(page.locator("#log-live")).to_have_text("away")
    cable.is_cut = False
    expect(page.locator("#log-live")).to_have_text("live")
    say(speaker, "Something else.")
    expect(state_of(page, "Something else.")).to_have_text("spoken")
    expect(page.locator("#echoes li")).to_have_count(1)
    expect(line(page)).to_have_value(KEPT)


def test_a_database_that_is_away_refuses_in_words_and_the_words_stay(opened: OPEN, console: ConsoleProcess) -> None:
    page = spoken_in(opened(), "Locked")
    path = console.data / "sandbox.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        try_to_say(page)
        expect(told(page)).to_contain_text(re.compile(r"\w+ \w+"))
        expect(line(page)).to_have_value(KEPT)
        refusal = told(page).inner_text()
        holder.execute("ROLLBACK")
    assert re.search("again|database", refusal), refusal
    expect(page.locator("#echoes li")).to_have_count(0)
    line(page).press("Enter")
    expect(state_of(page, KEPT)).to_have_text("spoken")
    expect(page.locator("#echoes li")).to_have_count(1)
