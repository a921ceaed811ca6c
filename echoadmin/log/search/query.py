"""What people type into the search box, taken apart. Every term has to be there; anything can be typed.

`daft punk`: both words, anywhere. `"daft punk"`: one after the other. `danc*`: words that begin so. `status:404`: a
value in the message, whole (`name:"with spaces"`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from echoadmin.log.search.words import LONGEST_VALUE, facet, placed_words, words

LONGEST_QUERY = 500  # characters
MOST_TERMS = 20
SHORTEST_PREFIX = 2

_FIELD = re.compile(r"([A-Za-z_][\w.-]{0,63}):(?!//)(?=\S)")
_UNQUOTED = re.compile(r'[^\s"]+')
_QUOTED = re.compile(r'"([^"]*)"(\*?)')


class QueryError(ValueError):
    """A query that can't be understood; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that follow each other; of the last one only its beginning, if `prefix`."""

    words: tuple[str, ...]
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """What an entry must have to be found. Never empty."""

    phrases: tuple[Phrase, ...]
    facets: frozenset[int] = frozenset()


def parse(text: str) -> Query:
    """Raises QueryError."""
    if len(text) > LONGEST_QUERY:
        raise QueryError(f"is {len(text):,} characters long; search for at most {LONGEST_QUERY}")
    if text.count('"') % 2:
        raise QueryError('has a quotation mark that is not closed: write "two words" or leave it out')
    phrases: dict[Phrase, None] = {}
    facets: set[int] = set()
    for field, term, quoted in _terms(text):
        if field:
            facets.add(_facet(field, term))
        elif phrase := _phrase(term, quoted):
            phrases[phrase] = None
    if not phrases and not facets:
        raise QueryError("holds no word to search for: give letters or digits")
    if len(phrases) + len(facets) > MOST_TERMS:
        raise QueryError(f"holds over {MOST_TERMS} terms: leave some out")
    return Query(tuple(phrases), frozenset(facets))


def _terms(text: str) -> Iterator[tuple[str, str, bool]]:
    """(field or "", term, whether it was quoted)."""
    at = 0
    while at < len(text):
        field = ""
        if found := _FIELD.match(text, at):
            field, at = found[1], found.end()
        if found := _QUOTED.match(text, at):
            yield field, found[1] + found[2], True
        elif found := _UNQUOTED.match(text, at):
            yield field, found[0], False
        else:  # a blank
            at += 1
            continue
        at = found.end()


def _facet(field: str, value: str) -> int:
    if value.endswith("*"):
        raise QueryError(
            f"asks for {field}:{value[:20]}: a beginning with * can be searched for in words, not in fields"
        )
    if not value.strip() or len(value) > LONGEST_VALUE:
        raise QueryError(f"asks for a value of {field} that is empty or over {LONGEST_VALUE} characters long")
    return facet(field, value)


def _phrase(term: str, quoted: bool) -> Phrase | None:
    found = words(term)
    if not found:
        return None
    prefix = term.endswith("*") and found[-1].isascii() | (len(found[-1]) > 1)  # a character that is a word has no more
    if prefix and len(found[-1]) < SHORTEST_PREFIX:
        raise QueryError(f"asks for {term[:20]}: give at least {SHORTEST_PREFIX} letters before *")
    return Phrase(tuple(found), prefix)


def marked(text: str, query: Query) -> list[tuple[str, bool]]:
    """The text in pieces, each with whether it is a hit. Together they are the whole text."""
    placed = list(placed_words(text))
    hit = [False] * len(placed)
    for phrase in query.phrases:
        length = len(phrase.words)
        for at in range(len(placed) - length + 1):
            if _fits(phrase, [word for word, _, _ in placed[at : at + length]]):
                hit[at : at + length] = [True] * length
    pieces: list[tuple[str, bool]] = []
    end = 0
    for (_, start, stop), is_hit in zip(placed, hit, strict=True):
        if not is_hit:
            continue
        joined = bool(pieces) and pieces[-1][1] and _blank(text[end:start])
        if not joined and start > end:
            pieces.append((text[end:start], False))
        if joined:
            pieces[-1] = (pieces[-1][0] + text[end:stop], True)
        else:
            pieces.append((text[start:stop], True))
        end = stop
    if end < len(text):
        pieces.append((text[end:], False))
    return pieces


def _fits(phrase: Phrase, found: list[str]) -> bool:
    *first, last = phrase.words
    return found[:-1] == first and (found[-1].startswith(last) if phrase.prefix else found[-1] == last)


def _blank(text: str) -> bool:
    return not text.strip()
