"""Makes an API key and prints it alone on the last line."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from echoadmin.accounts.keys import create_key
from echoadmin.accounts.roles import ROLES, SCOPES, role_of
from echoadmin.actors import Actor


class Command(BaseCommand):
    """`manage.py create_api_key --user ana --label tts [--scopes read,speak] [--days 30] [--reviewed]`."""

    help = "Make an API key for a user; it is printed once, alone on the last line of standard output."

    def add_arguments(self, parser: CommandParser) -> None:
        """Names, scopes, and for how long."""
        parser.add_argument("--user", required=True, help="the user's name; the key may never do more than the user")
        parser.add_argument("--label", required=True, help="what it is for, at most 50 characters")
        parser.add_argument(
            "--scopes", nargs="+", default=list(SCOPES), help=f"of {', '.join(SCOPES)}; all unless given"
        )
        parser.add_argument("--personas", nargs="+", default=[], help="ids: with these and their conversations only")
        parser.add_argument("--conversations", nargs="+", default=[], help="ids: with these too, or with these alone")
        parser.add_argument("--reviewed", action="store_true", help="what is said with it waits for a second person")
        parser.add_argument("--days", type=int, help="how many days it is valid; without it, until it is revoked")
        parser.add_argument("--json", action="store_true", help="the key and what it may do, as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError for an unknown user, bad scopes, a label that is none, days that are none."""
        user = self._user(options["user"])
        label = options["label"].strip()
        if not 1 <= len(label) <= 50:
            raise CommandError("--label takes 1 to 50 characters")
        days = options["days"]
        if days is not None and not 1 <= days <= 36_500:
            raise CommandError("--days takes a number from 1 to 36500")
        scopes = [scope for given in options["scopes"] for scope in given.split(",") if scope]
        expires = timezone.now() + timedelta(days=days) if days else None
        actor = Actor(name="command line", source="command")
        more = {name: options[name] for name in ("reviewed", "personas", "conversations")}
        try:
            api_key, text = create_key(user=user, label=label, actor=actor, scopes=scopes, expires=expires, **more)
        except ValidationError as error:
            named = next(iter(getattr(error, "error_dict", {"scopes": None})))
            raise CommandError(f"--{named}: {' '.join(error.messages)}") from error
        role = role_of(user)
        if role is None:
            self.stderr.write(
                f"{user.username} has no role, so the key opens nothing yet. Add a group: {', '.join(ROLES)}."
            )
        self.stderr.write(
            f"Key {api_key.prefix}… of {user.username}, scopes {', '.join(api_key.scopes)}. Keep it safe:"
        )
        facts = {"key": text, "prefix": api_key.prefix, "user": user.username, "scopes": api_key.scopes}
        self.stdout.write(json.dumps(facts) if options["json"] else text)

    def _user(self, name: str) -> User:
        try:
            return User.objects.get(username=name)
        except User.DoesNotExist:
            names = ", ".join(User.objects.order_by("username").values_list("username", flat=True)[:10])
            raise CommandError(f"no user is called {name!r}; there are: {names or 'none'}") from None
