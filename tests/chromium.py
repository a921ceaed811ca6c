"""The chromium that the browser tests drive; `python -m tests.chromium` says plainly when there is none."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

# The shell is chromium without a window's trappings and without a microphone: a third less for the processor.
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


def chromium(*, whole: bool = False) -> str | None:
    """CHROMIUM, or the first that the path has; None when there is none. whole: one that has a microphone."""
    given = os.environ.get("CHROMIUM")
    if given and Path(given).exists():
        return given
    names = NAMES[1:] if whole else NAMES
    return next((found for name in names if (found := shutil.which(name))), None)


if __name__ == "__main__":
    found = chromium()
    missing = (
        "LEFT OUT: the browser tests. No chromium here: install one (Debian: apt install chromium), or set CHROMIUM."
    )
    print(f"browser tests run in {found}" if found else missing)
    if found and not chromium(whole=True):
        print(
            "LEFT OUT: the tests of the microphone, which the headless shell has none of (Debian: apt install chromium)"
        )
