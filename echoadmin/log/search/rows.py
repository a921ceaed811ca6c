"""From an entry to its row in the text index. What is put in is taken out by the same row, so it depends on nothing
but the entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from echoadmin.log.search.words import LONGEST_TEXT, body_facets, facet, words

# What a filter asks for as a facet: the filter's name, and the column that has its value.
FACETS = {
    "kind": "kind",
    "family": "family",
    "event_type": "event_type",
    "direction": "direction",
    "persona": "persona_ref",
    "sender": "sender",
    "actor": "actor",
    "api_key": "api_key_ref",
    "inference_id": "inference_id",
    "echo": "echo_id",
}
COLUMNS = ("id", "stream__public_id", *FACETS.values(), "is_error", "said", "body")


@dataclass(frozen=True, slots=True)
class Indexed:
    """An entry as the text index has it."""

    id: int
    words: list[str]
    facets: frozenset[int]


def indexed(values: tuple[Any, ...]) -> Indexed:
    """The row of an entry with the values of COLUMNS."""
    entry_id, stream, *columns, is_error, said, body = values
    facets = body_facets(body)
    facets.add(facet("conversation", stream or ""))
    facets.update(facet(name, str(value)) for name, value in zip(FACETS, columns, strict=True) if value is not None)
    if is_error:
        facets.add(facet("is_error", "true"))
    return Indexed(entry_id, words(said[:LONGEST_TEXT]) if said else [], frozenset(facets))
