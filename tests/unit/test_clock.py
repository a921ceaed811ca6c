"""The test's clock: it drives what looks at it, and nothing without the setting."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

from echoadmin import clock

ROOT = Path(__file__).resolve().parents[2]


def settings_with(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    script = "import django; django.setup(); from django.utils import timezone; print(timezone.now().year)"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ECHOADMIN_", "TAVUS_"))}
    own = {"DJANGO_SETTINGS_MODULE": "echoadmin.settings", "ECHOADMIN_DATA": str(tmp_path)}
    return subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env={**kept, **own, **environment}, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip


def test_without_a_file_it_is_the_machine_s_own_time(tmp_path: Path) -> None:
    assert clock.ahead() == 0
    assert abs(clock.time() - time.time()) < 1
    with clock.driven(tmp_path / "not there"):
        assert clock.ahead() == 0


def test_the_file_drives_the_time_and_an_event_loop_s_timers(tmp_path: Path) -> None:
    file = tmp_path / "clock"

    async def rings() -> float:
        loop, rung = asyncio.get_running_loop(), asyncio.Event()
        clock.drive_loop(loop)
        loop.call_later(3600, rung.set)
        clock.set_ahead(file, 3601)
        await asyncio.sleep(0)  # the loop wakes
        began = time.monotonic()
        await rung.wait()
        return time.monotonic() - began

    clock.set_ahead(file, 0)
    with clock.driven(file):
        assert asyncio.run(rings()) < 5
        assert abs(clock.now().timestamp() - time.time() - 3601) < 5
    assert clock.ahead() == 0


def test_a_console_with_the_setting_tells_its_time_and_never_in_live_mode(tmp_path: Path) -> None:
    file = tmp_path / "clock"
    clock.set_ahead(file, 20 * 365 * 86_400)
    years = time.gmtime().tm_year + 19
    assert int(settings_with(tmp_path, **{clock.SETTING: str(file)}).stdout) >= years
    live = settings_with(tmp_path, **{clock.SETTING: str(file), "ECHOADMIN_MODE": "live"})
    assert live.returncode != 0 and "unset it" in live.stderr


def test_a_number_that_is_none_moves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "clock"
    file.write_text("soon")
    with clock.driven(file):
        assert clock.ahead() == 0
