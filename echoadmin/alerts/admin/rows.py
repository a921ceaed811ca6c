"""What the lists of views, rules and alerts share: filters in words, with one query for the names of all rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from echoadmin.log.naming import names
from echoadmin.log.pages.asked import in_words
from echoadmin.read_only import ReadOnlyAdmin


class PreparedAdmin(ReadOnlyAdmin):
    """Its lists look things up once for all rows of a page."""

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """The list, its rows fetched and prepared."""
        found: ChangeList = super().get_changelist_instance(request)
        rows = list(found.result_list)
        self.prepare(request, rows)
        found.result_list = rows
        return found

    def prepare(self, request: HttpRequest, rows: list[Any]) -> None:
        """Put beside each row what its columns need."""


def conversations_of(filters: Iterable[Mapping[str, str]]) -> set[str]:
    """The conversations that filters name."""
    return {one["conversation"] for one in filters if one.get("conversation")}


def named(filters: Mapping[str, str]) -> Mapping[str, str]:
    """The names of what these filters alone name."""
    return names(conversations_of([filters]))


def filter_words(filters: Mapping[str, str], named: Mapping[str, str]) -> SafeString:
    """Filters in a line: "kind Webhook · went wrong yes"."""
    if not filters:
        return format_html('<span class="ea-hint">{}</span>', "everything")
    said = in_words(filters, named)
    parts = [(one.label, one.value if not one.at else _time(one.at, one.value)) for one in said]
    return format_html("<span>{}</span>", format_html_join(" · ", '<span class="ea-chip-label">{}</span> {}', parts))


def _time(at: str, words: str) -> SafeString:
    return format_html('<time datetime="{}">{}</time>', at, words)
