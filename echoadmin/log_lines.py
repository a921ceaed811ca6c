"""The lines that a process writes about itself: readable, or JSON (`ECHOADMIN_LOG_FORMAT=json`), without secrets.

What a line is about (request, conversation, duty, …) is kept in a context variable, which tasks and asgiref's threads
inherit; who the process is (its worker) is set once and holds for all of its threads.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

from echoadmin.tavus.redaction import redact

_about: ContextVar[Mapping[str, str]] = ContextVar("about", default={})  # noqa: B039 - never changed in place
_process: dict[str, str] = {}
_secrets: list[str] = []

# Libraries that at DEBUG write headers and frames as they go over the wire, with cookies, keys and words that are said.
ON_THE_WIRE = ("httpcore", "httpx", "uvicorn", "websockets", "aiohttp", "hpack", "redis", "channels_redis")

FACTS = "facts"  # of a record (`extra={"facts": {…}}`): what it tells beside its message, as names and values


@contextmanager
def about(**facts: str | None) -> Iterator[None]:
    """Lines inside say this too; what is None stays as outside. Names: request_id, conversation, duty, run."""
    token = _about.set({**_about.get(), **{name: value for name, value in facts.items() if value}})
    try:
        yield
    finally:
        _about.reset(token)


def set_about(**facts: str | None) -> None:
    """The same from here to the end of this task or thread, for what has no one place where it ends."""
    _about.set({**_about.get(), **{name: value for name, value in facts.items() if value}})


def subject() -> dict[str, str]:
    """What lines are about here and now."""
    return {**_process, **_about.get()}


def name_process(**facts: str) -> None:
    """Every line of this process says so from now on: its worker's name."""
    _process.update(facts)


def keep_secret(*values: str) -> None:
    """These are masked in every line, wherever they stand."""
    _secrets.extend(value for value in values if value and value not in _secrets)


class Plain(logging.Formatter):
    """`2026-11-27 10:00:00,000 INFO conversations.rooms: …`, and a traceback beneath."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return str(redact(super().format(record), _secrets))


class JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, what it is about, the record's facts, exception."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **subject(),
            **getattr(record, FACTS, {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = self.formatException(record.exc_info)
        elif record.exc_text:
            line["exception"] = record.exc_text
        return json.dumps(redact(line, _secrets), default=str)


class ToStderr(logging.StreamHandler[TextIO]):
    """To what sys.stderr is now: once Daily's SDK is watched, the descriptor 2 is a pipe that cuts long lines."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        """Where a line goes."""
        return sys.stderr


def logging_settings(form: str, level: str) -> dict[str, Any]:
    """Django's LOGGING. form: plain or json; level: of the console's own lines, "" for INFO."""
    own = level or "INFO"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"plain": {"()": Plain}, "json": {"()": JsonLines}},
        "handlers": {"stderr": {"()": ToStderr, "formatter": form}},
        "root": {"handlers": ["stderr"], "level": level or "WARNING"},
        "loggers": {
            "echoadmin": {"level": own},
            "conversations": {"level": own},
            "personas": {"level": own},
            # A line for each request is for machines: beside a console's own few words it would be all that one sees.
            "echoadmin.access": {"level": own if form == "json" else "WARNING"},
            "django.request": {"level": "ERROR"},
            **({name: {"level": "INFO"} for name in ON_THE_WIRE} if level == "DEBUG" else {}),
        },
    }
