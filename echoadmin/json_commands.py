"""Commands of everyday use: what they did as words for people, or with `--json` as the API would answer it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from echoadmin.actors import Actor
from echoadmin.api.errors import problem_of


class JsonCommand(BaseCommand):
    """`act` does it and returns the data; `lines` says it in words. A refusal is one line, and exit code 1.

    With --json the data is printed as one line of JSON; a refusal as the API's {"error": {…}}. Where `act` yields,
    each item is a line.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        """What all of them take; each adds its own."""
        self.arguments(parser)
        parser.add_argument("--json", action="store_true", help="as JSON")

    def arguments(self, parser: CommandParser) -> None:
        """What this one takes."""

    def act(self, actor: Actor, options: dict[str, Any]) -> Any:
        """Do it. Raises what the services raise."""
        raise NotImplementedError

    def lines(self, data: Any) -> Iterable[str]:
        """The data, or one item of it, in words."""
        raise NotImplementedError

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError with the words of a refusal."""
        name = type(self).__module__.rpartition(".")[2]
        try:
            done = self.act(Actor(name=f"manage.py {name}", source="command"), options)
            for data in [done] if isinstance(done, dict | list) else done:
                self._tell(data, options["json"])
        except KeyboardInterrupt:
            return
        except Exception as error:
            problem = problem_of(error)
            if problem is None:
                raise
            if options["json"]:
                self.stdout.write(json.dumps(problem.body(None), cls=DjangoJSONEncoder))
            raise CommandError(problem.message) from error

    def _tell(self, data: Any, as_json: bool) -> None:
        for line in [json.dumps(data, cls=DjangoJSONEncoder)] if as_json else self.lines(data):
            self.stdout.write(line)
        self.stdout.flush()


def json_object(text: str) -> dict[str, Any]:
    """For an argument that takes a JSON object. Raises CommandError."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise CommandError(f"{text[:80]!r} is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise CommandError(f"{text[:80]!r} is no JSON object")
    return found
