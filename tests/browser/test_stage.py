"""The stage: who is in the room, what the replica says, drawn and heard, and what will end it."""

from __future__ import annotations

import math
import re
import struct

from playwright.sync_api import Page, expect

from conversations.audio import wav_header
from tests.browser.conftest import OPEN
from tests.browser.test_pages import check
from tests.browser.test_whole_way import start
from tests.console_process import ConsoleProcess
from tests.sdk_client import sdk_client

RATE = 24_000
LONG = "A long line. " * 150  # 13 s of the twin's time, at ten times its speed
PICTURE = "wave => wave.toDataURL()"
FRAMES = """() => new Promise((done) => {
    let n = 0;
    const next = () => (++n < 15 ? requestAnimationFrame(next) : done());
    next();
})"""

WATCH = """() => {
    window.seen = new Set();
    const words = document.querySelector("[data-live=left]");
    new MutationObserver(() => window.seen.add(words.textContent)).observe(words, { childList: true });
}"""
STREAM = """(seconds) => new Promise((done) => {
    const id = document.getElementById("conversation").dataset.id;
    const socket = new WebSocket(`ws://${location.host}/ws/v1/conversations/${id}/`);
    const tell = (message) => socket.send(JSON.stringify(message));
    socket.onopen = () => tell({ type: "audio", sample_rate: 24000, ref: 1 });
    socket.onmessage = ({ data }) => {
        const said = JSON.parse(data);
        if (said.type !== "ack" || said.ref !== 1) return;
        socket.send(new Uint8Array(24000 * 2 * seconds));
        window.endStream = () => tell({ type: "audio_end", ref: 2 });
        done();
    };
})"""

SPOKEN_AT_ONCE = """async () => {
    const module = document.querySelector("[data-stage-module]").dataset.stageModule;
    const { Sound } = await import(new URL("sound.js", new URL(module, location)));
    const [audio, button, hint] = ["audio", "button", "p"].map((name) => document.createElement(name));
    const sound = new Sound("/nowhere/", audio, button, hint);
    sound.turn(true);
    const now = new Date().toISOString();
    const echo = { inference_id: "a", modality: "audio", state: "speaking", closed_at: null, times: { speaking: now } };
    sound.take(echo, echo);
    const before = audio.getAttribute("src");
    sound.take({ ...echo, state: "spoken", closed_at: now }, null);
    return [before, audio.getAttribute("src")];
}"""


def tone(seconds: float) -> dict[str, object]:
    samples = b"".join(struct.pack("<h", int(9000 * math.sin(n / 20))) for n in range(int(seconds * RATE)))
    return {"name": "tone.wav", "mimeType": "audio/wav", "buffer": wav_header(len(samples), RATE) + samples}


def begin(page: Page, name: str) -> None:
    start(page, name)
    expect(page.locator('[data-live="room-more"]')).to_contain_text("the replica is there")


def say(page: Page, words: str) -> None:
    page.get_by_label("What the replica says").fill(words)
    page.get_by_label("What the replica says").press("Enter")


def test_the_people_stand_with_their_times_and_a_guest_comes_and_goes(opened: OPEN, console: ConsoleProcess) -> None:
    page = opened()
    begin(page, "People")
    people = page.locator("#people li")
    expect(people).to_have_count(2)
    expect(people.nth(0)).to_contain_text("(the replica)")
    expect(people.nth(1)).to_contain_text("This console (worker ")
    daily = f"https://localhost:{console.environment['TWIN_DAILY_PORT']}"
    with sdk_client(daily, str(console.data / "twin" / "ca.pem")) as guest:
        facts = page.locator(".ea-live-facts").inner_text()
        room = re.search(r"https://tavus\.daily\.co/\S+", facts)
        assert room is not None
        assert guest.join(room.group(), "Ana") is None
        row = people.filter(has_text="Ana (guest)")
        expect(row).to_have_count(1)
        since = row.locator("time")
        assert re.fullmatch(r"\d{2}:\d{2}:\d{2}", since.inner_text())
        assert since.get_attribute("title").split(" · ")[0].endswith(" UTC")
        expect(row.locator("[data-since]")).to_have_text("for 3 s")  # it counts: it was less a moment ago
        expect(page.locator('[data-live="room-more"]')).to_contain_text("in it: Ana")
        guest.leave()
        expect(row).to_have_count(0)
    page.get_by_role("button", name="Leave").click()
    expect(people).to_have_text(["This console is not in the room, and does not see who is."])


def test_what_is_said_is_a_caption_and_moves_the_wave_until_it_is_interrupted(opened: OPEN) -> None:
    page = opened()
    begin(page, "Captions")
    caption, wave = page.locator(".ea-caption"), page.locator(".ea-wave")
    expect(caption).to_have_text("Silent.")
    flat = wave.evaluate(PICTURE)
    say(page, LONG)
    expect(caption).to_contain_text("A long line. A long line.")
    expect(caption).to_have_attribute("data-speaking", "yes")
    expect(caption.locator(".ea-said")).to_contain_text(re.compile(r"(A long line\. ){20}"))
    page.evaluate(FRAMES)
    moving = wave.evaluate(PICTURE)
    page.evaluate(FRAMES)
    assert wave.evaluate(PICTURE) not in (moving, flat)
    page.reload()  # who comes in the middle sees it too
    expect(caption).to_contain_text("A long line. A long line.")
    page.get_by_label("What the replica says").press("Escape")
    expect(caption).to_have_text("Silent.")
    expect(page.locator("#echoes li .ea-state").first).to_have_text("interrupted")
    page.wait_for_function("flat => document.querySelector('.ea-wave').toDataURL() === flat", arg=flat)


def test_the_wave_stands_still_where_motion_is_not_wanted(opened: OPEN) -> None:
    page = opened()
    page.emulate_media(reduced_motion="reduce")
    begin(page, "Still")
    wave = page.locator(".ea-wave")
    flat = wave.evaluate(PICTURE)
    say(page, LONG)
    expect(page.locator(".ea-caption")).to_have_attribute("data-speaking", "yes")
    page.wait_for_function("flat => document.querySelector('.ea-wave').toDataURL() !== flat", arg=flat)
    first = wave.evaluate(PICTURE)
    page.evaluate(FRAMES)
    assert wave.evaluate(PICTURE) == first


def test_an_audio_echo_is_heard_once_sound_is_on(opened: OPEN) -> None:
    page = opened()
    begin(page, "Sound")
    asked: list[int] = []
    page.on("response", lambda answer: asked.append(answer.status) if answer.url.endswith("/audio/") else None)
    caption, sound = page.locator(".ea-caption"), page.locator('[data-drawn="audio"]')
    page.locator("#say-audio").set_input_files(tone(5))
    expect(page.locator("#echoes li .ea-state").first).to_have_text("spoken")
    assert asked == []
    page.get_by_role("button", name="Sound on").click()
    expect(page.get_by_role("button", name="Sound off")).to_have_attribute("aria-pressed", "true")
    page.locator("#say-audio").set_input_files(tone(40))
    expect(caption).to_have_text("Audio, 40 s.")
    page.wait_for_function("() => document.querySelector('[data-drawn=audio]').currentTime > 0.5")
    assert sound.evaluate("sound => [sound.paused, Math.round(sound.duration), sound.error]") == [False, 40, None]
    assert asked[0] == 206
    page.get_by_label("What the replica says").press("Escape")
    expect(page.locator("#echoes li .ea-state").first).to_have_text("interrupted")
    page.wait_for_function("() => document.querySelector('[data-drawn=audio]').paused")
    before = len(asked)
    say(page, "A text has no sound.")
    expect(page.locator("#echoes li .ea-state").first).to_have_text("spoken")
    assert sound.evaluate("sound => sound.paused")
    page.get_by_role("button", name="Sound off").click()
    page.locator("#say-audio").set_input_files(tone(5))
    expect(page.locator("#echoes li .ea-state").first).to_have_text("spoken")
    assert len(asked) == before


def test_audio_that_is_still_coming_is_heard_from_its_beginning_once_it_is_whole(opened: OPEN) -> None:
    page = opened()
    begin(page, "Streamed")
    sound = page.locator('[data-drawn="audio"]')
    page.get_by_role("button", name="Sound on").click()
    page.evaluate(STREAM, 2)
    expect(page.locator(".ea-caption")).to_have_text("Audio that is still coming.")
    assert sound.evaluate("sound => [sound.src, sound.paused]") == ["", True]
    page.evaluate("window.endStream()")
    page.wait_for_function("() => document.querySelector('[data-drawn=audio]').currentTime > 0.5")
    assert sound.evaluate("sound => Math.round(sound.duration)") == 2
    # The console may tell that it is whole and that it was spoken at once.
    assert page.evaluate(SPOKEN_AT_ONCE) == [None, "/nowhere/a/audio/"]


def test_what_will_end_it_and_when(opened: OPEN) -> None:
    page = opened()
    begin(page, "Endings")
    words = page.locator('[data-live="left"]')
    expect(words).to_have_text(re.compile(r"ends by itself in 59:\d\d: its longest time"))
    assert words.get_attribute("title").endswith(" UTC")
    page.evaluate(WATCH)
    page.wait_for_function("() => window.seen.size > 6")  # it counts down by itself, between two words from the console
    page.get_by_role("button", name="Leave").click()
    expect(words).to_have_text(
        re.compile(r"ends by itself in 1:[45]\d if nobody else is in the room: this console left it")
    )
    page.get_by_role("button", name="End…").click()
    page.get_by_role("button", name="End it now").click()
    expect(page.locator('[data-live="state"]')).to_have_text("ended")
    expect(words).to_have_text("")


def test_the_stage_is_accessible_while_the_replica_speaks(opened: OPEN) -> None:
    page = opened()
    begin(page, "Accessible stage")
    say(page, LONG)
    expect(page.locator(".ea-caption .ea-said")).to_be_visible()
    check(page)
