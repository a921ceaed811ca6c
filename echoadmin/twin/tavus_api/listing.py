"""Paging and filters of the vendor's lists."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from ..refusals import Invalid

LARGEST_PAGE = 100


def page_of(request: web.Request, rows: list[dict[str, Any]], default_limit: int = 10) -> dict[str, Any]:
    """Return one page: ``{"data": […], "total_count": N}``; ``limit`` is 1 to 100, ``page`` counts from 1."""
    limit = _number(request.query, "limit", default_limit, 1, LARGEST_PAGE)
    # Tavus's own command line asks for page 0 and means the first.
    page = max(_number(request.query, "page", 1, 0, None), 1)
    return {"data": rows[(page - 1) * limit : page * limit], "total_count": len(rows)}


def flag(request: web.Request, name: str) -> bool:
    """Tell whether a query parameter such as ``verbose`` is set."""
    return request.query.get(name, "").lower() in ("1", "true", "yes")


def check_paging(request: web.Request) -> None:
    """Raise :class:`Invalid` for a ``limit`` or ``page`` that is no number in its range."""
    page_of(request, [])


def _number(query: Mapping[str, str], name: str, default: int, least: int, most: int | None) -> int:
    given = query.get(name)
    if given is None or given == "":
        return default
    try:
        number = int(given)
    except ValueError:
        raise Invalid({name: ["Not a valid integer."]}) from None
    if number < least or (most is not None and number > most):
        upper = f" and less than or equal to {most}" if most is not None else ""
        raise Invalid({name: [f"Must be greater than or equal to {least}{upper}."]})
    return number
