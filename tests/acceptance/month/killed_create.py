"""A console that creates a conversation and does not live to see the answer: `killed_create.py DATABASE GIVEN`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import django
from django.conf import settings


def main(database: str, given: dict[str, dict[str, object]]) -> None:
    """Create it, on this database and with these settings."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "echoadmin.settings")
    settings.DATABASES["default"]["NAME"] = database
    for name, value in given["settings"].items():
        setattr(settings, name, value)
    django.setup()
    from conversations.services import mirroring
    from echoadmin.actors import Actor

    mirroring.create_conversation(actor=Actor(name="killed", source="command"), body=given["body"])


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    main(sys.argv[1], json.loads(sys.argv[2]))
