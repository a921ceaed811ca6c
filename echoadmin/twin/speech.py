"""What a replica has to say, one utterance at a time: what it is, how long it takes, in which pieces it is heard."""

import asyncio
import base64
import binascii
import hashlib
import uuid
from dataclasses import dataclass, field
from typing import Any

CHARACTERS_PER_SECOND = 15.0
# A replica starts on this much audio; what it does meanwhile is buffering.
PREBUFFER_SECONDS = 0.1
DEFAULT_RATE = 16_000
HIGHEST_RATE = 1_000_000
MOST_STREAMED_PIECES = 12


@dataclass
class Utterance:
    """One thing to say. ``seconds`` is its length at normal speed, as far as it is known by now."""

    sent_id: str | None
    inference_id: str
    modality: str
    text: str = ""
    seconds: float = 0.0
    done: bool = False
    interrupted: bool = False
    started: float | None = None
    heard_until: float = 0.0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def ready(self) -> bool:
        return self.done or (self.modality == "audio" and self.seconds >= PREBUFFER_SECONDS)

    def add_text(self, text: str, *, done: bool) -> None:
        self.text += text
        self.seconds = len(self.text) / CHARACTERS_PER_SECOND
        self.done = done
        self.changed.set()

    def add_audio(self, seconds: float, *, done: bool, now: float, speed: float) -> None:
        self.seconds += seconds
        self.done = done
        if self.started is not None:
            # Played to the end already? Then the pause until now was silence, and playing goes on from here.
            self.heard_until = max(self.heard_until, now) + seconds / speed
        self.changed.set()


def rewritten(sent_id: str | None) -> str:
    """Return the inference id that Tavus sends back for the given one: its MD5 as a UUID; a fresh one for none."""
    if not sent_id:
        return str(uuid.uuid4())
    return str(uuid.UUID(hashlib.md5(sent_id.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()))


def audio_seconds(properties: dict[str, Any]) -> float | None:
    """Return the length of a message's PCM16 mono samples in seconds, or None when it holds no readable ones."""
    rate, audio = properties.get("sample_rate", DEFAULT_RATE), properties.get("audio")
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not isinstance(audio, str):
        return None
    if not 1 <= rate <= HIGHEST_RATE:
        return None
    try:
        return len(base64.b64decode(audio, validate=True)) / 2 / float(rate)
    except (binascii.Error, ValueError):
        return None


def is_done(properties: dict[str, Any]) -> bool:
    """Tell whether a message is the last of its utterance: by default a text is, audio is not."""
    given = properties.get("done")
    if given is None:
        return bool(properties.get("modality", "text") != "audio")
    return given is True or (isinstance(given, str) and given.lower() == "true")


def spoken_pieces(text: str) -> list[tuple[float, str]]:
    """Return how a text is heard: the share of its length that has passed, and all that was said by then."""
    words = text.split(" ")
    step = max(4, -(-len(words) // MOST_STREAMED_PIECES))
    ends = [*range(step, len(words), step), len(words)]
    so_far = [" ".join(words[:end]) for end in ends]
    return [(len(piece) / max(len(text), 1), piece) for piece in so_far]
