"""The files of a deployment as tests read them: parsed, and their commands made ready to run here."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"


def read_yaml(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


def services_of_ours() -> dict[str, dict[str, Any]]:
    return {name: one for name, one in read_yaml("compose.yaml")["services"].items() if one["image"] == "echoadmin"}


def settings_names() -> set[str]:
    """Every variable that settings.py reads; a secret also by its file."""
    text = (ROOT / "echoadmin" / "settings.py").read_text()
    names = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', text))
    return names | {f"{name}_FILE" for name in re.findall(r'env\.secret\("([A-Z_]+)"', text)}


def dockerfile() -> list[tuple[str, str]]:
    """Its instructions, in order: (name, the rest on one line)."""
    text = re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines]


def image_environment() -> dict[str, str]:
    found = [rest for name, rest in dockerfile() if name == "ENV"]
    return dict(pair.split("=", 1) for rest in found for pair in rest.split())


def image_healthcheck() -> list[str]:
    [check] = [rest for name, rest in dockerfile() if name == "HEALTHCHECK"]
    command: list[str] = json.loads(check[check.index("[") :])
    return command


def unit(name: str) -> dict[str, list[str]]:
    """A systemd unit's settings of all its sections: each may be given several times."""
    found: dict[str, list[str]] = {}
    for line in (DEPLOY / name).read_text().splitlines():
        if line and not line.startswith(("#", "[")):
            key, value = line.split("=", 1)
            found.setdefault(key, []).append(value)
    return found


def unit_environment(name: str, credentials: Path, state: Path, instance: str = "1") -> dict[str, str]:
    """What the unit's process gets, its specifiers filled in."""
    lines = [*(DEPLOY / "echoadmin.env").read_text().splitlines(), *unit(name)["Environment"]]
    pairs = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    specifiers = {"%d": str(credentials), "%S": str(state), "%i": instance}
    return {key: _filled(value, specifiers) for key, value in pairs.items()}


def here(command: list[str]) -> list[str]:
    """With this interpreter in the place of the one that the file names."""
    return [sys.executable if word.rsplit("/", 1)[-1] == "python" else word for word in command]


def seconds(span: str) -> float:
    """`20s`, `20m`."""
    return float(span[:-1]) * {"s": 1, "m": 60}[span[-1]]


def _filled(value: str, specifiers: dict[str, str]) -> str:
    for name, text in specifiers.items():
        value = value.replace(name, text)
    return value
