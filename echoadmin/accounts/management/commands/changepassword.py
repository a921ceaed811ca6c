"""Django's `changepassword`, with an entry in the log."""

from __future__ import annotations

import getpass
from typing import Any

from django.contrib.auth.management.commands import changepassword

from echoadmin.accounts.recording import record
from echoadmin.actors import Actor


class Command(changepassword.Command):
    """`manage.py changepassword ana`."""

    def handle(self, *args: Any, **options: Any) -> str | None:
        """As Django does it, and then noted."""
        said = super().handle(*args, **options)
        user = options["username"] or getpass.getuser()
        record("password.changed", Actor(name="command line", source="command"), {"user": user})
        return said
