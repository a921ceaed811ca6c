"""`manage.py wake`: a restored installation takes the place of the one that its backup was made of."""

from __future__ import annotations

import getpass
from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from echoadmin.accounts.recording import record
from echoadmin.actors import Actor
from echoadmin.installation import wake


class Command(BaseCommand):
    help = "End the rest of a restored installation: syncs, webhooks out and all other duties begin."

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            woken = wake()
            if woken:
                record("installation.woken", Actor(name=getpass.getuser(), source="command"), {})
        self.stdout.write("awake: all duties are done from now on" if woken else "it was awake")
