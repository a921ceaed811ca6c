"""Django's `createsuperuser`, with an entry in the log."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.management.commands import createsuperuser
from django.contrib.auth.models import User
from django.db.models.signals import post_save

from echoadmin.accounts.recording import record
from echoadmin.actors import Actor


class Command(createsuperuser.Command):
    """`manage.py createsuperuser`."""

    def handle(self, *args: Any, **options: Any) -> None:
        """As Django does it, and then noted: who was made is known by the model's signal alone."""
        made: list[str] = []

        def note(instance: User, created: bool, **_: Any) -> None:
            made.extend([instance.get_username()] if created else [])

        post_save.connect(note, sender=User)
        try:
            super().handle(*args, **options)
        finally:
            post_save.disconnect(note, sender=User)
            for name in made:
                facts = {"user": name, "role": "admin", "reviewed": False, "is_active": True}
                record("user.created", Actor(name="command line", source="command"), facts)
