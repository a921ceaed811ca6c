"""A console that asks Tavus for a conversation and may not live to see the answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django
from django.conf import settings

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = ("TAVUS_API_URL", "TAVUS_API_KEY", "PUBLIC_URL", "SECRET_KEY", "CONVERSATION_SLOTS")


@contextmanager
def doomed_console(database: str, body: dict[str, Any] | None) -> Iterator[None]:
    """A process that creates this (None: what waits for a slot), for the length of a `with`; then it is killed (-9)."""
    given = {"body": body, "settings": {name: getattr(settings, name) for name in SETTINGS}}
    command = [sys.executable, "-m", "tests.killed_console", database, json.dumps(given)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait(10)


def main(database: str, given: dict[str, Any]) -> None:
    """Create it, on this database and with these settings."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "echoadmin.settings")
    settings.DATABASES["default"]["NAME"] = database
    for name, value in given["settings"].items():
        setattr(settings, name, value)
    django.setup()
    from conversations.services import mirroring
    from conversations.slots.creating import serve_queue
    from echoadmin.actors import SYSTEM, Actor

    if given["body"] is None:
        serve_queue(actor=SYSTEM)
    else:
        mirroring.create_conversation(actor=Actor(name="killed", source="command"), body=given["body"])


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
