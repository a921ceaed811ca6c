"""The lines that a process writes about itself: what each says, and what none may."""

from __future__ import annotations

import json
import logging
import secrets
import sys
import threading
from collections.abc import Iterator
from contextvars import copy_context

import pytest

from echoadmin import log_lines
from echoadmin.log_lines import FACTS, JsonLines, Plain, ToStderr, about, keep_secret, name_process, set_about


@pytest.fixture(autouse=True)
def own_state(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(log_lines, "_process", {})
    monkeypatch.setattr(log_lines, "_secrets", [])
    with about():
        yield


def record(message: str, *arguments: object, failed: bool = False) -> logging.LogRecord:
    try:
        if failed:
            raise ValueError("no such thing")
    except ValueError:
        return logging.LogRecord("echoadmin.x", logging.ERROR, "x.py", 1, message, arguments, sys.exc_info())
    return logging.LogRecord("echoadmin.x", logging.INFO, "x.py", 1, message, arguments, None)


def line(told: logging.LogRecord) -> dict[str, str]:
    text = JsonLines().format(told)
    assert "\n" not in text
    found: dict[str, str] = json.loads(text)
    return found


def test_a_line_says_when_where_and_what_it_is_about() -> None:
    name_process(worker="w1")
    with about(request_id="r-1", conversation=None):
        with about(conversation="cv_1"):
            told = line(record("%d rooms", 3))
        outside = line(record("later"))
    assert told["time"].endswith("+00:00")
    del told["time"]
    assert told == {
        "level": "INFO", "logger": "echoadmin.x", "message": "3 rooms", "worker": "w1", "request_id": "r-1",
        "conversation": "cv_1",
    }  # fmt: skip
    assert "conversation" not in outside
    assert "request_id" not in line(record("after all"))


def test_an_exception_is_in_the_same_line() -> None:
    told = line(record("it failed", failed=True))
    assert told["exception"].endswith("ValueError: no such thing")
    assert told["exception"].startswith("Traceback")


def test_facts_of_a_record_stand_beside_its_message() -> None:
    told = record("GET api/v1/echoes/ 200")
    setattr(told, FACTS, {"status": 200, "ms": 1.5})
    assert (line(told)["status"], line(told)["ms"]) == (200, 1.5)


def test_what_is_set_ends_with_the_block_around_it() -> None:
    with about(request_id="r-1"):
        set_about(conversation="cv_1")
        assert line(record("inside"))["conversation"] == "cv_1"
    assert "conversation" not in line(record("outside"))


def test_a_thread_that_takes_the_context_along_says_the_same() -> None:
    found: list[dict[str, str]] = []
    with about(duty="sync"):
        thread = threading.Thread(target=copy_context().run, args=[lambda: found.append(line(record("there")))])
        thread.start()
        thread.join()
    assert found[0]["duty"] == "sync"


def test_secrets_stand_in_no_line_of_either_form() -> None:
    secret, token = secrets.token_urlsafe(24), "Bearer " + secrets.token_urlsafe(24)
    keep_secret(secret, "")
    told = record("calling https://u:%s@example.com/ with %s?api_key=%s", secret, token, secret, failed=True)
    setattr(told, FACTS, {"api_key": secret, "seen": [secret]})
    for text in (JsonLines().format(told), Plain().format(told)):
        assert secret not in text
        assert token.split()[1] not in text
        assert "[redacted]" in text


def test_lines_go_to_what_stderr_is_now(capsys: pytest.CaptureFixture[str]) -> None:
    handler = ToStderr()
    handler.setFormatter(Plain())
    handler.emit(record("seen"))
    assert "seen" in capsys.readouterr().err


@pytest.mark.parametrize("level", ["DEBUG", "INFO", ""])
def test_no_level_has_libraries_write_what_goes_over_the_wire(level: str) -> None:
    settings = log_lines.logging_settings("plain", level)
    for name in log_lines.ON_THE_WIRE:
        effective = settings["loggers"].get(name, settings["root"])["level"]
        assert logging.getLevelNamesMapping()[effective] >= logging.INFO
    assert settings["loggers"]["conversations"]["level"] == (level or "INFO")
