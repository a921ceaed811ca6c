"""``manage.py twin``: a local stand-in for Tavus's API and Daily's rooms."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from echoadmin.twin import command


class Command(BaseCommand):
    help = "Run the twin: a local stand-in for Tavus's API and Daily's rooms, for the sandbox mode, demos and tests."
    # The twin is a program of its own: it needs neither the console's database nor its settings in order.
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        command.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        if code := command.start(options):
            sys.exit(code)
