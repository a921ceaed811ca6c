"""What is known of each kind of code block: how to tell that its text is one.

RUN are run as well, unless a marker says why they can't be. A kind that is in neither table is refused: nobody could
say whether the block is right.
"""

from __future__ import annotations

import ast
import configparser
import json
import re
import subprocess
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Callable

import yaml

from tests.markdown import Block

SHELL = frozenset(["bash", "sh", "console"])
RUN = SHELL | {"python"}


class BadBlock(AssertionError):
    """A block that is not what it says; names the place."""


def check(block: Block) -> None:
    """Raises BadBlock unless the text is of its kind."""
    parse = PARSERS.get(block.kind)
    if parse is None:
        known = ", ".join(sorted(PARSERS))
        told = f"a block of the kind {block.kind!r}" if block.kind else "an indented block, or one without a kind"
        raise BadBlock(f"{block.where}: {told} can't be checked; make it a fence of one of: {known}")
    try:
        parse(commands(block) if block.kind in SHELL else block.text)
    except Exception as error:
        raise BadBlock(f"{block.where}: no {block.kind}: {error}") from error


def commands(block: Block) -> str:
    """What a shell is given: of `console` the lines after `$ `, with those that continue them."""
    if block.kind != "console":
        return block.text
    taken: list[str] = []
    goes_on = False
    for line in block.text.splitlines():
        if line.startswith("$ "):
            taken.append(line[2:])
        elif goes_on:
            taken.append(line.removeprefix("> "))
        goes_on = bool(taken) and (line.startswith("$ ") or goes_on) and line.endswith("\\")
    if not taken:
        raise BadBlock(f"{block.where}: a console block has its commands after `$ `, and this one has none")
    return "\n".join(taken) + "\n"


def _shell(text: str) -> None:
    done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(done.stderr.strip())


def _http(text: str) -> None:
    """A request or an answer: its first line, headers, an empty line, a body that is JSON where it looks like it."""
    head, _, body = text.partition("\n\n")
    first, *headers = head.splitlines()
    if not re.fullmatch(r"(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) \S+( HTTP/[\d.]+)?|HTTP/[\d.]+ \d{3}.*", first):
        raise ValueError(f"{first!r} is neither a request's first line nor an answer's")
    if wrong := [line for line in headers if not re.fullmatch(r"[A-Za-z0-9-]+:.*", line)]:
        raise ValueError(f"{wrong[0]!r} is no header; an empty line ends them")
    if body.strip().startswith(("{", "[")):
        json.loads(body)


def _nginx(text: str) -> None:
    """Blocks in braces, statements that end with `;` (nginx's own grammar, without its meaning)."""
    bare = re.sub(r"#[^\n]*", "", re.sub(r'"(?:\\.|[^"])*"|\'(?:\\.|[^\'])*\'', "''", text))
    depth = 0
    for piece in re.findall(r"[^;{}]*[;{}]|[^;{}]+$", bare):
        words, end = piece[:-1].strip(), piece[-1]
        if end not in ";{}":
            if piece.strip():
                raise ValueError(f"{piece.strip()!r} has no `;`")
        elif (end == "}") == bool(words):
            raise ValueError(f"{piece.strip()!r} is no statement")
        depth += {"{": 1, "}": -1}.get(end, 0)
        if depth < 0:
            raise ValueError("a brace closes nothing")
    if depth:
        raise ValueError("a brace is not closed")


def _caddy(text: str) -> None:
    opened = 0
    for line in re.sub(r"(^|\s)#[^\n]*", "", text).splitlines():
        opened += line.rstrip().endswith("{")
        opened -= line.strip() == "}"
        if opened < 0:
            raise ValueError("a brace closes nothing")
    if opened:
        raise ValueError("a brace is not closed")


def _ini(text: str) -> None:
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    if not parser.sections():
        raise ValueError("it has no [Section]")


def _env(text: str) -> None:
    for line in text.splitlines():
        if line.strip() and not re.fullmatch(r"#.*|(export )?[A-Za-z_][A-Za-z0-9_]*=.*", line.strip()):
            raise ValueError(f"{line!r} is no NAME=value")


def _dockerfile(text: str) -> None:
    joined = re.sub(r"\\\n", " ", text)
    known = r"FROM|RUN|CMD|LABEL|EXPOSE|ENV|ADD|COPY|ENTRYPOINT|VOLUME|USER|WORKDIR|ARG|STOPSIGNAL|HEALTHCHECK|SHELL"
    for line in joined.splitlines():
        if line.strip() and not re.match(rf"\s*(#|({known})\s)", line):
            raise ValueError(f"{line!r} is no instruction of a Dockerfile")


def _json(text: str) -> None:
    """One document, or one a line."""
    try:
        json.loads(text)
    except ValueError:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2 or not all(line.startswith("{") and line.endswith("}") for line in lines):
            raise
        for line in lines:
            json.loads(line)


def _yaml(text: str) -> None:
    if not list(yaml.safe_load_all(text)):
        raise ValueError("it is empty")


def _text(text: str) -> None:
    if not text.strip():
        raise ValueError("it is empty")


PARSERS: dict[str, Callable[[str], object]] = {
    "bash": _shell,
    "sh": _shell,
    "console": _shell,
    "python": ast.parse,
    "json": _json,
    "ndjson": lambda text: [json.loads(line) for line in text.splitlines() if line.strip()],
    "http": _http,
    "yaml": _yaml,
    "yml": _yaml,
    "toml": tomllib.loads,
    "ini": _ini,
    "systemd": _ini,
    "env": _env,
    "dockerfile": _dockerfile,
    "nginx": _nginx,
    "caddy": _caddy,
    "caddyfile": _caddy,
    "xml": ET.fromstring,
    "text": _text,  # an output, a picture, a formula: nothing that anybody would run
}
