"""Typed readers of the environment: each returns a checked value or raises BadSetting with the name and the way out.

Every secret can also come from a file: NAME_FILE holds the path (Docker and systemd hand secrets over this way).
"""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit


class BadSetting(ValueError):
    """An environment variable holds what it can't; the message names it and says what it takes."""


def text(name: str, default: str = "") -> str:
    """The variable, stripped; an empty one counts as unset."""
    return os.environ.get(name, "").strip() or default


def secret(name: str) -> str:
    """NAME, or the content of the file that NAME_FILE names; "" when neither is set."""
    path = text(f"{name}_FILE")
    if not path:
        return text(name)
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise BadSetting(f"{name}_FILE={path} can't be read ({error.strerror}); point it to a readable file") from error


def choice(name: str, allowed: tuple[str, ...], default: str) -> str:
    """One of `allowed`."""
    value = text(name, default).lower()
    if value not in allowed:
        raise BadSetting(f"{name}={value!r} is none of {', '.join(allowed)}")
    return value


def number(name: str, default: float, low: float, high: float) -> float:
    """A number between `low` and `high`."""
    raw = text(name)
    try:
        value = float(raw) if raw else float(default)
    except ValueError as error:
        raise BadSetting(f"{name}={raw!r} is no number; give one from {low:g} to {high:g}") from error
    if not low <= value <= high:
        raise BadSetting(f"{name}={raw} is out of range; give a number from {low:g} to {high:g}")
    return value


def integer(name: str, default: int, low: int, high: int) -> int:
    """A whole number between `low` and `high`."""
    value = number(name, default, low, high)
    if value != int(value):
        raise BadSetting(f"{name}={text(name)} is no whole number; give one from {low} to {high}")
    return int(value)


def optional_number(name: str) -> float | None:
    """A number from 0 up, or None when unset."""
    return number(name, 0, 0, 1e9) if text(name) else None


@dataclass(frozen=True, slots=True)
class Policy:
    """What is done about something: nothing (not even a look), a warning, or also an end after so many minutes."""

    looks: bool = True
    ends: bool = False
    minutes: float = 0


def policy(name: str, default: str) -> Policy:
    """`off`, `warn`, or `end:MINUTES`."""
    value = text(name, default).lower()
    if value in ("off", "warn"):
        return Policy(looks=value == "warn")
    word, _, minutes = value.partition(":")
    try:
        after = float(minutes)
    except ValueError:
        after = -1
    if word != "end" or not 0 <= after <= 1440:
        raise BadSetting(f"{name}={value!r} is none of off, warn and end:MINUTES (0 to 1440), such as end:10")
    return Policy(ends=True, minutes=after)


def port(name: str, default: int) -> int:
    """A TCP port, 1 to 65535."""
    return integer(name, default, 1, 65535)


def flag(name: str, default: bool = False) -> bool:
    """1/true/yes/on or 0/false/no/off."""
    value = text(name).lower()
    if value in ("1", "true", "yes", "on"):
        return True
    if value in ("0", "false", "no", "off"):
        return False
    if value:
        raise BadSetting(f"{name}={value!r} is neither yes nor no; give 1 or 0")
    return default


def words(name: str, default: tuple[str, ...] = ()) -> list[str]:
    """A comma-separated list."""
    return [word.strip() for word in text(name).split(",") if word.strip()] or list(default)


def words_of(name: str, allowed: tuple[str, ...]) -> list[str]:
    """A comma-separated list of some of `allowed`."""
    found = words(name)
    if strangers := [word for word in found if word not in allowed]:
        raise BadSetting(f"{name}: {strangers[0]!r} is none of {', '.join(allowed)}")
    return found


def origins(name: str) -> list[str]:
    """A comma-separated list of origins (scheme://host[:port]); a browser sends no path with one, and * is none."""
    found = words(name)
    for word in found:
        parts = urlsplit(word)
        if parts.scheme not in ("http", "https") or not parts.hostname or word != f"{parts.scheme}://{parts.netloc}":
            raise BadSetting(
                f"{name}: {word!r} is no origin; one looks like https://host[:port], without a slash after it"
            )
    return found


def url(name: str, default: str = "", schemes: tuple[str, ...] = ("http", "https")) -> str:
    """A URL of one of `schemes` with a host, without a slash at its end; "" when unset."""
    value = text(name, default).rstrip("/")
    if not value:
        return ""
    parts = urlsplit(value)
    if parts.scheme not in schemes or not parts.hostname:
        raise BadSetting(f"{name}={value!r} is no URL; it looks like {schemes[-1]}://host[:port]")
    return value


def folder(name: str, default: Path) -> Path:
    """A folder that can be written to; made when it is not there yet."""
    path = Path(text(name, str(default))).expanduser().absolute()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadSetting(
            f"{name}={path} can't be made ({error.strerror}); give a folder that can be written to"
        ) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise BadSetting(f"{name}={path} can't be written to; change its owner or give another folder")
    return path


def secret_file(path: Path, make: Callable[[], str]) -> str:
    """The content of `path`; made once, readable by its owner alone, when it is not there."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="utf-8").strip()
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        value = make()
        file.write(value)
    return value


def new_secret() -> str:
    """64 random characters, safe in a URL."""
    return secrets.token_urlsafe(48)


def new_signing_key() -> str:
    """The seed of an Ed25519 key: 32 random bytes as base64."""
    return base64.b64encode(secrets.token_bytes(32)).decode("ascii")
