"""docs/api.md: its commands run as they stand there, one after another, against a console."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.console_process import ROOT, running_console

pytestmark = [pytest.mark.own_database, pytest.mark.timeout(180)]
PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_its_commands_run(tmp_path: Path) -> None:
    script = "\n".join(blocks("sh"))
    assert script.count("$API") > 10
    with running_console(tmp_path, TWIN_SPEED="50") as console:
        environment = os.environ | {"ECHOADMIN_URL": console.url, "ECHOADMIN_KEY": console.api_key()}
        done = subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", script], env=environment, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"code":"not_found"' in done.stdout
    assert done.stdout.endswith("ended\n")


def test_its_json_is_json() -> None:
    assert [json.loads(block)["error"]["code"] for block in blocks("json")] == ["not_found"]
