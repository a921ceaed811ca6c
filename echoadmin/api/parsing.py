"""JSON bodies: an object, of text that every database and Daily can take."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.parsers import JSONParser

DEEPEST = 60


class ObjectParser(JSONParser):
    """Raises ParseError (400) for what is no JSON object, ValidationError naming a text that can't be kept."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """The body as a dict; an empty body is {}."""
        if stream is not None and _is_empty(parser_context):
            return {}
        try:
            data = super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError("The JSON is nested too deep. Make it flatter.") from None
        return self.checked(data)

    def checked(self, data: Any) -> Any:
        """What was parsed, if the address takes it."""
        return check_object(data)


class ObjectsParser(ObjectParser):
    """An object, or an array of objects, of which each error names the one it is about: `items[3].text`."""

    def checked(self, data: Any) -> Any:
        """Raises as ObjectParser does."""
        if not isinstance(data, list):
            return check_object(data)
        for place, item in enumerate(data):
            if not isinstance(item, dict):
                raise ValidationError({f"items[{place}]": ['Is to be a JSON object, such as {"text": "Hello."}.']})
            _check(item, f"items[{place}]", DEEPEST)
        return data


def check_object(data: Any) -> dict[str, Any]:
    """`data` itself, when it is a JSON object of text that can be kept. Raises ParseError and ValidationError."""
    if not isinstance(data, dict):
        raise ParseError('The body is to be a JSON object, such as {"text": "Hello."}.')
    _check(data, "", DEEPEST)
    return data


class PatchParser(JSONParser):
    """A JSON Patch (RFC 6902): an array of operations. Raises as ObjectParser does."""

    media_type = "application/json-patch+json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """The operations, as a list."""
        try:
            data = super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError("The JSON is nested too deep. Make it flatter.") from None
        if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
            example = '[{"op": "replace", "path": "/persona_name", "value": "Ana"}]'
            raise ParseError(f"A JSON Patch is an array of operations, such as {example}.")
        _check(data, "", DEEPEST)
        return data


def _is_empty(parser_context: Any) -> bool:
    request = (parser_context or {}).get("request")
    return request is not None and request.META.get("CONTENT_LENGTH") in ("", "0", 0)


def _check(value: Any, path: str, levels: int) -> None:
    if levels == 0:
        raise ValidationError({path: ["Is nested too deep. Make it flatter."]})
    if isinstance(value, Mapping):
        for name, inner in value.items():
            _check_text(name, path or "body")
            _check(inner, f"{path}.{name}".lstrip("."), levels - 1)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            _check(inner, f"{path}.{place}", levels - 1)
    elif isinstance(value, str):
        _check_text(value, path)
    elif isinstance(value, float) and not math.isfinite(value):  # 1e400
        raise ValidationError({path: ["Holds a number that is too large. JSON's largest are about 1.8e308."]})


def _check_text(text: str, path: str) -> None:
    if "\0" in text:
        raise ValidationError({path: ["Holds the character NUL, which can't be kept. Remove it."]})
    if text.isascii():  # told in no time, also of ten minutes of base64
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        words = "Holds half of a surrogate pair, which is no character. Send valid Unicode."
        raise ValidationError({path: [words]}) from None
