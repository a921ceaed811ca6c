"""Pages of {results, next, previous}: by cursor, never counted, the same speed at any depth."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.response import Response

PAGE = 50
LARGEST_PAGE = 200


class Pages(CursorPagination):
    """Newest first; `?limit=` up to 200; `next` and `previous` are whole URLs or null."""

    ordering = "-id"
    page_size = PAGE
    page_size_query_param = "limit"
    max_page_size = LARGEST_PAGE
    cursor_query_param = "cursor"

    def get_page_size(self, request: Any) -> int:
        """Raises ValidationError for a limit that is none, instead of giving another page than was asked for."""
        return limit_of(request.query_params.get("limit"))

    def decode_cursor(self, request: Any) -> Any:
        """Raises ValidationError for a cursor that did not come from here."""
        try:
            return super().decode_cursor(request)
        except NotFound:
            raise ValidationError(
                {"cursor": ["Is no cursor of this list. Take it from `next` or `previous`."]}
            ) from None

    def get_paginated_response(self, data: Any) -> Response:
        """results first, as people read them."""
        return Response({"results": data, "next": self.get_next_link(), "previous": self.get_previous_link()})

    def get_paginated_response_schema(self, schema: Any) -> dict[str, Any]:
        """The same for the OpenAPI document."""
        link = {"type": ["string", "null"], "format": "uri"}
        properties = {"results": schema, "next": link, "previous": link}
        return {"type": "object", "required": ["results", "next", "previous"], "properties": properties}


def limit_of(text: str | None, most: int = LARGEST_PAGE, default: int = PAGE) -> int:
    """The number that `?limit=` asks for. Raises ValidationError."""
    if text is None or text == "":
        return default
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        raise ValidationError({"limit": [f"Is a number from 1 to {most}."]})
    return int(text)


def number_of(text: str | None, name: str, default: int | None = None) -> int | None:
    """A whole number from 0 up in a query. Raises ValidationError naming the parameter."""
    if text is None or text == "":
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise ValidationError({name: ["Is a whole number from 0 up."]})
    return int(text)
