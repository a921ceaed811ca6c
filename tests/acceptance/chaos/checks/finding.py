"""What a check comes to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.acceptance.chaos.evidence import Evidence


@dataclass
class Check:
    """One promise of the product, and every case in which it was not kept."""

    promise: str
    told: str  # counts, also where all is well
    problems: list[str] = field(default_factory=list)


Look = Callable[[Evidence], Check]
