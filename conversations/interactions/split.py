"""Cuts a text into messages that Daily carries, where a speaker would pause, and says how long a text takes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from conversations.interactions.build import LIMIT, text_echo, wire_size
from conversations.refusals import Empty, Refusal, TooLarge, Unspeakable

MAX_TEXT = 20_000
"""Characters that one echo may have."""

CHARACTERS_PER_SECOND = 15.0
"""How fast a replica speaks, on average."""

TAG = re.compile(r"<emotion\b[^<>]{0,200}>")
_WIDE = "。！？．｡…"
_MARKS = "؟۔।॥։።။"  # of scripts whose marks end nothing but sentences
SENTENCE = re.compile(rf"(?:[.!?…]+[\"'”’»)\]]*(?=\s|<emotion\b)|[{_WIDE}{_MARKS}]+[”’」』）]*|\n)")
_CLAUSE = re.compile(r"(?:[,;:–—]+[\"'”’»)\]]*(?=\s|<emotion\b)|[、，；：])")
_SPACE = re.compile(r"(?<!>)\s")
_ANY_SPACE = re.compile(r"\s")
_LEVELS = (SENTENCE, _CLAUSE, _SPACE, _ANY_SPACE)
_JOINERS = "\u200d\ufe0e\ufe0f"
_SHORT_ESCAPES = '"\\\b\f\n\r\t'


def check_text(text: object, field: str = "text") -> str:
    """The text of an echo, as given. Raises `Empty`, `TooLarge` (over 20,000 characters), `Unspeakable`."""
    words = check_piece(text, field)
    if not TAG.sub("", words).strip():
        raise Empty(field, "Is empty. Give the words that the replica is to say.")
    return words


def check_piece(text: object, field: str = "text") -> str:
    """The same of a piece of a text, which may be blank, or nothing."""
    if not isinstance(text, str):
        raise Refusal(field, "Is a text (a JSON string).")
    if len(text) > MAX_TEXT:
        raise TooLarge(field, f"Has {len(text):,} characters; an echo may have {MAX_TEXT:,}. Send several echoes.")
    for place, char in enumerate(text, start=1):
        if problem := _unspeakable(char):
            raise Unspeakable(field, f"Character {place:,} is {problem}")
    return text


def split_text(text: str, conversation_id: str, inference_id: str) -> list[str]:
    """Parts of `text` in order, each small enough for one message; one part when all of it fits.

    Cut after sentences, else clauses, else words, else characters; never inside an emotion tag, nor inside what is
    read as one character, where there is another place. Only white space at the cuts is lost.
    """
    room = LIMIT - wire_size(text_echo(conversation_id, "", f"{inference_id}.999"))
    if room < 16:
        raise TooLarge("inference_id", "Leaves no room for words in a message. Use a shorter one.")
    return list(_parts(text, room))


def part_id(inference_id: str, k: int, count: int | None = None) -> str:
    """The id that part `k` (from 1) goes out under: `X.1`, `X.2`; `X` itself when there is one part."""
    return inference_id if count == 1 else f"{inference_id}.{k}"


def part_ids(inference_id: str, count: int) -> list[str]:
    """The ids of all `count` parts of one echo, in order."""
    return [part_id(inference_id, k, count) for k in range(1, count + 1)]


def estimated_seconds(text: str) -> float:
    """How long a replica takes to say `text`, in seconds; tags are not said."""
    return len(TAG.sub("", text)) / CHARACTERS_PER_SECOND


def _unspeakable(char: str) -> str | None:
    if "\ud800" <= char <= "\udfff":
        return "half of a surrogate pair, which is no character. Send valid Unicode."
    if unicodedata.category(char) == "Cc" and char not in "\t\n\r\x85":
        return f"a control character (U+{ord(char):04X}), which cannot be said. Remove it."
    return None


def _parts(text: str, room: int) -> Iterator[str]:
    rest = text
    while True:
        fits = _fitting(rest, room)
        if fits == len(rest):
            break
        cut = best_cut(rest, fits)
        if part := rest[:cut].rstrip():
            yield part
        rest = rest[cut:].lstrip()
    if rest or not text:
        yield rest


def _fitting(text: str, room: int) -> int:
    """How many characters of `text` take at most `room` bytes in a JSON string."""
    used = 0
    for place, char in enumerate(text):
        used += _cost(char)
        if used > room:
            return place
    return len(text)


def _cost(char: str) -> int:
    if char in _SHORT_ESCAPES:
        return 2
    code = ord(char)
    if code < 0x80:
        return 6 if code < 0x20 else 1
    return 2 if code < 0x800 else 3 if code < 0x10000 else 4


def best_cut(text: str, fits: int) -> int:
    """The best place to cut in the first `fits` characters: always at least 1."""
    tags = [match.span() for match in TAG.finditer(text, 0, fits + 250)]
    for level in _LEVELS:
        # A little more is looked at, since what ends a sentence is known by what follows it.
        for end in reversed([match.end() for match in level.finditer(text, 0, fits + 10)]):
            if end <= fits and not inside(end, tags) and text[:end].strip():
                return end
    return _character_cut(text, fits, tags)


def inside(place: int, tags: list[tuple[int, int]]) -> bool:
    """Whether a cut at `place` would go through one of the `tags` (first, one past the last character)."""
    return any(start < place < end for start, end in tags)


def _character_cut(text: str, fits: int, tags: list[tuple[int, int]]) -> int:
    for place in range(fits, max(fits - 300, 0), -1):
        if not inside(place, tags) and not _glued(text, place):
            return place
    return fits


def _glued(text: str, place: int) -> bool:
    """Whether the characters on both sides of `place` are read as one: accents, joined emoji, flags."""
    before, after = text[place - 1], text[place]
    if after in _JOINERS or before == "\u200d" or unicodedata.category(after) in ("Mn", "Me", "Mc"):
        return True
    if "\U0001f3fb" <= after <= "\U0001f3ff":
        return True
    if _is_flag_half(before) and _is_flag_half(after):
        start = place
        while start and _is_flag_half(text[start - 1]):
            start -= 1
        return (place - start) % 2 == 1
    return False


def _is_flag_half(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"
