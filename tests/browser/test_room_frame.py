"""Daily's own room, framed in the live page of a console in live mode, with the twin for both vendors."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.signing_in import sign_in
from tests.browser.test_pages import faults
from tests.console_process import ConsoleProcess, running_console
from tests.twin_process import running_twin

FRAMED = """<!doctype html><h1>room</h1><script>
    const policy = document.featurePolicy;
    const may = (name) => policy.allowsFeature(name);
    const features = ["camera", "microphone", "autoplay", "display-capture"].filter(may);
    fetch("/seen", {method: "POST", body: JSON.stringify({features, referrer: document.referrer})});
</script>"""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleProcess]:
    """A console as people run it against Tavus, but for where Tavus and Daily are."""
    folder = tmp_path_factory.mktemp("live")
    with running_twin(folder / "twin", speed=10) as twin:
        vendors = {"TAVUS_API_URL": twin.url, "DAILY_PROXY_URL": twin.daily_url, "DAILY_CA_FILE": twin.ca_file}
        with running_console(
            folder / "console", twin=twin, ECHOADMIN_MODE="live", TAVUS_API_KEY="tvsk-live", **vendors
        ) as console:
            yield console


def private_conversation(console: ConsoleProcess) -> str:
    """Its id: a room that only a meeting token opens, made over REST and joined."""
    body = {"persona_id": "pipecat0", "require_auth": True, "join": True}
    return str(asked(console, "conversations/", body)["id"])


def asked(console: ConsoleProcess, path: str, body: Any = None) -> Any:
    """What the REST API answers."""
    headers = {"Authorization": f"Bearer {console.api_key()}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{console.url}/api/v1/{path}", data, headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


class Daily:
    """What stands at https://tavus.daily.co for the browser: a page that tells what it may."""

    def __init__(self, page: Page) -> None:
        self.addresses: list[str] = []
        self.told: list[dict[str, object]] = []
        page.context.route(re.compile(r"^https://([\w-]+\.)*(daily\.co|evil\.example)/"), self.answer)

    def answer(self, route: Route) -> None:
        if route.request.url.endswith("/seen"):
            self.told.append(json.loads(route.request.post_data or "{}"))
            route.fulfill(status=204)
            return
        self.addresses.append(route.request.url)
        route.fulfill(content_type="text/html", body=FRAMED)


@pytest.fixture
def watcher(browser: Browser, live: ConsoleProcess) -> Iterator[Page]:
    context = browser.new_context(base_url=live.url)
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.goto("/admin/")
    sign_in(page, live.user, live.password)
    page.wait_for_url(f"{live.url}/admin/")
    yield page
    context.close()


def test_the_room_is_framed_once_it_is_asked_for_and_its_token_stands_nowhere(
    watcher: Page, live: ConsoleProcess
) -> None:
    page, daily, row = watcher, Daily(watcher), private_conversation(live)
    page.goto(f"/admin/conversations/conversation/{row}/change/")
    expect(page.locator('[data-live="room-more"]')).to_contain_text("the replica is there")
    expect(page.locator("#stage")).to_contain_text("Tavus counts you as somebody in the room")
    assert page.locator(".ea-caption").count() == 0
    assert (page.locator("iframe").count(), daily.addresses) == (0, [])
    steps = page.evaluate("history.length")

    page.get_by_role("button", name="Watch the room").click()
    frame = page.frame_locator('iframe[title="The Daily room"]')
    expect(frame.get_by_role("heading")).to_have_text("room")
    [address] = daily.addresses
    [token] = parse_qs(urlsplit(address).query)["t"]
    assert len(token) > 20
    page.wait_for_function("() => document.activeElement.textContent === 'Stop watching'")
    while not daily.told:
        page.wait_for_timeout(20)
    assert daily.told == [{"features": ["camera", "microphone", "autoplay", "display-capture"], "referrer": ""}]
    assert (token in page.content(), page.evaluate("history.length")) == (False, steps)
    entries = asked(live, f"conversations/{row}/entries/?limit=200")
    [watched] = [entry for entry in entries["results"] if entry["event_type"] == "room.watched"]
    assert (watched["actor"], watched["message"]["private"]) == (live.user, True)
    for place in (json.dumps(entries), page.content(), live.said()):
        assert token not in place

    assert faults(page) == []
    page.get_by_role("button", name="Stop watching").click()
    expect(page.locator("iframe")).to_have_count(0)
    expect(page.get_by_role("button", name="Watch the room")).to_be_focused()


def test_the_live_page_frames_no_other_host(watcher: Page, live: ConsoleProcess) -> None:
    page, daily = watcher, Daily(watcher)
    page.goto(f"/admin/conversations/conversation/{private_conversation(live)}/change/")
    page.route("**/room-address/", lambda route: route.fulfill(json={"address": "https://evil.example/room?t=a-token"}))
    page.evaluate(
        "document.addEventListener('securitypolicyviolation', (e) => (window.stopped = e.effectiveDirective))"
    )
    page.get_by_role("button", name="Watch the room").click()
    page.wait_for_function("() => window.stopped")
    assert (page.evaluate("window.stopped"), daily.addresses) == ("frame-src", [])


def test_the_frame_goes_when_the_conversation_ends_and_why_it_is_not_there_is_told(
    watcher: Page, live: ConsoleProcess
) -> None:
    page = watcher
    Daily(page)
    page.goto(f"/admin/conversations/conversation/{private_conversation(live)}/change/")
    page.route("**/room-address/", lambda route: route.abort())
    page.get_by_role("button", name="Watch the room").click()
    expect(page.locator("#stage").get_by_role("alert")).to_contain_text("The console did not answer")
    page.unroute("**/room-address/")
    page.get_by_role("button", name="Watch the room").click()
    expect(page.locator("iframe")).to_have_count(1)
    expect(page.locator("#stage").get_by_role("alert")).to_have_count(0)
    ended = page.evaluate(
        """async () => {
        const root = document.getElementById("conversation");
        const body = new FormData();
        body.set("csrfmiddlewaretoken", root.querySelector("input[name=csrfmiddlewaretoken]").value);
        return (await fetch(`${root.dataset.base}end/`, { method: "POST", body })).ok;
    }"""
    )
    assert ended
    expect(page.locator("iframe")).to_have_count(0)
    expect(page.get_by_role("button", name="Watch the room")).to_be_hidden()
