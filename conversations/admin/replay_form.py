"""What somebody typed into the replay's form: read as it is, and kept as it is when it can't be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from conversations.models import Echo
from conversations.replay.offering import Offer, Offered
from echoadmin.shown import after, lasting

SPEEDS = (("1", "as it was"), ("2", "2× as fast"), ("4", "4× as fast"), ("0", "no pauses"))
_RUN = re.compile(r"rn_[0-9a-z]{20}")
_TEXT = re.compile(r"text-([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Wish:
    """The form's fields. `run`: the id of the run that it starts, so that sent twice it starts one."""

    run: str
    to: str = ""
    speed: str = "1"
    longest_pause: str = ""
    dry: bool = False
    rest: bool = False
    picked: frozenset[int] = frozenset()
    texts: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def fresh(cls, found: Offered, run: str) -> Wish:
        """A new form: all that was sent is ticked; an echo that is shown alone is, whatever became of it."""
        alone = len(found.lines) == 1
        picked = frozenset(one.echo.pk for one in found.lines if one.at is not None or alone)
        return cls(run=run, picked=picked, rest=bool(found.rest))

    @classmethod
    def sent(cls, form: QueryDict) -> Wish:
        """As it was sent."""
        run = form.get("run", "")
        return cls(
            run=run if _RUN.fullmatch(run) else "",
            to=form.get("to", ""),
            speed=form.get("speed", "1"),
            longest_pause=form.get("longest_pause", "").strip(),
            dry="dry" in form,
            rest="rest" in form,
            picked=frozenset(int(one) for one in form.getlist("echoes") if one.isdecimal() and len(one) < 19),
            texts={int(named[1]): _lf(form.get(name, "")) for name in form if (named := _TEXT.fullmatch(name))},
        )

    def params(self, found: Offered) -> dict[str, Any]:
        """What the service is asked: the echoes that are ticked, in their order, and the words that were changed."""
        picked = [one.echo for one in found.lines if one.echo.pk in self.picked]
        asked: dict[str, Any] = {
            "to": self.to,
            "echoes": [echo.pk for echo in picked] + (found.rest if self.rest else []),
            "texts": {str(echo.pk): self.words(echo) for echo in picked if self.is_changed(echo)},
            "speed": _number(self.speed),
            "dry": self.dry,
        }
        return asked | ({"longest_pause": _number(self.longest_pause)} if self.longest_pause else {})

    def words(self, echo: Echo) -> str:
        """What stands in its field. Words that did not come with the form were not touched."""
        return self.texts.get(echo.pk, _lf(echo.text))

    def is_changed(self, echo: Echo) -> bool:
        """Whether other words were typed for it."""
        return self.words(echo) != _lf(echo.text)

    def line(self, offer: Offer, error: str) -> dict[str, Any]:
        """A row of the form."""
        echo = offer.echo
        return {
            "echo": echo,
            "at": "" if offer.at is None else after(offer.at),
            "seconds_after": "" if offer.at is None else offer.at,
            "length": ("≈ " if echo.modality == "text" else "") + lasting(round(echo.seconds, 1)),
            "picked": echo.pk in self.picked,
            "words": self.words(echo),
            "original": _lf(echo.text),
            "changed": self.is_changed(echo),
            "error": error,
        }


def _lf(text: str) -> str:
    """A browser sends each line's end as CR LF, whatever it was: an end is an end."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _number(text: str) -> float | str:
    """The number that was typed; what is none is left for the service to refuse."""
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return text
