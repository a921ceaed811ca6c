"""`manage.py export_log --format ndjson --to FILE [filters] [--resume]`: any filter of the log as a file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from echoadmin.accounts.recording import record
from echoadmin.actors import Actor
from echoadmin.log.export import FORMATS, BadExport, Export, checked, pieces
from echoadmin.log.export.pieces import newest, source
from echoadmin.log.reader import FILTERS

COMMAND = Actor(name="manage.py export_log", source="command")


class Command(BaseCommand):
    """Writes to FILE.part, and notes beside it how far that is; at the end it becomes FILE."""

    help = "Write entries of the log to a file; one that was broken off goes on with --resume (a zip begins again)."

    def add_arguments(self, parser: CommandParser) -> None:
        """The file, and the log's filters."""
        parser.add_argument("--format", default="ndjson", help=f"one of {', '.join(FORMATS)}; ndjson by default")
        parser.add_argument("--to", required=True, type=Path, metavar="FILE", help="where to; must not exist yet")
        parser.add_argument("--audio", action="store_true", help="samples come inside the messages")
        parser.add_argument("--resume", action="store_true", help="go on where the same export was broken off")
        parser.add_argument("--json", action="store_true", help="the result as JSON")
        for name in FILTERS:
            parser.add_argument(f"--{name.replace('_', '-')}", dest=f"filter_{name}", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError for what can't be, a file that exists, and nothing to resume."""
        filters = {name: options[f"filter_{name}"] for name in FILTERS if options[f"filter_{name}"]}
        try:
            export = checked(options["format"], filters, options["audio"])
        except BadExport as error:
            raise CommandError(str(error)) from None
        file = Unfinished(options["to"], export)
        file.open(resume=options["resume"])
        facts = {"format": export.format, "filters": export.filters, "audio": export.audio, "after": file.after}
        record("log.exported", COMMAND, {**facts, "file": str(options["to"].absolute())})
        for piece in pieces(export, file.after, file.until):
            file.add(piece.data, piece.after, piece.entries)
        file.finish()
        if options["json"]:
            self.stdout.write(json.dumps({"file": str(options["to"]), "entries": file.entries, **facts}))
        else:
            self.stdout.write(f"{file.entries} entries in {options['to']}")


class Unfinished:
    """An export's file on the way, and what lies beside it: so much is written, up to this entry."""

    EVERY = 8 * 1024 * 1024  # bytes between two notes

    def __init__(self, path: Path, export: Export) -> None:
        self.path, self.export = path, export
        self.part, self.note = path.with_name(f"{path.name}.part"), path.with_name(f"{path.name}.part.json")
        self.after = self.entries = self.until = 0
        self._unnoted = 0

    def open(self, *, resume: bool) -> None:
        """Raises CommandError."""
        if self.path.exists():
            raise CommandError(f"{self.path} is there already; give another file, or take it away")
        place = self._place() if resume else None
        size = 0
        if place is not None and self.export.format != "zip":
            self.after, self.entries, self.until, size = (place[k] for k in ("after", "entries", "until", "bytes"))
        else:
            self.until = newest(source(self.export))
        try:
            self._file = self.part.open("r+b" if size else "wb")
        except OSError as error:
            raise CommandError(f"{self.part} can't be written: {error.strerror}") from None
        self._file.truncate(size)
        self._file.seek(size)

    def add(self, data: bytes, after: int, entries: int) -> None:
        """More of it."""
        self._file.write(data)
        self.after, self.entries, self._unnoted = after, self.entries + entries, self._unnoted + len(data)
        if self._unnoted >= self.EVERY:
            self._write_note()

    def finish(self) -> None:
        """It is whole."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self.part.replace(self.path)
        self.note.unlink(missing_ok=True)

    def _write_note(self) -> None:
        """First the data is safe, then the word about it."""
        self._file.flush()
        os.fsync(self._file.fileno())
        place = {"after": self.after, "entries": self.entries, "until": self.until, "bytes": self._file.tell()}
        fresh = self.note.with_suffix(".new")
        fresh.write_text(json.dumps({"export": self._told(), **place}))
        fresh.replace(self.note)
        self._unnoted = 0

    def _place(self) -> dict[str, Any] | None:
        try:
            place: dict[str, Any] = json.loads(self.note.read_text())
        except FileNotFoundError:
            if self.part.exists():
                return None  # it was broken off before the first note
            raise CommandError(f"there is nothing to resume: {self.part} is not there") from None
        except ValueError:
            raise CommandError(f"{self.note} can't be read; begin again without --resume") from None
        if place.get("export") != self._told():
            raise CommandError(f"{self.part} is of another export; give the same format and filters")
        if self.part.stat().st_size < place["bytes"]:
            raise CommandError(f"{self.part} is shorter than it was; begin again without --resume")
        return place

    def _told(self) -> dict[str, Any]:
        return {"format": self.export.format, "filters": self.export.filters, "audio": self.export.audio}
