"""What the client was promised: the first witness. Every utterance that it asked for, and what it was answered."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from enum import StrEnum

RATE = 24_000
WAITING = 0.3  # of the echoes
PACINGS = ("lead", "realtime", "burst")
WORDS = ("a", "room", "may", "fall", "silent", "while", "others", "speak", "and", "every", "word", "is", "kept")


class Way(StrEnum):
    """What makes it safe to ask again: nothing, an id of the client's own, or an Idempotency-Key."""

    PLAIN = "plain"
    OWN_ID = "own id"
    KEY = "key"


@dataclass
class Promise:
    """One utterance: a text that nobody else says, or samples that nobody else has."""

    name: str  # unique
    way: Way
    text: str = ""
    pcm: bytes = field(default=b"", repr=False)
    pacing: str = "lead"
    wait: bool = False  # whether the answer is to come when it was sent: so the client keeps to the replica's pace
    tries: int = 0
    inference_id: str | None = None  # as the answer gave it; None: not promised
    refused: str = ""  # what it was answered instead, where asking again is no use

    @property
    def accepted(self) -> bool:
        """Whether it was answered 202."""
        return self.inference_id is not None


@dataclass
class Opening:
    """One conversation that was asked for, always with an Idempotency-Key."""

    name: str
    tries: int = 0
    id: str | None = None  # ours, once 201 came
    upstream_id: str = ""
    promises: list[Promise] = field(default_factory=list)


def make_promise(name: str, chance: random.Random) -> Promise:
    """The next thing to say: mostly a text, now and then up to a second of audio."""
    way, wait = chance.choices(list(Way), (30, 30, 40))[0], chance.random() < WAITING
    if chance.random() < 0.8:
        words = " ".join(chance.choices(WORDS, k=chance.randint(2, 12)))
        return Promise(name, way, text=f"{name}: {words}.", wait=wait)
    samples = chance.randint(RATE // 5, RATE)
    return Promise(name, way, pcm=chance.randbytes(samples * 2), pacing=chance.choice(PACINGS), wait=wait)
