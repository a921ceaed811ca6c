"""`manage.py serve`: the console, and whatever runs beside it, until Ctrl-C."""

from __future__ import annotations

import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from echoadmin.consoles import SecondConsole
from echoadmin.installation import WrongMode
from echoadmin.serving.companions import CannotStart
from echoadmin.serving.ports import PortTaken


class Command(BaseCommand):
    help = "Run the console: brings the database up to date, makes the first login, and serves until Ctrl-C."
    requires_system_checks = []  # `handle` makes them, the database's among them

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", help="the address to listen on (HOST, 127.0.0.1)")
        parser.add_argument("--port", type=int, help="the port to listen on (PORT, 8000)")

    def handle(self, *args: Any, **options: Any) -> None:
        given = {name.upper(): str(options[name]) for name in ("host", "port") if options[name] is not None}
        if any(str(getattr(settings, name)) != value for name, value in given.items()):
            _again_with(given)
        self.check(databases=["default"])
        from echoadmin.serving.console import serve

        try:
            serve(self.stdout.write)
        except (PortTaken, CannotStart, SecondConsole, WrongMode) as reason:
            raise CommandError(str(reason)) from reason


def _again_with(environment: dict[str, str]) -> None:
    """Start over with the options as environment: other settings (cookies, the public URL) follow from them."""
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "serve"]
    os.execve(sys.executable, command, {**os.environ, **environment})
