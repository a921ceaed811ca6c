"""Programs that `serve` runs beside the console: those that settings.COMPANIONS names."""

from __future__ import annotations

from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string


class CannotStart(RuntimeError):
    """Why a companion can't run, and the way out, in one line."""


class Companion(Protocol):
    """A program beside the console. `start` only sets it going, so that the console gets ready meanwhile."""

    def start(self) -> None:
        """Find it running, or set it going; raises CannotStart."""

    def ready(self) -> list[str]:
        """Wait until it answers; what to tell the person who started the console. Raises CannotStart."""

    def stop(self) -> None:
        """End it where it belongs to this console; at most some seconds."""


def companions() -> list[Companion]:
    """One of each that the settings name."""
    return [import_string(path)() for path in settings.COMPANIONS]
