"""The transcript: lines of a conversation that open into what is behind them, the log as another view, the sound."""

from __future__ import annotations

import json
import re
import urllib.request
from typing import Any

from playwright.sync_api import APIResponse, Locator, Page, Route, WebSocketRoute, expect

from tests.browser.conftest import OPEN
from tests.browser.test_pages import check
from tests.browser.test_whole_way import start
from tests.console_process import ConsoleProcess
from tests.waiting import until

LINE = "Around the world, around the world."
TO_TOP = "scroll => { scroll.scrollTop = 0; }"


def live(opened: OPEN, name: str, **how: Any) -> Page:
    page = opened(**how)
    start(page, name)
    expect(page.locator('[data-live="room-more"]')).to_contain_text("the replica is there")
    return page


def say(page: Page, words: str) -> Locator:
    """Says it, and gives its line once it was spoken."""
    page.locator("#say-text").fill(words)
    page.locator("#say-text").press("Enter")
    line = page.locator('#log > [data-shape="said"]', has_text=words)
    expect(line.locator(".ea-state").first).to_have_text("spoken")
    return line


def play(page: Page, seconds: float) -> None:
    """Has the replica say a tone of so many seconds."""
    from conversations.audio import wav_header

    samples = b"".join((int(8_000 * (n % 48 < 24)) - 4_000).to_bytes(2, "little", signed=True) for n in range(24_000))
    samples = (samples * int(seconds + 1))[: int(seconds * 48_000)]
    buffer = wav_header(len(samples), 24_000) + samples
    page.locator("#say-audio").set_input_files({"name": "tone.wav", "mimeType": "audio/wav", "buffer": buffer})
    expect(page.locator("#echoes li .ea-state").first).to_have_text("spoken")
    page.locator("#log .ea-player").last.scroll_into_view_if_needed()
    expect(page.locator("#log .ea-player").last).to_contain_text(f"{seconds:g} s")


def send(page: Page, console: ConsoleProcess, event_type: str, count: int = 1, **properties: Any) -> None:
    """Messages from the replica's side of the room."""
    room = page.locator("dd code", has_text="daily.co/").inner_text().rsplit("/", 1)[1]
    for number in range(count):
        told = {name: value.format(number) for name, value in properties.items()}
        message = {
            "message_type": "conversation",
            "event_type": event_type,
            "conversation_id": room,
            "properties": told,
        }
        body = json.dumps(message).encode()
        with urllib.request.urlopen(f"{console.twin_url}/twin/rooms/{room}/messages", body, timeout=30) as answer:
            assert answer.status < 300


def numbers(page: Page) -> list[int]:
    return list(page.locator("#log > [data-n]").evaluate_all("rows => rows.map((row) => Number(row.dataset.n))"))


def test_a_line_opens_into_the_messages_and_calls_behind_it(opened: OPEN) -> None:
    page = live(opened, "Behind")
    line = say(page, LINE)
    expect(line).to_contain_text("admin · text")
    line.get_by_role("button", name="What is behind it").click()
    behind = line.locator(".ea-turn-behind")
    expect(behind.locator("dl")).to_contain_text("1 of 1 sent")
    for event_type in (
        "conversation.echo",
        "conversation.replica.started_speaking",
        "conversation.replica.stopped_speaking",
    ):
        expect(behind.locator("li", has_text=event_type).first).to_be_visible()
    behind.locator("li", has_text="conversation.echo").first.locator("summary").click()
    expect(behind.locator("pre").first).to_contain_text('"inference_id"')
    call = page.locator("#log > li", has_text="POST /v2/conversations → 200")
    call.get_by_role("button", name="What is behind it").click()
    expect(call.locator("li", has_text="conversation.created")).to_be_visible()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    line.get_by_role("button", name="Copy the words").click()
    assert page.evaluate("navigator.clipboard.readText()") == LINE
    line.get_by_role("button", name="Copy as JSON").click()
    expect(line.get_by_role("button", name="Copied")).to_have_count(2)
    line.get_by_role("button", name="Say again").click()
    page.locator("#log-new").click()  # who reads is not moved
    expect(page.locator('#log > [data-shape="said"]', has_text=LINE)).to_have_count(2)
    check(page)


def test_what_is_told_in_both_vocabularies_and_by_webhook_is_one_line(opened: OPEN) -> None:
    page = live(opened, "Told thrice")
    came = page.locator("#log > li", has_text="The replica came")
    expect(came).to_have_count(1)
    came.get_by_role("button", name="What is behind it").click()
    for words in ("system.replica_joined", "system.pal_joined"):
        expect(came.locator("li", has_text=words).first).to_be_visible()


def test_audio_is_a_waveform_that_plays_is_sought_and_downloads(opened: OPEN, console: ConsoleProcess) -> None:
    page = live(opened, "Waveform")
    play(page, 3)
    sound = page.locator("#log .ea-player")
    expect(sound).to_contain_text("3 s")
    drawn = "canvas => new Set(canvas.getContext('2d').getImageData(0, 14, canvas.width, 1).data).size > 1"
    assert sound.locator("canvas").evaluate(drawn)
    sound.get_by_role("button", name="Play").click()
    page.wait_for_function("document.querySelector('#log .ea-player').player.at > 0.1")
    sound.get_by_role("button", name="Pause").click()
    where = sound.get_by_label("Where it plays")
    where.focus()
    where.press("End")
    expect(where).to_have_attribute("aria-valuetext", "3 s of 3 s")
    with page.expect_download() as started:
        sound.get_by_role("link", name="WAV").click()
    file = started.value.path().read_bytes()
    assert (file[:4], len(file)) == (b"RIFF", 44 + 3 * 48_000)
    address = sound.get_by_role("link", name="WAV").get_attribute("href")
    part = page.request.get(f"{console.url}{address}", headers={"Range": "bytes=44-143"})
    assert (part.status, part.body(), part.headers["content-range"]) == (206, file[44:144], f"bytes 44-143/{len(file)}")
    check(page)


def test_in_the_log_the_chunks_of_an_echo_are_one_row_with_its_sound(opened: OPEN) -> None:
    page = live(opened, "One row")
    play(page, 2)
    page.get_by_role("button", name="Log", exact=True).click()
    row = page.locator("#log > li", has_text="echo: audio")
    expect(row).to_have_count(1)
    expect(row.locator(".ea-player")).to_contain_text("2 s")
    play(page, 1)
    expect(page.locator("#log > li", has_text="20 messages")).to_have_count(1)
    page.get_by_label("heartbeats").check()
    expect(page.locator("#log > li", has_text="echo: audio")).to_have_count(60)
    found = numbers(page)  # more may come at any time
    assert found == list(range(found[0], found[-1] + 1)), "each entry is a row"
    row = page.locator("#log > li", has_text="replica.started_speaking").first
    row.get_by_role("button", name="What is behind it").click()
    expect(row.locator("pre")).to_contain_text("conversation.replica.started_speaking")
    check(page)


def test_heartbeats_are_hidden_then_folded_into_one_line(opened: OPEN, console: ConsoleProcess) -> None:
    page = live(opened, "Heartbeats")
    expect(page.locator("#log-noise-count")).to_contain_text(re.compile(r"\d"))
    assert page.locator('#log > [data-shape="noise"]').count() == 0
    page.get_by_label("heartbeats").check()
    send(page, console, "conversation.utterance.streaming", 12, speech="word {}")
    folded = page.locator('#log > [data-shape="noise"]').last
    expect(folded).to_contain_text(re.compile(r"1[2-9] heartbeats and single words"))


def test_filters_are_in_the_address_and_hold_for_what_arrives(opened: OPEN, console: ConsoleProcess) -> None:
    page = live(opened, "Filters")
    say(page, LINE)
    page.get_by_label("What to show").select_option("What was said")
    expect(page).to_have_url(re.compile(r"\?show=said$"))
    expect(page.locator("#log > li")).to_have_count(1)
    send(page, console, "conversation.utterance", role="user", speech="Can you say more?")
    heard = page.locator('#log > [data-shape="heard"]')
    expect(heard).to_contain_text("Guest")
    expect(page.locator("#log-spoken")).to_contain_text("Can you say more?")
    page.get_by_label("Find in it").fill("say MORE")
    expect(page.locator("#log > li")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"\?show=said&find=say\+MORE$"))
    send(page, console, "conversation.utterance", role="user", speech="Nothing of it.")
    send(page, console, "conversation.utterance", role="user", speech="Say more, again.")
    expect(heard.last).to_contain_text("Say more, again.")
    expect(heard).to_have_count(2)
    page.reload()
    expect(page.locator("#log > li")).to_have_count(2)
    expect(page.get_by_label("Find in it")).to_have_value("say MORE")
    page.get_by_label("Find in it").fill("not to be found")
    expect(page.locator("#log-nothing")).to_contain_text("Nothing yet")
    page.get_by_role("link", name="Show everything").click()
    expect(page.locator("#log > li", has_text="The replica came")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/change/$"))


def test_paused_it_counts_what_is_new_and_goes_on_without_loss(opened: OPEN, console: ConsoleProcess) -> None:
    page = live(opened, "Paused")
    page.get_by_label("What to show").select_option("What was said")
    say(page, LINE)
    page.get_by_role("button", name="Pause", exact=True).click()
    send(page, console, "conversation.utterance", 17, role="user", speech="Line {}.")
    expect(page.locator("#log-new")).to_have_text("17 new")
    assert page.locator('#log > [data-shape="heard"]').count() == 0
    page.get_by_role("button", name="Resume").click()
    expect(page.locator('#log > [data-shape="heard"]')).to_have_count(17)
    expect(page.locator("#log-new")).to_be_hidden()
    assert page.locator('#log > [data-shape="heard"] .ea-turn-words').all_inner_texts() == [
        f"Line {n}." for n in range(17)
    ]
    assert numbers(page) == sorted(set(numbers(page)))


def test_who_reads_further_up_is_not_moved_and_comes_back_to_the_newest(opened: OPEN, console: ConsoleProcess) -> None:
    page = live(opened, "Further up")
    page.get_by_label("What to show").select_option("What was said")
    send(page, console, "conversation.utterance", 40, role="user", speech="Line {}.")
    expect(page.locator("#log > li", has_text="Line 39.")).to_be_visible()
    scroll = page.locator("#log-scroll")
    scroll.evaluate(TO_TOP)
    send(page, console, "conversation.utterance", 2, role="user", speech="Later {}.")
    expect(page.locator("#log-new")).to_have_text("2 new")
    assert scroll.evaluate("scroll => scroll.scrollTop") == 0
    page.locator("#log-new").click()
    expect(page.locator("#log > li", has_text="Later 1.")).to_be_in_viewport()


def test_what_comes_over_the_line_after_it_was_read_is_shown_once(opened: OPEN, console: ConsoleProcess) -> None:
    speaker = live(opened, "Late line")
    page = opened()
    held: list[str | bytes] = []
    holds: list[bool] = []
    lines: list[WebSocketRoute] = []

    def join(socket: WebSocketRoute) -> None:
        lines.append(socket)
        far = socket.connect_to_server()
        socket.on_message(far.send)
        far.on_message(lambda said: held.append(said) if holds and '"entry"' in str(said) else socket.send(said))

    page.route_web_socket("**/ws/v1/conversations/**", join)
    page.goto(speaker.url)
    expect(page.locator("#log-live")).to_have_text("live")
    holds.append(True)
    send(speaker, console, "conversation.utterance", 3, role="user", speech="Line {}.")
    expect(speaker.locator("#log > li", has_text="Line 2.")).to_be_visible()
    page.get_by_label("What to show").select_option("What was said")
    expect(page.locator("#log > li", has_text="Line 2.")).to_be_visible()
    until(lambda: page.title() and len(held) >= 3, "they came over the line")  # asking the page lets it hand them over
    holds.clear()
    for said in held:
        lines[-1].send(said)
    send(speaker, console, "conversation.utterance", role="user", speech="The next.")
    expect(page.locator("#log > li", has_text="The next.")).to_be_visible()
    expect(page.locator("#log > li", has_text="Line")).to_have_count(3)


def test_earlier_times_are_read_in_order_and_what_began_there_stays_one_line(
    opened: OPEN, console: ConsoleProcess
) -> None:
    page = live(opened, "Earlier")
    send(page, console, "conversation.utterance", 130, role="user", speech="Line {}.")
    expect(page.locator("#log > li", has_text="Line 129.")).to_be_visible()
    say(page, LINE)
    page.reload()
    expect(page.locator("#log-live")).to_have_text("live")
    assert page.locator("#log > li", has_text="Line 2.").count() == 0
    send(page, console, "conversation.utterance", role="user", speech="Followed.")
    followed = page.locator("#log > li", has_text="Followed.")
    expect(followed).to_be_in_viewport()
    page.set_viewport_size({"width": 1440, "height": 700})
    expect(followed).to_be_in_viewport()
    while page.locator("#log-older").is_visible():
        rows = page.locator("#log > li").count()
        page.locator("#log-scroll").evaluate(TO_TOP)
        page.locator("#log-older").click()
        expect(page.locator("#log > li").nth(rows)).to_be_attached()
    found = numbers(page)
    assert found[0] == 1
    assert found == sorted(set(found))
    expect(page.locator('#log > [data-shape="said"]')).to_have_count(1)
    said = page.locator('#log > [data-shape="heard"] .ea-turn-words').all_inner_texts()
    assert said == [*(f"Line {n}." for n in range(130)), "Followed."]


def test_the_oldest_rows_go_while_the_newest_are_followed(opened: OPEN, console: ConsoleProcess) -> None:
    page = live(opened, "Bounded")
    send(page, console, "conversation.utterance", 450, role="user", speech="Line {}.")
    expect(page.locator("#log > li", has_text="Line 449.")).to_be_visible()
    assert 300 <= page.locator("#log > li").count() <= 400
    expect(page.locator("#log-older")).to_be_attached()


def test_what_comes_while_another_view_is_read_is_not_lost(opened: OPEN, console: ConsoleProcess) -> None:
    page = live(opened, "Read meanwhile")
    with page.expect_websocket() as connected:
        page.reload()
    expect(page.locator("#log-live")).to_have_text("live")
    held: list[tuple[Route, APIResponse]] = []
    page.route("**/transcript/**", lambda route: held.append((route, route.fetch())))
    page.get_by_label("What to show").select_option("What was said")
    while not held:
        page.wait_for_timeout(20)
    with connected.value.expect_event("framereceived", lambda frame: "Came meanwhile." in frame):
        send(page, console, "conversation.utterance", role="user", speech="Came meanwhile.")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    route, answer = held[0]
    route.fulfill(response=answer)
    expect(page.locator('#log > [data-shape="heard"]')).to_have_text(re.compile("Came meanwhile"))


def test_an_interrupt_is_one_line_that_tells_what_it_cancelled(opened: OPEN) -> None:
    page = live(opened, "Cut short")
    line = page.locator("#say-text")
    for words in ("A long line. " * 150, "Never said."):
        line.fill(words)
        line.press("Enter")
        expect(line).to_have_value("")
    long = page.locator('#log > [data-shape="said"]', has_text="A long line")
    expect(long.locator(".ea-state")).to_have_text("speaking")
    line.press("Escape")
    expect(long.locator(".ea-state")).to_have_text("interrupted")
    cut = page.locator('#log > [data-shape="event"]', has_text="Interrupted by admin")
    expect(cut).to_have_count(1)
    expect(cut).to_contain_text("(1 queued cancelled)")


def test_rows_by_keyboard(opened: OPEN) -> None:
    page = live(opened, "Keys")
    play(page, 1)
    say(page, LINE)
    page.locator("#log-scroll").focus()
    page.keyboard.press("Tab")
    if page.evaluate("document.activeElement.id") == "log-older":
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "ea-turn-open"
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    assert (
        page.evaluate(
            "[...document.activeElement.closest('ol').children].indexOf(document.activeElement.closest('li'))"
        )
        == 1
    )
    page.keyboard.press("End")
    while not page.evaluate("document.activeElement.closest('li').querySelector('.ea-player') !== null"):
        page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.locator("#log .ea-turn-behind dl")).to_contain_text("20 of 20 sent")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#log .ea-player').player.at > 0.05")


def test_it_reads_well_in_the_dark_and_on_a_phone(opened: OPEN) -> None:
    page = live(opened, "Phone", width=360, scheme="dark")
    play(page, 1)
    say(page, LINE)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    check(page)
