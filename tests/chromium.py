"""The chromium that the browser tests drive; `python -m tests.chromium` says plainly when there is none."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

# The shell, which is chromium without a window's trappings, takes a third less of the processor.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str | None:
    """CHROMIUM, or the first that the path has; None when there is none."""
    given = os.environ.get("CHROMIUM")
    if given and Path(given).exists():
        return given
    return next((found for name in NAMES if (found := shutil.which(name))), None)


if __name__ == "__main__":
    found = chromium()
    missing = (
        "LEFT OUT: the browser tests. No chromium here: install one (Debian: apt install chromium-headless-shell), "
        "or set CHROMIUM."
    )
    print(f"browser tests run in {found}" if found else missing)
