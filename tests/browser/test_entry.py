"""The log by page, further: an entry copied, heard and linked, its neighbours, older pages, bars, presets and gaps."""

from __future__ import annotations

import json
import re
import urllib.request
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import OPEN
from tests.browser.test_pages import check, faults
from tests.browser.test_record import LOG, say
from tests.browser.test_whole_way import CONVERSATION, start
from tests.console_process import ConsoleProcess

LINE = "Nobody has said this before."
PCM = bytes(k * 7 % 251 for k in range(24_000)) * 11  # 5.5 s at 24 kHz: 110 messages, more than a page of the log


@pytest.fixture(scope="module")
def told(console: ConsoleProcess, browser: Browser, signed_in: str) -> str:
    """Our id of a conversation in which LINE was said and PCM heard, and from which messages are missing."""
    from conversations.audio import wav_header

    context = browser.new_context(base_url=console.url, storage_state=signed_in)
    context.set_default_timeout(30_000)
    page = context.new_page()
    start(page, "With a gap")
    expect(page.locator('[data-live="room"]')).to_have_text("joined")
    say(page, LINE)
    file = {"name": "long.wav", "mimeType": "audio/wav", "buffer": wav_header(len(PCM), 24_000) + PCM}
    page.locator("#say-audio").set_input_files(file)
    expect(page.locator("#echoes li", has_text="Audio").locator(".ea-state")).to_have_text("spoken")
    lose_messages(page, console)
    found = CONVERSATION.search(page.url)
    assert found is not None
    context.close()
    return found.group().split("/")[4]


def lose_messages(page: Page, console: ConsoleProcess) -> None:
    """The replica's count of its messages jumps far ahead of those that come."""
    theirs = page.locator("dd code", has_text="daily.co/").inner_text().rsplit("/", 1)[1]
    words = {"role": "replica", "speech": "Much later."}
    message = {"message_type": "conversation", "event_type": "conversation.utterance", "seq": 100_000}
    body = json.dumps({**message, "conversation_id": theirs, "properties": words}).encode()
    with urllib.request.urlopen(f"{console.twin_url}/twin/rooms/{theirs}/messages", body, timeout=30) as answer:
        assert answer.status < 300
    expect(page.locator("#log li", has_text="Much later.")).to_be_visible()


def open_row(page: Page, row: Locator) -> None:
    row.locator("summary").click()
    expect(row.locator("pre")).to_be_visible()


def copied(page: Page, row: Locator, words: str) -> str:
    """What a press of this button of an open row puts into the clipboard."""
    button = row.locator("button[data-copy]", has_text=words).element_handle()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    button.click()
    page.wait_for_function("button => button.textContent === 'Copied'", arg=button)
    return str(page.evaluate("navigator.clipboard.readText()"))


def test_an_entry_is_copied_as_json(opened: OPEN, told: str) -> None:
    page = opened(f"{LOG}?conversation={told}&family=echo")
    row = page.locator("#entries > li", has_text=LINE)
    open_row(page, row)
    entry = json.loads(copied(page, row, "Copy as JSON"))
    assert entry["message"]["properties"]["text"] == LINE
    assert entry["conversation"] == told
    expect(row.get_by_role("button", name="Copy as JSON")).to_be_visible()  # it says again what it does
    check(page)


def test_a_call_is_copied_as_curl_without_the_key(opened: OPEN, console: ConsoleProcess, told: str) -> None:
    page = opened(f"{LOG}?conversation={told}&kind=upstream")
    row = page.locator("#entries > li", has_text="POST /v2/conversations").last
    open_row(page, row)
    told_shell = copied(page, row, "Copy as cURL")
    assert told_shell.startswith(f"curl -X POST {console.twin_url}/v2/conversations")
    assert '-H "x-api-key: $TAVUS_API_KEY"' in told_shell
    assert "With a gap" in told_shell


def test_neighbours_lead_on_and_the_permanent_link_leads_back(opened: OPEN, told: str) -> None:
    page = opened(f"{LOG}?conversation={told}&family=echo")
    row = page.locator("#entries > li", has_text=LINE)
    open_row(page, row)
    around = row.locator(".ea-around li")
    assert around.count() == 11
    here = around.evaluate_all("all => all.findIndex((one) => one.ariaCurrent === 'true')")
    assert here == 5
    entries = around.locator("a").evaluate_all("all => all.map((one) => Number(one.pathname.split('/').at(-3)))")
    assert entries == sorted(entries)  # not by time: a chunk's is that of its planned departure
    row.get_by_role("link", name="Permanent link").click()
    address = page.url
    expect(page.locator("h1")).to_contain_text("conversation.echo #")
    expect(page.locator("pre")).to_contain_text(LINE)
    page.locator(".ea-around li").nth(6).get_by_role("link").click()
    page.wait_for_url(lambda url: url != address)
    page.locator(".ea-around li").nth(4).get_by_role("link").click()
    page.wait_for_url(address)
    check(page)


def test_the_sound_of_an_echo_plays_by_range(opened: OPEN, told: str) -> None:
    page = opened(f"{LOG}?conversation={told}&family=echo")
    row = page.locator("#entries > li", has_text="audio, 5.5 s")
    open_row(page, row)
    sound = row.locator("audio")
    with page.expect_response(lambda answer: "/audio/" in answer.url) as asked:
        sound.evaluate("sound => { sound.muted = true; return sound.play(); }")
    assert asked.value.status == 206
    assert asked.value.header_value("content-range") == f"bytes 0-{len(PCM) + 43}/{len(PCM) + 44}"
    page.wait_for_function("() => document.querySelector('#entries audio').currentTime > 0.1")
    sound.evaluate("sound => { sound.currentTime = 5; }")
    page.wait_for_function("() => document.querySelector('#entries audio').currentTime > 5.1")
    address = sound.get_attribute("src")
    part = page.request.get(f"{address}", headers={"Range": "bytes=1044-2043"})
    assert (part.status, part.body()) == (206, PCM[1000:2000])
    alone = page.request.get(f"{row.get_by_role('link', name='This message alone').get_attribute('href')}")
    assert alone.body()[44:] == PCM[: len(alone.body()) - 44] and len(alone.body()) < 10_000
    with page.expect_download() as saved:
        row.get_by_role("link", name="Download as WAV").click()
    assert saved.value.path().read_bytes()[44:] == PCM


def ids(page: Page) -> list[int]:
    return [int(one) for one in page.locator("#entries > li").evaluate_all("all => all.map((one) => one.dataset.id)")]


def turn(page: Page, words: str) -> list[int]:
    """The ids on the page that this link leads to."""
    before = page.url
    page.get_by_role("link", name=words).click()
    page.wait_for_url(lambda url: url != before)
    return ids(page)


def test_older_and_newer_pages_lead_there_and_back(opened: OPEN, told: str) -> None:
    page = opened(f"{LOG}?conversation={told}&noise=1")
    second = turn(page, "Older →")
    expect(page.locator("#live-state")).to_have_count(0)  # a page that can't grow does not pretend to
    first = turn(page, "← Newer")
    assert len(first) == 100 and min(first) > max(second)
    assert first == sorted(set(first), reverse=True) and second == sorted(set(second), reverse=True)
    assert turn(page, "Older →") == second
    check(page)
    page.set_viewport_size({"width": 1440, "height": 900})
    turn(page, "Newest")
    expect(page.locator("#live-state")).to_have_text("live")


def test_a_bar_leads_to_its_time_and_a_preset_to_its_own(opened: OPEN, told: str) -> None:
    page = opened(f"{LOG}?conversation={told}&noise=1")
    page.locator(".ea-bars a").last.click()
    page.wait_for_url(re.compile("at_before="))
    span = parse_qs(urlsplit(page.url).query)
    first, last = (datetime.fromisoformat(span[name][0]) for name in ("at_after", "at_before"))
    assert (last - first).total_seconds() == 60
    shown = page.locator("#entries > li > details > summary > time")
    times = [datetime.fromisoformat(at) for at in shown.evaluate_all("all => all.map((one) => one.dateTime)")]
    assert times and all(first <= at < last for at in times)
    page.get_by_role("link", name="24 hours").click()
    page.wait_for_url(re.compile("at_after="))
    expect(page.locator(".ea-chip", has_text="before")).to_have_count(0)
    span = parse_qs(urlsplit(page.url).query)
    begins = datetime.fromisoformat(span["at_after"][0])
    assert 86_000 < (datetime.now(begins.tzinfo) - begins).total_seconds() < 86_700
    assert span["conversation"] == [told]
    expect(page.locator("#entries > li").first).to_be_visible()


def test_what_is_missing_stands_where_it_happened_and_is_listed(opened: OPEN, told: str) -> None:
    page = opened(f"{LOG}timeline/{told}/")
    blocks = page.locator("#timeline > li")
    gap = page.locator('[data-block="gap"]', has_text=re.compile(r"Gap: [\d]+ messages missing \(seq \d+ to 99999\)"))
    expect(gap).to_have_count(1)
    place = blocks.evaluate_all("all => all.findIndex((one) => one.textContent.includes('messages missing'))")
    expect(blocks.nth(place + 1)).to_contain_text("Much later.")
    check(page)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.get_by_role("link", name="Its gaps").click()
    row = page.locator("tr", has_text="to 99999)")
    expect(row).to_contain_text("Messages missing")
    expect(row.locator(".ea-state")).to_have_text("unexpected")
    expect(page.locator("tr", has_text="not_joined").locator(".ea-state")).to_have_text("expected")
    check(page)
    page.set_viewport_size({"width": 1440, "height": 900})
    row.get_by_role("link", name=re.compile(r"entry \d+")).click()
    expect(page.locator("pre")).to_contain_text("Much later.")


def test_what_can_be_exported_is_asked_over_the_page(opened: OPEN, told: str) -> None:
    page = opened(f"{LOG}?conversation={told}")
    page.get_by_role("button", name="Export…").click()
    box = page.get_by_role("dialog")
    expect(box).to_be_visible()
    addresses = box.get_by_role("link").evaluate_all("all => all.map((one) => one.href)")
    assert len(addresses) == 3 and all(f"conversation={told}" in one for one in addresses)
    assert any(LINE in line for line in page.request.get(addresses[0]).text().splitlines())
    page.keyboard.press("Escape")
    expect(box).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_opens_over_a_page_or_in_it_is_accessible_and_fits_a_phone(opened: OPEN, told: str, scheme: str) -> None:
    page = opened(f"{LOG}?conversation={told}&family=echo", width=360, scheme=scheme)
    expect(page.locator("html.dark")).to_have_count(1 if scheme == "dark" else 0)
    open_row(page, page.locator("#entries > li", has_text="audio, 5.5 s"))
    assert faults(page) == []
    for words in ("+ Filter", "Export…"):
        page.get_by_role("button", name=words).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        assert faults(page) == []
        page.keyboard.press("Escape")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
