"""`make screenshots`: each page of the console, light and dark, 1440 and 360 px wide, to docs/screenshots/.

And docs/pages.md, which shows them. A real console on the twin, with something going on in it.
"""

from __future__ import annotations

import base64
import io
import math
import re
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.browser.signing_in import sign_in
from tests.chromium import ARGUMENTS, chromium
from tests.console_process import ROOT, ConsoleProcess, running_console

FOLDER = ROOT / "docs" / "screenshots"
SIZES = ((1440, 900), (360, 780))
SCHEMES = ("light", "dark")
RATE = 24_000  # Hz
LONG = (
    "This room was built as a granary, and for two hundred years nobody sang in it. "
    "Then somebody carried in a record player, and the walls have not been quiet since. "
) * 3


@dataclass
class Stage:
    """A console in which something goes on, and the ids of what is in it."""

    console: ConsoleProcess
    http: httpx.Client
    ids: dict[str, str] = field(default_factory=dict)

    def post(self, path: str, **body: Any) -> Any:
        answer = self.http.post(path, json=body)
        answer.raise_for_status()
        return answer.json()

    def until(self, path: str, holds: Callable[[Any], bool]) -> Any:
        deadline = time.monotonic() + 60
        while not holds(found := self.http.get(path).json()):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{path} did not get there: {found}")
            time.sleep(0.1)
        return found

    def say(self, conversation: str, **body: Any) -> None:
        """Until it was spoken."""
        echo = self.post(f"conversations/{conversation}/echoes/", **body)
        path = f"conversations/{conversation}/echoes/{echo['inference_id']}/"
        self.until(path, lambda one: one["state"] in ("spoken", "interrupted"))
        self.ids["echo"] = str(echo["id"])

    def hear(self, conversation: str, speech: str, **more: Any) -> None:
        """Somebody else in the room says something."""
        room = self.http.get(f"conversations/{conversation}/").json()["conversation_id"]
        message = {"message_type": "conversation", "event_type": "conversation.utterance", "conversation_id": room}
        told = {**message, "properties": {"role": "user", "speech": speech}, **more}
        httpx.post(f"{self.console.twin_url}/twin/rooms/{room}/messages", json=told).raise_for_status()


def tune(seconds: float) -> str:
    """A little melody as base64 of PCM16."""
    notes = (262, 330, 392, 523, 392, 330)
    samples = []
    for number in range(int(seconds * RATE)):
        at = number / RATE
        note, within = notes[int(at * 3) % len(notes)], (at * 3) % 1
        samples.append(int(12_000 * math.exp(-3 * within) * math.sin(2 * math.pi * note * at)))
    return base64.b64encode(struct.pack(f"<{len(samples)}h", *samples)).decode()


def conversation(stage: Stage, persona: str, name: str) -> str:
    """A joined one, in which the replica is."""
    made = stage.post("conversations/", persona_id=persona, conversation_name=name, join=True)
    stage.until(f"conversations/{made['id']}/", lambda one: one["room"]["replica_present"])
    return str(made["id"])


def prepare(stage: Stage) -> None:
    """Two conversations that run, one that has ended, a script, saved lines, a gap."""
    [replica, *_] = stage.until("replicas/", lambda page: page["results"])["results"]  # read at Tavus after the start
    body = {"pipeline_mode": "echo", "default_replica_id": replica["replica_id"]}
    persona = stage.post("personas/", persona_name="Music host", **body)["persona_id"]
    script = {
        "name": "Tour of the hall",
        "lines": [
            {"text": "Hello {{guest}}, welcome to the hall.", "pause": 1.5, "wait": "spoken"},
            {"text": "On your left is the oldest record player that still plays.", "wait": "spoken"},
            {"text": "And this is where we dance.", "wait": "spoken"},
        ],
        "variables": {"guest": "Ana"},
    }
    stage.ids["script"] = stage.post("scripts/", **script)["id"]
    for name, text in (("Hello", "Hello, and welcome."), ("One moment", "One moment, I am looking that up.")):
        stage.post("lines/", name=name, text=text, shared=True)
    over = conversation(stage, persona, "Rehearsal")
    stage.say(over, text="One, two, three.")
    stage.post(f"conversations/{over}/end/")
    other = conversation(stage, persona, "Onboarding tour")
    stage.say(other, text="Let me show you around.")
    stage.ids["conversation"] = talked(stage, persona)
    [persona_row] = [row for row in stage.http.get("personas/").json()["results"] if row["persona_id"] == persona]
    stage.ids["persona"] = persona_row["id"]
    renamed = [{"op": "replace", "path": "/persona_name", "value": "Music host, evenings"}]
    address, key = f"{stage.console.twin_url}/v2/personas/{persona}", {"x-api-key": "a-test"}
    httpx.patch(address, json=renamed, headers=key).raise_for_status()
    stage.post("budgets/", name="The month", period="month", amount="50", warns_at=80, stops=True)


def talked(stage: Stage, persona: str) -> str:
    """The conversation that is shown: what was said in it, and heard."""
    shown = conversation(stage, persona, "Music Chat with DJ Kot")
    stage.say(shown, text="Around the world, around the world.")
    stage.hear(shown, "Can you play something slower?")
    stage.say(shown, audio=tune(5), sample_rate=RATE)
    stage.hear(shown, "That one. Where is it from?", seq=400)
    stage.post(f"conversations/{shown}/echoes/", text="A very long answer that nobody wants to hear. " * 12)
    stage.until(f"conversations/{shown}/echoes/?state=speaking", lambda page: page["results"])
    stage.post(f"conversations/{shown}/interrupt/")
    stage.hear(shown, "Thank you, that is enough.")
    return shown


def busy(stage: Stage) -> None:
    """The replica speaks, and two lines wait, for as long as the pictures of it take."""
    path = f"conversations/{stage.ids['conversation']}/"
    stage.post(f"{path}interrupt/")
    for text in (LONG, "Next, a question for you.", "Do you hear the difference?"):
        stage.post(f"{path}echoes/", text=text)
    stage.until(f"{path}echoes/?state=speaking", lambda page: page["results"])


@dataclass(frozen=True)
class Shot:
    """A page: its name, what it shows, its address, and what is done on it first."""

    name: str
    words: str
    path: str
    then: Callable[[Page], None] = lambda page: None
    signed: bool = True


def open_line(page: Page) -> None:
    page.locator("#log .ea-player").first.wait_for()
    page.locator('#log > [data-shape="said"]').nth(-2).locator(".ea-turn-open").click()
    page.locator("#log .ea-turn-behind li").first.wait_for()


def open_palette(page: Page) -> None:
    page.keyboard.press("Control+k")
    page.keyboard.type("music")
    page.wait_for_timeout(500)


def open_entry(page: Page) -> None:
    page.locator("#entries summary").first.click()
    page.locator("#entries .ea-opened").first.wait_for()


def shots(stage: Stage) -> Iterator[Shot]:
    live = f"/admin/conversations/conversation/{stage.ids['conversation']}/change/"
    yield Shot("sign-in", "Signing in", "/admin/login/", signed=False)
    yield Shot("home", "Home: what needs somebody now, what runs, today's numbers", "/admin/")
    yield Shot("conversation", "A live conversation: its room, what is said, what waits, the box to speak from", live)
    yield Shot("conversation-log", "The same, as its log", f"{live}?view=log")
    yield Shot("conversation-line", "A line of the transcript, opened", live, open_line)
    yield Shot("palette", "Ctrl-K: any id or name leads to its page", "/admin/", open_palette)
    yield Shot("conversations", "Conversations", "/admin/conversations/conversation/")
    yield Shot("new-conversation", "A new conversation", "/admin/conversations/conversation/add/")
    yield Shot("replay", "A replay: what was said, said again", f"{live}replay/")
    yield Shot("timeline", "A conversation on one clock", f"/admin/log/entry/timeline/{stage.ids['conversation']}/")
    yield Shot("log", "The log, a row opened", "/admin/log/entry/?family=echo", open_entry)
    yield Shot("entry", "An entry", f"/admin/log/entry/of/{stage.ids['conversation']}/3/")
    yield Shot("echoes", "Echoes", "/admin/conversations/echo/")
    yield Shot("echo", "An echo", f"/admin/conversations/echo/{stage.ids['echo']}/change/")
    yield Shot("gaps", "What is missing", "/admin/conversations/gap/")
    yield Shot("scripts", "Scripts", "/admin/conversations/script/")
    yield Shot("script", "A script", f"/admin/conversations/script/{stage.ids['script']}/change/")
    yield Shot("saved-lines", "Saved lines", "/admin/conversations/savedline/")
    yield Shot("personas", "Personas", "/admin/personas/persona/")
    yield Shot("persona", "A persona", f"/admin/personas/persona/{stage.ids['persona']}/change/")
    yield Shot("new-persona", "A new persona", "/admin/personas/persona/add/")
    yield Shot("replicas", "Replicas", "/admin/personas/replica/")
    yield Shot(
        "drift", "A persona beside what Tavus has", f"/admin/personas/persona/{stage.ids['persona']}/change/drift/"
    )
    yield Shot("money", "What it costs", "/admin/conversations/price/money/")
    yield Shot("budgets", "Budgets", "/admin/conversations/budget/")
    yield Shot("slots", "Slots: who holds them, and who waits", "/admin/conversations/slotrequest/slots/")
    yield Shot("alerts", "Alerts", "/admin/alerts/alert/")
    yield Shot("webhooks-out", "Who is told by webhook", "/admin/deliveries/subscription/")
    yield Shot("deliveries", "What they were told", "/admin/deliveries/delivery/")
    yield Shot("webhooks-in", "Tavus's webhooks", "/admin/conversations/webhookreceived/")
    yield Shot("workers", "Workers, which hold the rooms", "/admin/conversations/worker/")
    yield Shot("api-keys", "API keys", "/admin/accounts/apikey/")
    yield Shot("users", "Users and their roles", "/admin/auth/user/")
    yield Shot("faults", "Rehearsing what goes wrong, in the sandbox", "/admin/sandbox/faults/")


def signed_in(browser: Browser, console: ConsoleProcess) -> Any:
    context = browser.new_context(base_url=console.url)
    page = context.new_page()
    page.goto("/admin/")
    sign_in(page, console.user, console.password)
    page.wait_for_url("**/admin/")
    state = context.storage_state()
    context.close()
    return state


def opened(browser: Browser, console: ConsoleProcess, state: Any, size: tuple[int, int], scheme: str) -> BrowserContext:
    width, height = size
    return browser.new_context(
        base_url=console.url, storage_state=state, viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce", locale="en-GB",
    )  # fmt: skip


def take(context: BrowserContext, shot: Shot, name: str) -> None:
    page = context.new_page()
    answer = page.goto(shot.path)
    if answer is None or not answer.ok:
        raise RuntimeError(f"{shot.path} answered {answer and answer.status}")
    page.wait_for_load_state("load")
    page.wait_for_timeout(500)  # pictures, the first words over the WebSocket
    shot.then(page)
    keep(page.screenshot(), FOLDER / name)
    page.close()


def keep(picture: bytes, path: Path) -> None:
    """In 128 colours: a page has not many more, and it takes a third of the room."""
    with Image.open(io.BytesIO(picture)) as whole:
        few = whole.convert("RGB").quantize(128, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        few.save(path, optimize=True)


def take_all(browser: Browser, stage: Stage) -> list[Shot]:
    state = signed_in(browser, stage.console)
    every = list(shots(stage))
    for size in SIZES:
        for scheme in SCHEMES:
            signed = opened(browser, stage.console, state, size, scheme)
            stranger = opened(browser, stage.console, None, size, scheme)
            busy(stage)
            for shot in every:
                take(signed if shot.signed else stranger, shot, file_of(shot.name, scheme, size[0]))
            signed.close()
            stranger.close()
    return every


def file_of(name: str, scheme: str, width: int) -> str:
    return f"{name}-{scheme}-{width}.png"


def empty_home(browser: Browser) -> Shot:
    """The first page of a console in which nothing was ever made."""
    shot = Shot("empty-home", "The first page of a new console", "/admin/")
    with (
        tempfile.TemporaryDirectory() as folder,
        running_console(Path(folder), TWIN_SPEED="4", PRICE_PER_MINUTE="0.37") as console,
    ):
        state = signed_in(browser, console)
        for size in SIZES:
            for scheme in SCHEMES:
                context = opened(browser, console, state, size, scheme)
                take(context, shot, file_of(shot.name, scheme, size[0]))
                context.close()
    return shot


def write_page(every: list[Shot]) -> None:
    """docs/pages.md: each page in light, with links to the others."""
    told = [
        "# The pages",
        "",
        "Each in light; in dark and on a phone behind the links. Made by `make screenshots`.",
        "",
    ]
    for shot in every:
        others = " · ".join(
            f"[{words}](screenshots/{file_of(shot.name, scheme, width)})"
            for words, scheme, width in (("dark", "dark", 1440), ("phone", "light", 360), ("phone, dark", "dark", 360))
        )
        told += [
            f"## {shot.words}",
            "",
            others,
            "",
            f"![{shot.words}](screenshots/{file_of(shot.name, 'light', 1440)})",
            "",
        ]
    (ROOT / "docs" / "pages.md").write_text("\n".join(told))


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.png"):
        if re.search(r"-(light|dark)-\d+\.png$", old.name):
            old.unlink()
    settings = {"TWIN_SPEED": "1", "PRICE_PER_MINUTE": "0.37", "CONVERSATION_SLOTS": "10"}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        first = empty_home(browser)
        with tempfile.TemporaryDirectory() as folder, running_console(Path(folder), **settings) as console:
            key = {"Authorization": f"Bearer {console.api_key()}"}
            with httpx.Client(base_url=f"{console.url}/api/v1/", headers=key, timeout=60) as http:
                stage = Stage(console, http)
                prepare(stage)
                every = take_all(browser, stage)
        browser.close()
    write_page([first, *every])
    print(f"{len(list(FOLDER.glob('*.png')))} pictures in {FOLDER.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
