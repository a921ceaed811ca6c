"""`?fields=` and `?expand=` on reads: less of an object, or more."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from rest_framework import serializers
from rest_framework.exceptions import ValidationError


class Reference(serializers.CharField):
    """The id of an object that belongs to a row; the object itself where `?expand=` names this field.

    to: its serializer. row: the row's attribute that holds it, which the query has to bring along; by: its id there.
    """

    def __init__(self, *, to: type[serializers.Serializer[Any]], row: str, by: str = "public_id", **more: Any) -> None:
        super().__init__(source="*", read_only=True, **more)
        self.to, self.row, self.by = to, row, by

    def get_attribute(self, instance: Any) -> Any:
        """The object or its id; None where there is none."""
        related = getattr(instance, self.row, None)
        if related is None or self.field_name in self.context.get("expand", ()):
            return related
        return str(getattr(related, self.by))

    def to_representation(self, value: Any) -> Any:
        """As it is shown."""
        return value if isinstance(value, str) else dict(self.to(value).data)


class OnDemand(serializers.JSONField):
    """What can be large: one object has it, a list only where `?expand=` names it."""

    def __init__(self, **more: Any) -> None:
        super().__init__(required=False, **more)

    def get_attribute(self, instance: Any) -> Any:
        """Raises SkipField in a list that was not asked for it."""
        listed = isinstance(getattr(self.parent, "parent", None), serializers.ListSerializer)
        if listed and self.field_name not in self.context.get("expand", ()):
            raise serializers.SkipField
        return super().get_attribute(instance)


class ReferenceInDocument(OpenApiSerializerFieldExtension):
    """How the OpenAPI document tells it."""

    target_class = "echoadmin.api.shaping.Reference"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        """An id, or the object."""
        whole = auto_schema.resolve_serializer(self.target.to, direction).ref
        nothing = [{"type": "null"}] if self.target.allow_null else []
        return {"anyOf": [{"type": "string"}, whole, *nothing]}


@dataclass(frozen=True)
class Shape:
    """What a read shows: the names of its fields, and those of them that can be expanded."""

    names: tuple[str, ...]
    expandable: tuple[str, ...]


_shapes: dict[type[serializers.Serializer[Any]], Shape] = {}


def shape_of(view: Any) -> Shape | None:
    """Of a view that names its serializer in `serializer_class` or `shows`; None for a file or a report."""
    serializer = getattr(view, "shows", None) or getattr(view, "serializer_class", None)
    if serializer is None or not getattr(view, "shaped", True):
        return None
    if serializer not in _shapes:
        _shapes[serializer] = _read(serializer().fields)
    return _shapes[serializer]


def _read(fields: Mapping[str, Any]) -> Shape:
    expandable = tuple(name for name, field in fields.items() if isinstance(field, Reference | OnDemand))
    return Shape(tuple(fields), expandable)


@dataclass(frozen=True)
class Asked:
    """What a request asks for. `fields` empty: all of them."""

    fields: tuple[str, ...] = ()
    expand: tuple[str, ...] = ()

    def of(self, data: Any) -> Any:
        """An answer's data with the fields that were asked for: of one object, or of each in `results`."""
        if not self.fields:
            return data
        if "results" in data:
            return {**data, "results": [self._cut(row) for row in data["results"]]}
        return self._cut(data)

    def _cut(self, row: Any) -> dict[str, Any]:
        return {name: row[name] for name in self.fields if name in row}


NOTHING_ASKED = Asked()


def asked_of(params: QueryDict, shape: Shape | None) -> Asked:
    """Raises ValidationError for a name that there is not."""
    if shape is None:
        return NOTHING_ASKED
    fields = _names(params, "fields", shape.names, "There is no such field.")
    return Asked(fields, _names(params, "expand", shape.expandable, "This can't be expanded."))


def _names(params: QueryDict, name: str, known: Collection[str], words: str) -> tuple[str, ...]:
    given = [part.strip() for value in params.getlist(name) for part in value.split(",")]
    wanted = tuple(dict.fromkeys(part for part in given if part))
    if params.getlist(name) and not wanted:
        raise ValidationError({name: [f"Is one or more of {_listed(known)}, separated by commas."]})
    if strangers := [part for part in wanted if part not in known]:
        raise ValidationError({name: [f"{strangers[0][:80]!r}: {words} There are: {_listed(known)}."]})
    return wanted


def _listed(names: Collection[str] | Sequence[str]) -> str:
    return ", ".join(names) or "none here"
