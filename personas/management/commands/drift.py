"""`manage.py drift [PERSONA] [--pull | --push] [--json]`: a persona here beside the one at Tavus."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from echoadmin.actors import Actor
from echoadmin.mirror.drift import Comparison
from echoadmin.tavus.errors import TavusError
from personas import drift, services
from personas.models import Persona

COMMAND = Actor(name="manage.py drift", source="command")


class Command(BaseCommand):
    """Shows first, does then: --push takes the digest of what was shown."""

    help = (
        "How a persona differs from what Tavus has, and bringing either side over. Without PERSONA: those of which the "
        "last look noticed it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Which one, and what to do."""
        parser.add_argument("persona", nargs="?", metavar="PERSONA", help="either id")
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--pull", action="store_true", help="take over here what Tavus has")
        what.add_argument("--push", action="store_true", help="change Tavus to what was asked for here")
        parser.add_argument("--patch-sha256", metavar="DIGEST", help="what was shown; needed to push")
        parser.add_argument(
            "--discard-maker-changes", action="store_true",
            help="push although it discards, for good, edits in Tavus's own editor that nobody has published",
        )  # fmt: skip
        parser.add_argument("--check", action="store_true", help="exit with 1 when something differs")
        parser.add_argument("--json", action="store_true", help="as JSON, as the API shows it")

    def handle(self, *args: Any, **options: Any) -> None:
        """Show, pull or push."""
        if not options["persona"]:
            self._end(options, self._noticed(options["json"]))
            return
        persona = Persona.objects.by_any_id(options["persona"]).first()
        if persona is None:
            raise CommandError(
                f"There is no persona {options['persona']!r} here; `manage.py sync personas` brings new ones."
            )
        try:
            found = self._done(persona, options)
        except (TavusError, ValueError) as error:
            raise CommandError(_words(error)) from error
        self._tell(found, persona, options)
        self._end(options, bool(found.differences) and not (options["pull"] or options["push"]))

    def _end(self, options: dict[str, Any], differs: bool) -> None:
        if options["check"] and differs:
            raise SystemExit(1)

    def _done(self, persona: Persona, options: dict[str, Any]) -> Comparison:
        digest = options["patch_sha256"]
        if options["pull"]:
            return drift.pull(actor=COMMAND, persona=persona, patch_sha256=digest)
        if not options["push"]:
            return drift.persona_drift(actor=COMMAND, persona=persona)
        if not digest:
            raise CommandError(
                "--push needs --patch-sha256: run it without --push first, and give the digest it prints."
            )
        force = options["discard_maker_changes"]
        discards = services.MAKER_CHANGES if force else ""
        return drift.push(actor=COMMAND, persona=persona, patch_sha256=digest, force=force, discards=discards)

    def _noticed(self, as_json: bool) -> bool:
        rows = list(Persona.objects.filter(drift__isnull=False).order_by("-id"))
        if as_json:
            told = [{"id": row.public_id, "name": row.name, "differs": row.differs, "state": row.state} for row in rows]
            self.stdout.write(json.dumps({"results": told}))
        else:
            for row in rows:
                self.stdout.write(f"{row.public_id}  {row}: {', '.join(row.differs)}")
        return bool(rows)

    def _tell(self, found: Comparison, persona: Persona, options: dict[str, Any]) -> None:
        facts = {"id": persona.public_id, **found.facts(), "used_by": drift.uses(persona)}
        if options["json"]:
            self.stdout.write(json.dumps(facts, default=lambda at: at.isoformat()))
            return
        if found.state == "gone":
            self.stdout.write("Tavus doesn't have it any more.")
            for use in facts["used_by"]:
                self.stdout.write(f"  still used by the {use['kind']} {use['name']} ({use['id']})")
            return
        if options["pull"] or options["push"]:
            self.stdout.write("taken over" if options["pull"] else "sent")
            self.stdout.write(json.dumps(found.pull if options["pull"] else found.push, indent=2, ensure_ascii=False))
            return
        if not found.differences:
            self.stdout.write("It is the same here and at Tavus.")
        for one in found.differences:
            here = "asked for" if one.asked else "last seen"
            self.stdout.write(f"{one.pointer}\n  {here}: {_short(one.here)}\n  at Tavus:  {_short(one.upstream)}")
            self.stdout.write(f"  noticed {one.since:%Y-%m-%d %H:%M:%S} UTC{_before(one)}")
            if one.kept_back:
                self.stdout.write(f"  not pushed: {one.kept_back}")
        for way, patch, digest in (("push", found.push, found.push_sha256), ("pull", found.pull, found.pull_sha256)):
            if patch:
                self.stdout.write(f"--{way} --patch-sha256 {digest}\n{json.dumps(patch, indent=2, ensure_ascii=False)}")


def _short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:300]


def _before(one: Any) -> str:
    return f"; the same at {one.agreed_at:%Y-%m-%d %H:%M:%S} UTC" if one.agreed_at else ""


def _words(error: Exception) -> str:
    message = str(getattr(error, "message", "") or error)
    option = " --discard-maker-changes does that." if getattr(error, "maker_changes", False) else ""
    return f"{message} {getattr(error, 'way_out', '')}{option}".strip()
