"""A persona that was changed at Tavus, by hand in a browser: seen, brought over by keyboard, told."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import OPEN
from tests.browser.test_every_page import wrong_with
from tests.console_process import ConsoleProcess


def asked(console: ConsoleProcess, key: str, path: str, body: Any) -> Any:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{console.url}/api/v1/{path}", json.dumps(body).encode(), headers, method="POST")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def rename_there(console: ConsoleProcess, persona_id: str, name: str) -> None:
    patch = json.dumps([{"op": "add", "path": "/persona_name", "value": name}]).encode()
    headers = {"x-api-key": "a-test", "Content-Type": "application/json"}
    address = f"{console.twin_url}/v2/personas/{persona_id}"
    urllib.request.urlopen(urllib.request.Request(address, patch, headers, method="PATCH"), timeout=30).close()


def test_a_change_at_tavus_is_compared_and_pushed_back_by_keyboard(opened: OPEN, console: ConsoleProcess) -> None:
    made = asked(console, console.api_key("drift"), "personas/", {"persona_name": "Drifting", "pipeline_mode": "echo"})
    rename_there(console, made["persona_id"], "Renamed there")
    path = f"/admin/personas/persona/{made['id']}/change/"
    page = opened(f"{path}drift/")
    assert wrong_with(page, f"{path}drift/") == []
    expect(page.get_by_role("row", name="/persona_name")).to_contain_text("Renamed there")
    page.get_by_role("button", name="Push this").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{path}")
    expect(page.get_by_text("is changed at Tavus: /persona_name.")).to_be_visible()
    page.get_by_role("link", name="Compare with Tavus").click()
    expect(page.get_by_role("heading", name="The same here and at Tavus")).to_be_visible()
