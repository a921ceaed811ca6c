"""A filter set's filters as the parameters of an operation that reads them itself."""

from __future__ import annotations

from typing import Any

from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiParameter

TYPES: tuple[tuple[type[filters.Filter], dict[str, Any]], ...] = (
    (filters.NumberFilter, {"type": "integer"}),
    (filters.BooleanFilter, {"type": "boolean"}),
    (filters.IsoDateTimeFilter, {"type": "string", "format": "date-time"}),
)


def parameters_of(wanted: type[filters.FilterSet]) -> list[OpenApiParameter]:
    """One for each, with its label for its description."""
    return [_parameter(name, one) for name, one in wanted.base_filters.items()]


def _parameter(name: str, one: filters.Filter) -> OpenApiParameter:
    choices = [value for value, _ in one.extra.get("choices", ())] or None
    schema = next((schema for kind, schema in TYPES if isinstance(one, kind)), {"type": "string"})
    return OpenApiParameter(name, dict(schema), description=one.extra.get("label") or one._label or "", enum=choices)
