"""Hold to talk: what a microphone gives is what the replica is sent, while it is said."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser, Page, expect

from conversations import audio
from tests import witnesses
from tests.browser.signing_in import sign_in
from tests.browser.test_keyboard import go
from tests.browser.test_whole_way import start
from tests.chromium import ARGUMENTS, chromium
from tests.console_process import ConsoleProcess, running_console

FAKE = "--use-fake-device-for-media-stream"
TALK = 3.0  # s
Opened = Callable[..., Page]

pytestmark = pytest.mark.skipif(not chromium(whole=True), reason="the headless shell has no microphone")


def spoken_like(seconds: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Noise with syllables: like nothing but itself at any other shift."""
    count = int(seconds * audio.RATE)
    noise = np.random.default_rng(6).standard_normal(count + 63)
    smooth = np.convolve(noise, np.hanning(64) / 32, "valid")[:count]
    return 0.25 * smooth * (0.55 + 0.45 * np.sin(2 * np.pi * 4 * np.arange(count) / audio.RATE)) / np.std(smooth)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "played.wav"
    soundfile.write(path, spoken_like(20), audio.RATE, subtype="PCM_16")
    return path


@pytest.fixture(scope="module")
def mic_console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleProcess]:
    """With a twin that speaks as fast as life: what is recorded is said while it is recorded."""
    with running_console(tmp_path_factory.mktemp("console"), TWIN_SPEED="1", CONVERSATION_SLOTS="10") as started:
        yield started


@pytest.fixture(scope="module")
def browsers(played: Path, browser: Browser) -> Iterator[Callable[..., Browser]]:
    """Chromium with a microphone that plays a file; or as the test says."""
    made: list[Browser] = []

    def launch(*flags: str) -> Browser:
        made.append(browser.browser_type.launch(executable_path=chromium(whole=True), args=[*ARGUMENTS, *flags]))
        return made[-1]

    yield launch
    for one in made:
        one.close()


@pytest.fixture
def opened_with(mic_console: ConsoleProcess, browsers: Callable[..., Browser]) -> Opened:
    def open_page(*flags: str, allowed: bool = True) -> Page:
        context = browsers(*flags).new_context(base_url=mic_console.url, permissions=["microphone"] if allowed else [])
        context.set_default_timeout(30_000)
        page = context.new_page()
        page.goto("/admin/")
        sign_in(page, mic_console.user, mic_console.password)
        page.wait_for_url("**/admin/")
        start(page, "Microphone")
        expect(page.locator('[data-live="room-more"]')).to_contain_text("the replica is there")
        expect(page.locator("#log-live")).to_have_text("live")
        return page

    return open_page


def messages(console: ConsoleProcess, page: Page) -> list[Any]:
    """What the twin's room carried."""
    found = re.search(r"cv_\w+", page.url)
    assert found
    key = {"Authorization": f"Bearer {console.api_key()}"}
    told = httpx.get(f"{console.url}/api/v1/conversations/{found.group()}/", headers=key).json()
    record = httpx.get(f"{console.twin_url}/twin/rooms/{told['conversation_id']}/messages").json()
    return [row["message"] for row in record]


def likeness(heard: np.ndarray[Any, Any], file: np.ndarray[Any, Any]) -> float:
    """The highest normalised cross-correlation of `heard` with any stretch of the file as long as it."""
    size = 1 << (len(file) + len(heard)).bit_length()
    product = np.fft.irfft(np.fft.rfft(file, size) * np.conj(np.fft.rfft(heard, size)), size)[: len(file) - len(heard)]
    energy = np.concatenate([[0.0], np.cumsum(file**2)])
    norms = np.sqrt(energy[len(heard) : -1] - energy[: -len(heard) - 1]) * np.sqrt(np.sum(heard**2))
    return float(np.max(product / norms))


def likenesses(heard: np.ndarray[Any, Any], file: np.ndarray[Any, Any]) -> list[float]:
    """Of each quarter of a second: on a busy machine chromium's own device leaves samples out between two of them."""
    heard, length = np.trim_zeros(heard, "f"), audio.RATE // 4
    pieces = [heard[at : at + length] for at in range(0, len(heard) - length, length)]
    return sorted(likeness(piece, file) for piece in pieces)


def test_what_is_played_into_the_microphone_is_what_the_twin_gets(
    opened_with: Opened, mic_console: ConsoleProcess, played: Path
) -> None:
    page = opened_with(FAKE, f"--use-file-for-fake-audio-capture={played}%noloop")
    button = go(page, page.locator("#mic"))
    page.keyboard.down("Space")
    expect(button).to_have_text("Let go to end")
    page.wait_for_function("document.getElementById('mic-level').value > 0.02")
    page.wait_for_timeout(TALK * 1000)
    # It is spoken while it is recorded, not after.
    expect(page.locator("#echoes li .ea-state").first).to_have_text("speaking", timeout=5000)
    expect(button).to_have_text("Let go to end")
    page.keyboard.up("Space")
    expect(page.locator("#mic-note")).to_contain_text("Said ")
    expect(page.locator("#echoes li .ea-state").first).to_have_text("spoken")
    carried = messages(mic_console, page)
    ids = {m["properties"]["inference_id"] for m in carried if "audio" in (m.get("properties") or {})}
    (echo,) = ids
    pcm = np.frombuffer(witnesses.samples(carried, echo), "<i2").astype(float)
    file = soundfile.read(played, dtype="int16")[0].astype(float)
    assert len(pcm) / audio.RATE > TALK - 0.2
    alike = likenesses(pcm, file)
    assert alike[len(alike) // 4] >= 0.95, alike


def test_held_by_the_pointer_it_talks_until_it_is_let_go(opened_with: Opened, played: Path) -> None:
    page = opened_with(FAKE, f"--use-file-for-fake-audio-capture={played}%noloop")
    page.locator("#mic").hover()
    page.mouse.down()
    expect(page.locator("#mic")).to_have_text("Let go to end")
    page.wait_for_timeout(500)
    page.mouse.up()
    expect(page.locator("#mic-note")).to_contain_text("Said ")
    expect(page.locator("#echoes li .ea-state").first).to_have_text("spoken")
    assert "microphone" in page.locator("#mic-device").inner_text().lower()
    assert page.locator("#mic-device option").count() > 1


def test_a_refused_microphone_says_what_to_do(opened_with: Opened) -> None:
    page = opened_with(FAKE, "--deny-permission-prompts", allowed=False)
    page.locator("#mic").focus()
    page.keyboard.down("Enter")
    expect(page.locator("#mic-note")).to_contain_text("Allow it for this site")
    page.keyboard.up("Enter")
    assert page.locator("#echoes li").count() == 0


def test_without_a_microphone_it_says_so(opened_with: Opened) -> None:
    page = opened_with()
    if page.evaluate(
        "async () => (await navigator.mediaDevices.enumerateDevices()).some((one) => one.kind === 'audioinput')"
    ):
        pytest.skip("this machine has a microphone")
    page.locator("#mic").focus()
    page.keyboard.down("Enter")
    expect(page.locator("#mic-note")).to_contain_text("No microphone was found")
    page.keyboard.up("Enter")


def test_a_connection_that_is_lost_ends_the_talk_and_says_so(opened_with: Opened, played: Path) -> None:
    page = opened_with(FAKE, f"--use-file-for-fake-audio-capture={played}%noloop")
    page.locator("#mic").focus()
    page.keyboard.down("Space")
    expect(page.locator("#mic")).to_have_text("Let go to end")
    expect(page.locator("#echoes li .ea-state").first).to_be_visible()
    page.context.set_offline(True)
    expect(page.locator("#mic-note")).to_contain_text("The connection was lost while you talked")
    expect(page.locator("#mic")).to_have_text("Hold to talk")
    page.keyboard.up("Space")
    page.context.set_offline(False)
    expect(page.locator("#log-live")).to_have_text("live")


def test_a_conversation_that_ends_while_one_talks_stops_the_microphone(opened_with: Opened, played: Path) -> None:
    page = opened_with(FAKE, f"--use-file-for-fake-audio-capture={played}")
    other = page.context.new_page()
    other.goto(page.url)
    page.bring_to_front()
    page.locator("#mic").focus()
    page.keyboard.down("Space")
    expect(page.locator("#mic")).to_have_text("Let go to end")
    expect(page.locator("#echoes li .ea-state").first).to_be_visible()
    other.evaluate("document.querySelector('#end-confirm form').requestSubmit()")  # which leaves the focus where it is
    expect(page.locator("#mic-note")).to_contain_text("The conversation ended while you talked")
    expect(page.locator("#mic")).to_have_text("Hold to talk")
    expect(page.locator("#mic")).to_have_attribute("aria-disabled", "true")
