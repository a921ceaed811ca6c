"""The lines of a script: what may be written, which variables they hold, and what they are once those are filled in.

A line is {"text": "Hello {{guest}}.", "pause": 1.5, "wait": "spoken"}, or has a clip in the place of its text:
{"clip": 12, "sample_rate": 24000, "seconds": 3.2, "name": "intro.wav", …}. `pause`: seconds until the next line,
counted from the end of this one where `wait` is "spoken", else from when it was handed over. Lines are counted from 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import ValidationError

from conversations import audio, interactions
from conversations.refusals import Refusal
from echoadmin.log.models import Clip

Line = dict[str, Any]

MOST_LINES = 500
LONGEST_PAUSE = 3600.0  # seconds
LONGEST_VALUE = 5_000  # characters of a variable
SPOKEN = "spoken"
VARIABLE = re.compile(r"\{\{\s*([^\W\d]\w{0,39})\s*\}\}")
_BRACES = re.compile(r"\{\{|\}\}")
_FIELDS = ("text", "clip", "name", "sample_rate", "seconds", "pause", "wait")
_NAME = "A variable is {{name}}: a letter, then letters, digits and _, at most 40."


def check_lines(given: Any) -> list[Line]:
    """The lines as they are kept. Raises ValidationError: each field that is wrong by its line, `lines.3.text`."""
    if not isinstance(given, list) or not given:
        raise ValidationError({"lines": ['Is a list of at least one line, such as {"text": "Hello."}.']})
    if len(given) > MOST_LINES:
        raise ValidationError({"lines": [f"A script has at most {MOST_LINES} lines; make several scripts."]})
    clips = _clips(given)
    wrong: dict[str, list[str]] = {}
    lines = [_line(f"lines.{number}", one, clips, wrong) for number, one in enumerate(given, 1)]
    if wrong:
        raise ValidationError(wrong)
    return lines


def variables_in(lines: Iterable[Mapping[str, Any]]) -> list[str]:
    """Their names, each once, in the order in which they come."""
    found: dict[str, None] = {}
    for line in lines:
        text = line.get("text")
        found |= dict.fromkeys(VARIABLE.findall(text) if isinstance(text, str) else ())
    return list(found)


def check_defaults(given: Any, names: Iterable[str]) -> dict[str, str]:
    """What each variable is where nobody gives it: empty for one that has to be given. Raises ValidationError."""
    names = list(names)
    values = _values(given, names, "No line holds {{%s}}. Take it away, or write it into a line.")
    return {name: values.get(name, "") for name in names}


def fill(lines: list[Line], defaults: Mapping[str, str], given: Any) -> list[Line]:
    """The lines with every variable in its place. Raises ValidationError: `variables.guest` for one that is missing."""
    names = variables_in(lines)
    hint = f"It has: {', '.join(names)}." if names else "It has none."
    values = _values(given, names, "The script has no variable {{%s}}. " + hint)
    whole = {name: values.get(name, "").strip() or defaults.get(name, "") for name in names}
    if missing := [name for name in names if not whole[name]]:
        raise ValidationError(
            {f"variables.{name}": [f"Give {name}: the script says it, and it has no default."] for name in missing}
        )
    return [_filled(number, line, whole) for number, line in enumerate(lines, 1)]


def seconds_of(lines: Iterable[Mapping[str, Any]]) -> float:
    """About how long they take, said one after the other, pauses included."""
    return sum(float(line.get("pause") or 0) + length(line) for line in lines)


def length(line: Mapping[str, Any]) -> float:
    """About how long one is said, in seconds."""
    return float(line["seconds"]) if line.get("clip") else interactions.estimated_seconds(str(line.get("text", "")))


def _line(at: str, given: Any, clips: Mapping[int, Clip], wrong: dict[str, list[str]]) -> Line:
    if not isinstance(given, Mapping):
        wrong[at] = ['Is an object, such as {"text": "Hello."}.']
        return {}
    if strangers := sorted(str(name) for name in given if name not in _FIELDS):
        wrong[f"{at}.{strangers[0][:40]}"] = ["A line has text or clip, and pause, wait and name."]
    line = _said(at, given, clips, wrong)
    pause, wait = given.get("pause", 0), given.get("wait", SPOKEN)
    if isinstance(pause, bool) or not isinstance(pause, int | float) or not 0 <= pause <= LONGEST_PAUSE:
        wrong[f"{at}.pause"] = [f"Is a number of seconds from 0 to {LONGEST_PAUSE:,.0f}."]
    if wait not in (SPOKEN, None, ""):
        wrong[f"{at}.wait"] = ['Is "spoken", or null to go on at once.']
    return line | {"pause": pause, "wait": wait or None}


def _said(at: str, given: Mapping[str, Any], clips: Mapping[int, Clip], wrong: dict[str, list[str]]) -> Line:
    text, clip = given.get("text"), given.get("clip")
    if (text is None) == (clip is None):
        wrong[at] = ["Has a text or a clip; one of the two."]
        return {}
    if clip is None:
        try:
            _check_braces(interactions.check_text(text))
        except Refusal as refusal:
            wrong[f"{at}.text"] = [refusal.message]
        return {"text": text}
    known = clips.get(clip) if isinstance(clip, int) and not isinstance(clip, bool) else None
    name = given.get("name") or ""
    if known is None or not known.size:
        wrong[f"{at}.clip"] = [
            "There are no such samples. Upload them to scripts/clips/, and give the clip it answers."
        ]
        return {}
    if not isinstance(name, str) or len(name) > 200:
        wrong[f"{at}.name"] = ["Is a text of at most 200 characters."]
    long = round(audio.seconds(known.size, known.sample_rate), 3)
    return {"clip": known.pk, "sample_rate": known.sample_rate, "seconds": long, "name": name}


def _check_braces(text: str) -> None:
    if _BRACES.search(VARIABLE.sub("", text)):
        raise Refusal("text", f"Holds {{{{ or }}}} that makes no variable. {_NAME}")


def _clips(given: list[Any]) -> dict[int, Clip]:
    ids = {one.get("clip") for one in given if isinstance(one, Mapping) and isinstance(one.get("clip"), int)}
    return Clip.objects.in_bulk([one for one in ids if isinstance(one, int) and 0 < one < 2**63])


def _values(given: Any, names: list[str], stranger: str) -> dict[str, str]:
    if not isinstance(given, Mapping):
        raise ValidationError({"variables": ['Is an object: {"guest": "Ana"}.']})
    wrong: dict[str, list[str]] = {}
    for name, value in given.items():
        if name not in names:
            wrong[f"variables.{str(name)[:40]}"] = [stranger % str(name)[:40]]
        elif not isinstance(value, str) or len(value) > LONGEST_VALUE:
            wrong[f"variables.{name}"] = [f"Is a text of at most {LONGEST_VALUE:,} characters."]
    if wrong:
        raise ValidationError(wrong)
    return dict(given)


def _filled(number: int, line: Line, values: Mapping[str, str]) -> Line:
    if "text" not in line:
        return line
    text = VARIABLE.sub(lambda found: values[found[1]], line["text"])
    try:
        return line | {"text": interactions.check_text(text)}
    except Refusal as refusal:
        words = f"With its variables filled in, line {number} can't be said: {refusal.message}"
        raise ValidationError({f"lines.{number}": [words]}) from None
