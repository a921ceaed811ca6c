"""A chromium and a console for it: one of each for the session, a fresh browser profile for each test."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page, expect, sync_playwright

from tests.browser.signing_in import sign_in
from tests.chromium import ARGUMENTS, chromium
from tests.console_process import ConsoleProcess, running_console

OPEN = Callable[..., Page]

expect.set_options(timeout=30_000)  # ms; a condition is waited for, and a busy machine takes its time


GROUPS = 2  # a browser and a console each, on a worker of its own


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of these need a browser and a console: those of a group share them, and stay on one worker."""
    own = [item for item in items if "tests/browser/" in str(item.path)]
    group = _groups(own)
    for item in own:
        item.add_marker(pytest.mark.browser)
        item.add_marker(pytest.mark.xdist_group(f"browser-{group[item.path]}"))
        item.add_marker(pytest.mark.timeout(180))
        if chromium() is None:
            item.add_marker(pytest.mark.skip(reason="no chromium: apt-get install chromium, or set CHROMIUM"))


def _groups(items: list[pytest.Item]) -> dict[Path, int]:
    """The group of each file, so that each has about as many tests."""
    tests = [0] * GROUPS
    group: dict[Path, int] = {}
    for path, count in Counter(item.path for item in items).most_common():
        group[path] = tests.index(min(tests))
        tests[group[path]] += count
    return group


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleProcess]:
    """A console with a price and slots, and a twin that speaks ten times faster than life."""
    settings = {"TWIN_SPEED": "10", "PRICE_PER_MINUTE": "0.37", "CONVERSATION_SLOTS": "100"}
    settings["DELIVER_TO_PRIVATE_ADDRESSES"] = "1"  # the receiver of webhooks is on this machine
    with running_console(tmp_path_factory.mktemp("console"), **settings) as started:
        yield started


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        running = asyncio._get_running_loop()
        yield started
        asyncio._set_running_loop(running)  # after other tests it is not: see tests/conftest.py
        started.close()


@pytest.fixture(scope="session")
def signed_in(browser: Browser, console: ConsoleProcess) -> str:
    """The cookies of the first admin, signed in by the page, as a file."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{console.url}/admin/")
    sign_in(page, console.user, console.password)
    page.wait_for_url(f"{console.url}/admin/")
    path = str(console.data / "cookies.json")
    context.storage_state(path=path)
    context.close()
    return path


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failure tells what the browser showed: a page that is not the one expected explains itself."""
    report = yield
    if report.when == "call" and report.failed:
        for page in getattr(item, "pages", ()):
            with contextlib.suppress(Error):
                report.sections.append((f"the page {page.url}", page.inner_text("body")[:3000]))
    return report


@pytest.fixture
def opened(request: pytest.FixtureRequest, browser: Browser, console: ConsoleProcess, signed_in: str) -> Iterator[OPEN]:
    """Opens a page of the console: `opened("/admin/", width=360, scheme="dark")`. Fails the test that had a page ask
    another host, or whose scripts broke."""
    pages = request.node.pages = []
    contexts: list[BrowserContext] = []
    wrong: list[str] = []
    own = urlsplit(console.url).netloc

    def complain(said: ConsoleMessage) -> None:
        if said.type == "error" and "Failed to load resource" not in said.text:
            wrong.append(said.text)

    def watch(page: Page) -> None:
        page.on("request", lambda asked: _check_host(asked.url, own, wrong))
        page.on("websocket", lambda socket: _check_host(socket.url, own, wrong))
        page.on("pageerror", lambda error: wrong.append(f"script error: {error}"))
        page.on("console", complain)

    def open_page(path: str = "/admin/", width: int = 1440, scheme: str = "light", signed: bool = True) -> Page:
        context = browser.new_context(
            base_url=console.url,
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
            storage_state=signed_in if signed else None,
            timezone_id="Asia/Kolkata",
            locale="en-GB",
        )
        context.set_default_timeout(30_000)
        contexts.append(context)
        page = context.new_page()
        pages.append(page)
        watch(page)
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


def _check_host(url: str, own: str, wrong: list[str]) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("data", "blob") and parts.netloc != own:
        wrong.append(f"asked another host: {url}")
