"""docs/webhooks.md: its code is run against what the console signs, and its tables keep up with the code."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

import conversations.changes.telling  # noqa: F401 - makes its event types known
import echoadmin.alerts.evaluating  # noqa: F401 - likewise
from echoadmin.deliveries import sending, signing
from echoadmin.deliveries.publishing import EVENT_TYPES

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "webhooks.md").read_text(encoding="utf-8")
BODY = b'{"type":"echo.spoken"}'


def verify() -> Any:
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(code.strip().splitlines()) <= 15
    names: dict[str, Any] = {}
    exec(code, names)
    return names["verify"]


def test_what_the_console_signs_is_taken_also_while_the_secret_is_changed() -> None:
    old, new, now = signing.new_secret(), signing.new_secret(), int(time.time())
    headers = signing.headers([new, old], "dl_1", now, BODY)
    for secret in (old, new):
        verify()(secret, headers, BODY)


def test_what_another_signed_changed_or_kept_too_long_is_refused() -> None:
    secret, now = signing.new_secret(), int(time.time())
    headers = signing.headers([secret], "dl_1", now, BODY)
    for wrong in (
        lambda: verify()(signing.new_secret(), headers, BODY),
        lambda: verify()(secret, headers, BODY + b" "),
        lambda: verify()(secret, {**headers, "webhook-id": "dl_2"}, BODY),
        lambda: verify()(secret, signing.headers([secret], "dl_1", now - 301, BODY), BODY),
    ):
        with pytest.raises(ValueError, match=r"signed|old"):
            wrong()


def test_the_table_has_every_event_type_and_no_other() -> None:
    table = PAGE[PAGE.index("### Events") : PAGE.index("### Is it ours?")]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`([a-z_.]+)`", row)}
    known = {name for name in EVENT_TYPES if not name.startswith("test.")}
    assert named == known


def test_the_pauses_are_those_of_the_code() -> None:
    assert "5 s, 5 min, 30 min, 2, 5, 10, 14, 20 and 24\nhours" in PAGE
    hours = [5 / 3600, 5 / 60, 0.5, 2, 5, 10, 14, 20, 24]
    assert [round(hour * 3600) for hour in hours] == list(sending.PAUSES)
