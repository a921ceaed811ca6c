"""What somebody typed into a script's form: read as it is, and kept as it is when it can't be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from conversations.models import Script
from conversations.scripts.lines import SPOKEN, VARIABLE, length
from echoadmin.shown import lasting

_DEFAULT = "default-"
_NEW_ROWS = 3  # of a new script


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the form. `clip`: its number as text; empty for words."""

    text: str = ""
    clip: str = ""
    name: str = ""
    pause: str = "0"
    wait: str = SPOKEN
    long: str = ""

    @property
    def is_empty(self) -> bool:
        return not self.clip and not self.text.strip()

    def line(self) -> dict[str, Any]:
        """What the service is asked; what is no number is left for it to refuse."""
        said: dict[str, Any] = {"text": self.text}
        if self.clip:
            said = {"clip": int(self.clip) if self.clip.isdecimal() else self.clip, "name": self.name}
        return said | {"pause": _number(self.pause), "wait": self.wait or None}


@dataclass(frozen=True, slots=True)
class Written:
    """The form's fields. `revision`: the one that it was opened at; empty for a new script."""

    name: str = ""
    rows: list[Row] = field(default_factory=lambda: [Row()] * _NEW_ROWS)
    defaults: Mapping[str, str] = field(default_factory=dict)
    revision: str = ""

    @classmethod
    def kept(cls, script: Script) -> Written:
        """As it is saved."""
        rows = [
            Row(
                text=line.get("text", ""),
                clip=str(line.get("clip", "")),
                name=line.get("name", ""),
                pause=f"{line['pause']:g}",
                wait=line["wait"] or "",
                long=lasting(round(length(line), 1)) if line.get("clip") else "",
            )
            for line in script.lines
        ]
        return cls(script.name, rows, dict(script.variables), str(script.revision))

    @classmethod
    def sent(cls, form: QueryDict) -> Written:
        """As it was sent: the fields of a row come in the order of the rows."""
        columns = [form.getlist(name) for name in ("text", "clip", "clip_name", "pause", "wait", "long")]
        rows = [Row(_lf(text), *rest) for text, *rest in zip(*columns, strict=False)]
        defaults = {name.removeprefix(_DEFAULT): form.get(name, "") for name in form if name.startswith(_DEFAULT)}
        return cls(form.get("name", ""), rows, defaults, form.get("revision", ""))

    def asked(self) -> dict[str, Any]:
        """For the service: rows without anything are left out, and defaults that no line holds any more."""
        rows = [row for row in self.rows if not row.is_empty]
        used = {name for row in rows for name in VARIABLE.findall(row.text)}
        return {
            "name": self.name,
            "lines": [row.line() for row in rows],
            "variables": {name: value for name, value in self.defaults.items() if name in used},
        }

    def shown(self, errors: Mapping[str, str]) -> list[dict[str, Any]]:
        """The rows, each with what is wrong with it."""
        shown, number = [], 0
        for row in self.rows:
            number += not row.is_empty
            mine = re.compile(rf"lines\.{number}(\.\w+)?")
            wrong = [] if row.is_empty else [words for name, words in errors.items() if mine.fullmatch(name)]
            shown.append({"row": row, "error": " ".join(wrong)})
        return shown


def _lf(text: str) -> str:
    """A browser sends each line's end as CR LF, whatever it was: an end is an end."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _number(text: str) -> float | str:
    try:
        return float(text.replace(",", ".") or 0)
    except ValueError:
        return text
