"""Words, the same for both databases: how a text falls apart, and how a value of a field becomes one token.

A word is a run of letters and digits, without regard to case and accents. Chinese and Japanese have no spaces between
words, so there each character is one. A facet is `field:value` as a number of 63 bits.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import Any

LONGEST_WORD = 64  # characters; the rest is cut, in the index and in what is searched for
LONGEST_VALUE = 64  # characters of a body's value that can be searched for as field:value
LONGEST_TEXT = 100_000  # characters of one entry's words
MOST_FACETS = 64  # of one body
AUDIO = "audio"  # the field that holds samples, which nobody searches for

_ALONE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
_WORD = re.compile(f"[{_ALONE}]|[^\\W_{_ALONE}]+")
_ASCII_WORD = re.compile("[0-9a-z]+")


def words(text: str) -> list[str]:
    """The text's words in their order, as they are indexed."""
    if text.isascii():
        return [word[:LONGEST_WORD] for word in _ASCII_WORD.findall(text.lower())]
    return [word for word, _, _ in placed_words(text)]


def placed_words(text: str) -> Iterator[tuple[str, int, int]]:
    """The text's words, each with the place of its first character and that after its last."""
    for found in _WORD.finditer(text):
        if word := _folded(found.group())[:LONGEST_WORD]:
            yield word, found.start(), found.end()


def _folded(word: str) -> str:
    if word.isascii():
        return word.lower()
    apart = unicodedata.normalize("NFKD", word.casefold())
    return "".join(character for character in apart if character.isalnum())


@lru_cache(maxsize=1 << 16)
def facet(field: str, value: str) -> int:
    """The token of a field's value, without regard to case. Two values share one in 10^11 cases at ten million."""
    name = f"{field.casefold()}\0{value.strip().casefold()}"
    return int.from_bytes(blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") >> 1


def body_facets(body: str | None) -> set[int]:
    """The facets of a body's scalar values, each under the name that it has there (in a list, the list's name)."""
    found: set[int] = set()
    if body is None:
        return found
    left: list[tuple[str, Any]] = [("", json.loads(body))]
    while left and len(found) < MOST_FACETS:
        name, value = left.pop()
        if isinstance(value, dict):
            left.extend(value.items())
        elif isinstance(value, list):
            left.extend((name, one) for one in value)
        elif name and name != AUDIO and (text := scalar(value)):
            found.add(facet(name[:LONGEST_VALUE], text))
    return found


def scalar(value: Any) -> str | None:
    """A value as `field:value` has it; None for one that can't be searched for."""
    if value is None:
        return None
    if isinstance(value, str):
        text = value.strip()
        return text if 0 < len(text) <= LONGEST_VALUE else None
    text = json.dumps(value)
    return text if len(text) <= LONGEST_VALUE else None
