"""`manage.py error_catalogue`: every error code of the API, as the page docs/errors.md."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from echoadmin.api.catalogue import page


class Command(BaseCommand):
    """Prints the page, or writes it."""

    help = "Prints every error code of the API; --write puts it into docs/errors.md."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--write."""
        parser.add_argument("--write", action="store_true", help="to docs/errors.md")

    def handle(self, *args: Any, **options: Any) -> None:
        """The page."""
        if not options["write"]:
            self.stdout.write(page(), ending="")
            return
        path = settings.BASE_DIR / "docs" / "errors.md"
        path.write_text(page(), encoding="utf-8")
        self.stdout.write(f"wrote {path}")
