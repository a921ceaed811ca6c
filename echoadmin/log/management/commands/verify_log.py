"""`manage.py verify_log`: recompute the log's chain, and name what is not as it was written."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from echoadmin.log.proof import checkpoints
from echoadmin.log.proof.signing import BadSigningKey
from echoadmin.log.proof.verifying import CannotVerify, Scope, State, Verification


class Command(BaseCommand):
    help = "Verify the log: leaves, digests, checkpoints and the database's guards. Exits 1 and names what it found."
    requires_system_checks = []  # it looks at the guards itself, and must say more than that they are gone

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--stream", help="a conversation's cv_… id, or account (default: everything)")
        parser.add_argument("--from", type=int, dest="first", metavar="N", help="the first number of the stream")
        parser.add_argument("--to", type=int, dest="last", metavar="N", help="the last number of the stream")
        parser.add_argument("--resume", type=Path, metavar="FILE", help="keep the place there, and go on from it")
        parser.add_argument(
            "--checkpoints",
            type=Path,
            metavar="FILE",
            help="hold the log to these too, as checkpoint_log exported them",
        )
        parser.add_argument("--json", action="store_true", help="the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["stream"] is None and (options["first"] or options["last"]):
            raise CommandError("--from and --to are numbers of one stream: name it with --stream")
        try:
            verification = self._verification(options)
            seconds = self._go(verification, options["resume"])
        except (CannotVerify, BadSigningKey, checkpoints.BadCheckpointFile) as reason:
            raise CommandError(str(reason), returncode=2) from reason
        self._tell(verification, seconds, options["json"])
        if verification.state.findings:
            sys.exit(1)

    def _verification(self, options: dict[str, Any]) -> Verification:
        scope = Scope(options["stream"], options["first"], options["last"])
        state, place = None, options["resume"]
        if place is not None and place.exists():
            state = State.from_dict(_kept(place, scope))
            self.stderr.write(f"going on after {state.checked:,} entries, as {place} says")
        return Verification(scope, state, _given(options["checkpoints"]))

    def _go(self, verification: Verification, place: Path | None) -> float:
        """Works to the end, tells how far it is, and keeps the place once a second. Returns seconds."""
        started = told = time.monotonic()
        for state in verification.steps():
            now = time.monotonic()
            if now - told < 1 and not state.complete:
                continue
            told = now
            if place is not None:
                _keep(place, verification)
            if not state.complete:
                self.stderr.write(
                    f"{state.checked:,} of {verification.total:,} entries, {len(state.findings)} findings"
                )
        if place is not None:
            place.unlink(missing_ok=True)
        return time.monotonic() - started

    def _tell(self, verification: Verification, seconds: float, as_json: bool) -> None:
        state = verification.state
        if as_json:
            result = {
                "verified": not state.findings,
                "entries": state.checked,
                "streams": state.streams,
                "seconds": round(seconds, 3),
                "findings": [finding.as_dict() for finding in state.findings],
            }
            self.stdout.write(json.dumps(result, indent=2))
            return
        for finding in state.findings:
            self.stdout.write(str(finding))
        rate = f"{state.checked / seconds:,.0f} a second" if seconds > 0.01 else "at once"
        said = "as they were written" if not state.findings else f"{len(state.findings)} findings"
        self.stdout.write(f"{state.checked:,} entries of {state.streams:,} streams: {said} ({seconds:.1f} s, {rate})")


def _given(path: Path | None) -> Iterable[checkpoints.Given]:
    if path is None:
        return []
    try:
        with path.open(encoding="utf-8") as file:
            return list(checkpoints.read_exported(file))
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} can't be read: {error}", returncode=2) from error


def _kept(place: Path, scope: Scope) -> Any:
    try:
        kept = json.loads(place.read_text(encoding="utf-8"))
        if kept["scope"] == [scope.stream, scope.first, scope.last]:
            return kept["state"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CannotVerify(f"{place} holds no place to go on from ({error!r}); remove it to begin anew") from error
    raise CannotVerify(f"{place} is the place of another verification, of {kept['scope']}; remove it to begin anew")


def _keep(place: Path, verification: Verification) -> None:
    scope = verification.scope
    text = json.dumps({"scope": [scope.stream, scope.first, scope.last], "state": verification.state.as_dict()})
    beside = place.with_name(place.name + ".new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(place)
