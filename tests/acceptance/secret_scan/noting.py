"""A pytest plugin that notes every secret that the tests make, for `after_suite.py`: `-p …noting`, NOTED=file.

Noted are the API keys, authenticator seeds and webhook secrets that are made in a test's own process, and the keys
that consoles of tests print for it. The file lies outside the folders that are looked through.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

NOTED = "NOTED"  # the environment variable with the file's path


def note(kind: str, value: str) -> None:
    """Add one secret to the file; whole lines, so that several processes can."""
    path = os.environ.get(NOTED)
    if path and value:
        line = json.dumps({"kind": kind, "value": value}) + "\n"
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)


def noted(path: Path) -> dict[str, str]:
    """What was noted: names that can be told → values."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    values = dict.fromkeys((line["kind"], line["value"]) for line in lines)
    return {f"{kind} {place}": value for place, (kind, value) in enumerate(values)}


def pytest_sessionstart(session: pytest.Session) -> None:
    """From now on; Django is set up by then."""
    if not os.environ.get(NOTED):
        return
    from echoadmin.accounts import models, second_factor
    from tests.console_process import ConsoleProcess

    _follow(models.ApiKeyManager, "assign_key", lambda text: note("API key", text.partition(".")[2]))
    _follow(second_factor, "seed_of", lambda seed: note("authenticator seed", seed))
    _follow(ConsoleProcess, "api_key", lambda text: note("API key", text.partition(".")[2]))


def _follow(owner: Any, name: str, tell: Callable[[str], None]) -> None:
    original = getattr(owner, name)

    def followed(*args: Any, **kwargs: Any) -> Any:
        made = original(*args, **kwargs)
        tell(made)
        return made

    setattr(owner, name, followed)
