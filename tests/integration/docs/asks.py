"""What shell lines ask for, held to what there is: make's targets, commands, scripts, their options."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache

from tests.markdown import ROOT


def strangers(text: str) -> list[str]:
    """What the lines name and this tree does not have, in words; empty when all is there."""
    found: list[str] = []
    for words in _commands(text):
        program = words[0].rsplit("/", 1)[-1]
        if program == "make":
            found += _of_make(words[1:])
        elif program.startswith("python") and len(words) > 1 and words[1].endswith(".py"):
            found += _of_script(words[1], words[2:])
    return found


def _commands(text: str) -> Iterator[list[str]]:
    """Each simple command's words, without what is set before it."""
    for line in re.sub(r"\\\n", " ", text).splitlines():
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            continue  # a quote that goes on: `bash -n` has judged it
        for command in _split(words):
            set_before = next((n for n, word in enumerate(command) if not re.match(r"\w+=", word)), len(command))
            if command[set_before:]:
                yield command[set_before:]


def _split(words: list[str]) -> Iterator[list[str]]:
    command: list[str] = []
    for word in words:
        if word in ("&&", "||", "|", ";", "do", "done", "&"):
            yield command
            command = []
        else:
            command.append(word.rstrip(";"))
            if word.endswith(";"):
                yield command
                command = []
    yield command


def _of_make(words: list[str]) -> list[str]:
    targets = [word for word in words if re.fullmatch(r"[a-z][a-z-]*", word)]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return [f"make {name}" for name in targets if not re.search(rf"^{name}:", makefile, re.MULTILINE)]


def _of_script(script: str, words: list[str]) -> list[str]:
    if not (ROOT / script).is_file():
        return [script]
    command = (script, words[0]) if script == "manage.py" and words else (script,)
    options = [word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)]
    known = _help(command) if options or len(command) > 1 else ""
    if known is None:
        return [" ".join(command)]
    return [f"{' '.join(command)} {name}" for name in options if not re.search(rf"(?<![\w-]){name}(?![\w-])", known)]


@cache
def _help(command: tuple[str, ...]) -> str | None:
    done = subprocess.run(
        [sys.executable, *command, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout if done.returncode == 0 else None
