"""What a kind of run shows on its own page beside how far it is: said by who knows the kind."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from echoadmin.runs.models import Run

Draw = Callable[[Run, int], tuple[str, dict[str, Any]]]  # the run, which page of its lines → template, context

_draws: dict[str, Draw] = {}


@dataclass(frozen=True, slots=True)
class Drawn:
    """A fragment of the run's page, and what tells it from an earlier drawing: it is sent only when it has changed."""

    html: SafeString
    mark: str


def draws_runs(kind: str) -> Callable[[Draw], Draw]:
    """Register what a run of this kind shows. Its rows carry `data-line`, by which the page's script knows them."""

    def register(draw: Draw) -> Draw:
        _draws[kind] = draw
        return draw

    return register


def drawn(run: Run, page: str = "") -> Drawn:
    """The fragment; empty for a kind that has none. `page`: which hundred of its lines, from 1, as in the address."""
    draw = _draws.get(run.kind)
    if draw is None:
        return Drawn(SafeString(), "")
    template, context = draw(run, max(1, int(page)) if page.isdecimal() and len(page) < 6 else 1)
    html = render_to_string(template, context)
    return Drawn(html, hashlib.sha256(html.encode()).hexdigest()[:16])
