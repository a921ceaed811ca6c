"""Runs the code blocks of one page in their order, in one shell, against a console of their own.

Variables and functions that a block makes are there in the next. `$ECHOADMIN_URL` and `$ECHOADMIN_KEY` (an admin's) are
set; the default addresses (127.0.0.1:8000, and the twin's) stand for the ports that this console really has. The shell
is in a folder that looks like a clone, with a `line.wav` and a `line.pcm` in it. A curl that is refused fails.
"""

from __future__ import annotations

import math
import os
import re
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import wave
from pathlib import Path

from tests.console_process import ConsoleProcess
from tests.integration.docs.kinds import SHELL, commands
from tests.markdown import ROOT, Block

SETUPS = Path(__file__).parent / "setups"
LIMIT = 150.0  # seconds for a page
RATE = 24_000
CURL = """#!/bin/bash
for argument in "$@"; do
  case "$argument" in --fail*|-f|-[a-zA-Z]*f|-f[a-zA-Z]*) exec {curl} "$@" ;; esac
done
exec {curl} --fail-with-body "$@"
"""


class Failed(AssertionError):
    """A block did not do what the page says; names it, with what it printed."""


def run(blocks: list[Block], console: ConsoleProcess, folder: Path) -> str:
    """Run them; returns what they printed. Raises Failed."""
    _look_like_a_clone(folder)
    script = folder / ".page.sh"
    script.write_text(_script(blocks, console, folder), encoding="utf-8")
    with (folder / ".output").open("w+b") as output:
        process = subprocess.Popen(
            ["bash", str(script)], cwd=folder, env=_environment(console, folder), stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            code = process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            code = -1
        finally:
            _end_all(process)
        output.seek(0)
        printed = output.read().decode(errors="replace")
    if code:
        at = (folder / ".at").read_text(encoding="utf-8").splitlines() if (folder / ".at").exists() else ["nothing"]
        how = f"did not end within {LIMIT:.0f} s" if code < 0 else f"failed with {code}"
        raise Failed(f"{at[-1]} {how}:\n{printed[-6000:]}")
    return printed


def _script(blocks: list[Block], console: ConsoleProcess, folder: Path) -> str:
    lines = ["set -euo pipefail", "set -a", f'at() {{ echo "$1" >> {shlex.quote(str(folder / ".at"))}; }}']
    done: set[str] = set()
    for number, block in enumerate(blocks):
        wanted = [name.strip() for name in block.markers.get("setup", "").split(",") if name.strip()]
        for name in [name for name in wanted if name not in done]:
            lines += [f"at {shlex.quote(f'{block.where} (setup {name})')}", f". {shlex.quote(str(SETUPS / name))}.sh"]
            done.add(name)
        lines += [f"at {shlex.quote(block.where)}", _call(block, console, folder / f".block-{number}")]
    return "\n".join(lines) + "\n"


def _call(block: Block, console: ConsoleProcess, file: Path) -> str:
    is_shell = block.kind in SHELL
    file.write_text(_with_real_ports(commands(block) if is_shell else block.text, console), encoding="utf-8")
    program = ["bash", "-euo", "pipefail"] if is_shell else ["python"]
    apart = shlex.join([*program, str(file)])
    if "ends after" in block.markers:
        seconds = re.sub(r"[^\d.]", "", block.markers["ends after"])
        return f"timeout -k 2 {seconds} {apart} || [ $? -eq 124 ]"
    if "refused" in block.markers:
        return f"if {apart}; then echo 'it was to be refused, and was not'; exit 97; fi"
    return f". {shlex.quote(str(file))}" if is_shell else apart


def _with_real_ports(text: str, console: ConsoleProcess) -> str:
    ports = {"8000": "PORT", "8790": "TWIN_PORT", "8791": "TWIN_DAILY_PORT"}
    return re.sub(
        r"\b(127\.0\.0\.1|localhost):(8000|8790|8791)\b",
        lambda found: f"{found[1]}:{console.environment[ports[found[2]]]}",
        text,
    )


def _environment(console: ConsoleProcess, folder: Path) -> dict[str, str]:
    places = [str(folder / ".bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    return console.environment | {
        "ECHOADMIN_URL": console.url,
        "ECHOADMIN_KEY": console.api_key("docs"),
        "TWIN_URL": console.twin_url,
        "PATH": os.pathsep.join(places),
        "PYTHONPATH": str(ROOT),
    }


def _look_like_a_clone(folder: Path) -> None:
    """The clone's own files by link, so that what a block writes lies in no clone."""
    for name in sorted(path.name for path in ROOT.iterdir() if path.name not in (".git", ".venv", "var")):
        (folder / name).symlink_to(ROOT / name)
    for place in (folder / ".venv" / "bin", folder / ".bin"):
        place.mkdir(parents=True)
        for name in ("python", "python3"):
            _program(place / name, f'#!/bin/bash\nexec {shlex.quote(sys.executable)} "$@"\n')
    _program(folder / ".bin" / "curl", CURL.replace("{curl}", shlex.quote(shutil.which("curl") or "curl")))
    samples = b"".join(struct.pack("<h", round(6000 * math.sin(n / 9))) for n in range(RATE // 2))
    (folder / "line.pcm").write_bytes(samples)
    with wave.open(str(folder / "line.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples)


def _program(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def _end_all(process: subprocess.Popen[bytes]) -> None:
    """What the blocks left in the background too."""
    try:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(10)
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, subprocess.TimeoutExpired):
        pass
