"""The filters of the log: one set behind pages, REST and tails."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from django.db.models import Q
from django_filters import rest_framework as filters

from echoadmin.actors import Limits
from echoadmin.log.chain import canonical
from echoadmin.log.cursors import database_key
from echoadmin.log.models import Direction, Entry, EntryQuerySet, Kind, Stream
from echoadmin.log.search import Query, QueryError, best_search, parse
from echoadmin.log.times import bounds


class FilterError(ValueError):
    """A filter has a value that can't be. `fields` maps its name to what is wrong, in words."""

    def __init__(self, fields: dict[str, list[str]]) -> None:
        self.fields = fields
        super().__init__("; ".join(f"{name}: {' '.join(words)}" for name, words in fields.items()))


def _text(column: str, label: str) -> filters.CharFilter:
    return filters.CharFilter(field_name=column, max_length=200, label=label)


class EntryFilter(filters.FilterSet):
    """Every filter is exact; several narrow each other down. Empty values count as not given."""

    conversation = filters.CharFilter(method="by_stream", max_length=64, label="our id (cv_…), or 'account'")
    persona = _text("persona_ref", "our id (pe_…)")
    kind = filters.ChoiceFilter(choices=Kind.choices, label="what kind of entry")
    family = _text("family", "echo, speaking, utterance, presence, tool, context, room, other")
    event_type = _text("event_type", "as on the wire: conversation.utterance")
    direction = filters.ChoiceFilter(choices=Direction.choices, label="of app messages and webhooks")
    sender = _text("sender", "the participant's id in the room")
    actor = _text("actor", "who did it")
    api_key = _text("api_key_ref", "the API key that it was done with")
    inference_id = _text("inference_id", "as on the wire")
    echo = filters.NumberFilter(field_name="echo_id", label="our echo's number", min_value=0, max_value=2**63 - 1)
    is_error = filters.BooleanFilter(label="failed calls, sends, joins, webhooks")
    at_after = filters.IsoDateTimeFilter(method="leave", label="happened at this time or later (ISO 8601)")
    at_before = filters.IsoDateTimeFilter(method="leave", label="happened before this time (ISO 8601)")
    text = filters.CharFilter(
        method="by_text", label='words that were said, "in a row", begi*, field:value in a message'
    )

    stream_id: int | None = None  # of the conversation asked for; 0 where there is none such
    query: Query | None = None  # what `text` asks for

    class Meta:
        model = Entry
        fields: list[str] = []

    def by_stream(self, queryset: EntryQuerySet, name: str, value: str) -> EntryQuerySet:
        """Within one stream, pages are ordered by n: an index has that order, and none has it by id."""
        stream_id = Stream.objects.filter(public_id=value).values_list("id", flat=True).first()
        queryset = queryset.filter(stream=stream_id or 0)
        queryset.key = "n"
        self.stream_id = stream_id or 0
        return queryset

    def by_text(self, queryset: EntryQuerySet, name: str, value: str) -> EntryQuerySet:
        """Raises FilterError for a query that can't be understood."""
        try:
            self.query = parse(value)
        except QueryError as error:
            raise FilterError({name: [str(error)]}) from None
        return queryset

    def leave(self, queryset: EntryQuerySet, name: str, value: Any) -> EntryQuerySet:
        """Times are dealt with when all filters are known."""
        return queryset

    def filter_queryset(self, queryset: EntryQuerySet) -> EntryQuerySet:
        """The filtered entries, with their fingerprint, their order, and how the text index finds them."""
        queryset = super().filter_queryset(queryset)
        given = given_of(self.form.cleaned_data)
        if search := best_search(self.query, given):
            queryset.key = "id"  # the index has no other order
        low, high = self._span(queryset, given.get("at_after"), given.get("at_before"))
        queryset = self._within(queryset, low, high, given)
        if search:
            queryset = search.beside(queryset, low, high)
        told = canonical([given, database_key()])
        queryset.fingerprint = sha256(told.encode("ascii")).hexdigest()[:12]
        return queryset

    def _span(self, queryset: EntryQuerySet, after: Any, before: Any) -> tuple[int | None, int | None]:
        if after is None and before is None:
            return None, None
        check_range(after, before)
        return bounds(self.stream_id if queryset.key == "n" else None, after, before)

    def _within(
        self, queryset: EntryQuerySet, low: int | None, high: int | None, given: dict[str, Any]
    ) -> EntryQuerySet:
        wanted = {
            f"{queryset.key}__gte": low,
            f"{queryset.key}__lt": high,
            "at__gte": given.get("at_after"),
            "at__lt": given.get("at_before"),
        }
        wanted = {lookup: value for lookup, value in wanted.items() if value is not None}
        return queryset.filter(**wanted) if wanted else queryset


def filtered(params: Mapping[str, Any], limits: Limits | None = None) -> EntryQuerySet:
    """The entries that fit, and lie within the limits of who asks; parameters of other names are left alone.

    Raises FilterError.
    """
    found: EntryQuerySet = _valid(params).qs
    return found if limits is None else found.filter(within(limits))


def within(limits: Limits) -> Q:
    """The entries that a limited key may read: of its personas, and of its conversations."""
    return Q(persona_ref__in=limits.personas) | Q(conversation_ref__in=limits.conversations)


def given_filters(params: Mapping[str, Any]) -> dict[str, Any]:
    """The filters that are given, by name, as values of their kinds. Raises FilterError as filtered() does."""
    wanted = _valid(params)
    given = given_of(wanted.form.cleaned_data)
    if "text" in given:
        wanted.by_text(Entry.objects.none(), "text", given["text"])
    check_range(given.get("at_after"), given.get("at_before"))
    return given


def given_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without those that are empty."""
    return {name: value for name, value in values.items() if value not in (None, "")}


def check_range(after: datetime | None, before: datetime | None) -> None:
    """Raises FilterError for a range that ends before it starts."""
    if after is not None and before is not None and after >= before:
        raise FilterError({"at_before": ["must be later than at_after"]})


def _valid(params: Mapping[str, Any]) -> EntryFilter:
    wanted = EntryFilter(params, queryset=Entry.objects.all())
    if not wanted.is_valid():
        raise FilterError({name: [str(word) for word in words] for name, words in wanted.errors.items()})
    return wanted


FILTERS = tuple(EntryFilter.base_filters)
