"""The palette: any id that is pasted finds its page, any name an action. Apps say here what they find and offer.

A finder gets what was typed, as it was typed, and gives hits; it must be quick whatever was typed, since it is asked at
each key. A `late` one is asked only where no other has found the very thing: for what no index leads to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model, Q, QuerySet
from django.urls import NoReverseMatch, reverse

MOST = 5  # hits of one finder
LAST = 9
LONGEST = 200  # characters that are looked at


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed, and by whom."""

    text: str
    user: Any


@dataclass(frozen=True, slots=True)
class Hit:
    """A page that was found, or something that can be done. exact: what was typed is its id, not a part of its name.

    post: what the address is sent when it is chosen; None for a page that is opened. order: the place of what can be
    done, lowest first; LAST comes after all that was found.
    """

    kind: str
    words: str
    address: str
    detail: str = ""
    exact: bool = False
    post: dict[str, str] | None = field(default=None)
    order: int = 1


Finder = Callable[[Asked], Iterable[Hit]]


@dataclass(frozen=True, slots=True)
class Provider:
    """Who finds, and for which role."""

    find: Finder
    role: str
    late: bool


_providers: list[Provider] = []
_actions: list[Provider] = []


def finds(role: str = "auditor", *, late: bool = False) -> Callable[[Finder], Finder]:
    """Register a function that finds pages by what was typed."""

    def register(find: Finder) -> Finder:
        _providers.append(Provider(find, role, late))
        return find

    return register


def offers(role: str = "auditor") -> Callable[[Finder], Finder]:
    """Register a function that gives all that can be done; what fits what was typed is chosen from it."""

    def register(find: Finder) -> Finder:
        _actions.append(Provider(find, role, late=False))
        return find

    return register


def search(asked: Asked, may: Callable[[Any, str], bool]) -> list[Hit]:
    """The very thing first, then what can be done, then what is called like it. may: whether a user has a role."""
    allowed = [one for one in _providers if asked.text and may(asked.user, one.role)]
    found = [hit for one in allowed if not one.late for hit in one.find(asked)]
    if not any(hit.exact for hit in found):
        found += [hit for one in allowed if one.late for hit in one.find(asked)]
    exact = [hit for hit in found if hit.exact]
    actions = [hit for one in _actions if may(asked.user, one.role) for hit in one.find(asked)]
    fitting = sorted((hit for hit in actions if _fits(hit, asked.text)), key=lambda hit: _rank(hit, asked.text))
    last = [hit for hit in fitting if hit.order == LAST]
    return [*exact, *(hit for hit in fitting if hit.order != LAST), *(hit for hit in found if not hit.exact), *last]


def page_of(row: Model) -> str:
    """The page of a row, by its public id where it has one; "" where it has no page."""
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}_change"
    try:
        return reverse(name, args=[getattr(row, "public_id", None) or row.pk])
    except NoReverseMatch:
        return ""


def rows(found: QuerySet[Any], asked: Asked, *ids: str) -> Iterator[Hit]:
    """Rows as hits: named by themselves, with the id that was asked for beside it."""
    for row in found[:MOST]:
        own = [str(getattr(row, name) or "") for name in ids]
        detail = asked.text if asked.text in own else own[0]
        if where := page_of(row):
            exact = asked.text in own
            yield Hit(str(row._meta.verbose_name), str(row), where, detail if detail != str(row) else "", exact)


def by_ids(model: Any, asked: Asked, *ids: str) -> Iterator[Hit]:
    """The rows one of whose ids, each of them indexed, is exactly what was typed."""
    wanted = Q()
    for name in ids:
        wanted |= Q(**{name: asked.text})
    return rows(model._default_manager.filter(wanted), asked, *ids)


def _fits(hit: Hit, text: str) -> bool:
    """Each word that was typed begins one of its own."""
    own = f"{hit.words} {hit.kind} {hit.detail}".lower().replace("…", " ").split()
    parts = text.lower().replace("…", " ").split()
    return all(any(word.startswith(part) for word in own) for part in parts)


def _rank(hit: Hit, text: str) -> tuple[bool, int]:
    """What begins with it comes first."""
    return not hit.words.lower().startswith(text.lower()), hit.order
