"""The pages of alerts: what rules found, where to look at it, and who has seen it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from echoadmin.accounts.acting import actor
from echoadmin.accounts.roles import may
from echoadmin.alerts import keeping
from echoadmin.alerts.admin.rows import PreparedAdmin, filter_words, named
from echoadmin.alerts.models import Alert, Rule
from echoadmin.alerts.words import found_words
from echoadmin.log.chain import instant
from echoadmin.log.models import Stream
from echoadmin.log.naming import names
from echoadmin.log.pages.opened import conversation_page
from echoadmin.pages import back_to, button, log_address
from echoadmin.read_only import Facts, address, known
from echoadmin.shown import NOTHING, code, link, state, when

AT_ONCE = 500  # alerts that one press acknowledges
STATES = (("", "Open"), ("acknowledged", "Acknowledged"), ("all", "All"))


class ByState(admin.SimpleListFilter):
    """Open ones, unless others are asked for."""

    title = "state"
    parameter_name = "state"
    template = "alerts/parts/tabs.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        """Beside the open ones."""
        return STATES[1:]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        """Those in the state that was asked for."""
        if self.value() == "all":
            return queryset
        return queryset.filter(acknowledged_at__isnull=self.value() != "acknowledged")

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """The tabs of the list."""
        for value, words in STATES:
            query = changelist.get_query_string({"state": value or None}, ["p"])
            yield {"selected": (self.value() or "") == value, "query_string": query, "display": words}


class ByRule(admin.SimpleListFilter):
    """One rule's, by its id: its page leads here."""

    title = "rule"
    parameter_name = "rule"
    template = "alerts/parts/rule_chip.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        """The one that is asked for."""
        wanted = request.GET.get("rule", "").replace("\0", "")[:32]
        rule = Rule.objects.filter(public_id=wanted).first() if wanted else None
        return [(wanted, rule.name if rule else f"{wanted}, which is not here any more")] if wanted else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        """Its alerts."""
        wanted = [value for value, _ in self.lookup_choices]
        return queryset.filter(rule__public_id__in=wanted) if wanted else queryset

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """The one, and the list without it."""
        query = changelist.get_query_string({}, ["p", "rule"])
        for _, words in self.lookup_choices:
            yield {"selected": True, "query_string": query, "display": words}


@admin.register(Alert)
class AlertAdmin(PreparedAdmin):
    """What rules found. The list grows without end, and is not counted."""

    paginator = InfinitePaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # they are counts
    list_filter = (ByState, ByRule)
    ordering = ("-id",)
    list_display = ("shown_rule", "shown_count", "event_type", "shown_conversation", "shown_first", "shown_last")
    list_display_links = ("shown_rule",)
    sortable_by = ()
    list_before_template = "alerts/parts/before.html"
    change_list_template = "alerts/alerts.html"
    detail_template = "alerts/alert.html"

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("rule")

    def get_list_display(self, request: HttpRequest) -> Any:
        """With what may be acknowledged, for those who may."""
        if may(request.user, "operator"):
            return ("shown_tick", *self.list_display, "shown_button")
        return (*self.list_display, "shown_seen")

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Its filters are tabs above the list, not a sheet beside it."""
        found = super().get_changelist_instance(request)
        found.has_filters = False
        return found

    def prepare(self, request: HttpRequest, rows: list[Any]) -> None:
        called = names({row.conversation_ref for row in rows if row.conversation_ref})
        for row in rows:
            row.named = called

    @display(description="Tick")
    def shown_tick(self, row: Alert) -> SafeString | str:
        """For several at once."""
        if row.acknowledged_at:
            return ""
        words = f"Tick {row.rule_name}, {row.public_id}"
        tick = '<input type="checkbox" class="ea-tick" name="alert" value="{}" aria-label="{}">'
        return format_html(tick, row.public_id, words)

    @display(description="Rule")
    def shown_rule(self, row: Alert) -> str:
        """As it was called."""
        return row.rule_name

    @display(description="Found")
    def shown_count(self, row: Alert) -> SafeString:
        """How much, and where it is in the log."""
        return link(found_address(row), found_words(row))

    @display(description="Conversation")
    def shown_conversation(self, row: Any) -> SafeString:
        """Where it was."""
        return _conversation(row, row.named)

    @display(description="First")
    def shown_first(self, row: Alert) -> SafeString:
        """When it began."""
        return when(row.first_at)

    @display(description="Last")
    def shown_last(self, row: Alert) -> SafeString:
        """When it was seen last."""
        return when(row.last_at)

    @display(description="State")
    def shown_seen(self, row: Alert) -> SafeString:
        """open, or who has seen it."""
        if row.acknowledged_at is None:
            return state("open")
        return format_html("{} <span class='ea-hint'>{}</span>", state("acknowledged"), row.acknowledged_by)

    @display(description="State")
    def shown_button(self, row: Alert) -> SafeString:
        """The button, or who has seen it."""
        if row.acknowledged_at is not None:
            return self.shown_seen(row)
        where = reverse("admin:alerts_alert_acknowledge", args=[row.public_id])
        words = f"Acknowledge {row.rule_name}, {row.public_id}"
        press = '<button class="ea-button ea-small-button" formaction="{}" aria-label="{}">Acknowledge</button>'
        return format_html(press, where, words)

    def facts(self, request: HttpRequest, row: Any) -> Facts:
        called = {**names({row.conversation_ref} - {""}), **named(row.filters)}
        told: Facts = [
            ("State", self.shown_seen(row)),
            ("Rule", link(address(row.rule), row.rule_name) if row.rule else f"{row.rule_name}, deleted since"),
            ("View", row.view_name),
            ("Filters", filter_words(row.filters, called)),
            ("Found", found_words(row)),
            ("The first is a", code(row.event_type)),
            ("Conversation", _conversation(row, called)),
            ("First", when(row.first_at)),
            ("Last", when(row.last_at)),
            ("Raised", when(row.raised_at)),
            ("Acknowledged", when(row.acknowledged_at)),
            ("By", row.acknowledged_by),
            ("Told to", link(_deliveries(row), "its deliveries")),
            ("Id", code(row.public_id)),
        ]
        return known(told)

    def more_context(self, request: HttpRequest, row: Alert) -> dict[str, Any]:
        return {
            "title": row.rule_name,
            "log": found_address(row),
            "may_acknowledge": row.acknowledged_at is None and may(request.user, "operator"),
        }

    def custom_paths(self) -> list[Any]:
        return [
            ("acknowledge/", "acknowledge_all", self.acknowledge_ticked),
            ("<str:object_id>/change/acknowledge/", "acknowledge", self.acknowledge),
        ]

    @button("operator", "acknowledge an alert")
    def acknowledge(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Somebody has seen it."""
        row = self.find(request, object_id)
        if not keeping.acknowledge(actor=actor(request), alerts=Alert.objects.filter(pk=row.pk)):
            messages.info(request, "It was acknowledged already.")
        return back_to(request, address(row))

    @button("operator", "acknowledge alerts")
    def acknowledge_ticked(self, request: HttpRequest) -> HttpResponseBase:
        """Several at once."""
        ticked = [one.replace("\0", "") for one in request.POST.getlist("alert")[:AT_ONCE]]
        count = keeping.acknowledge(actor=actor(request), alerts=Alert.objects.filter(public_id__in=ticked))
        if ticked:
            messages.success(request, f"{count:,} alert{'' if count == 1 else 's'} acknowledged.")
        else:
            messages.info(request, "None was ticked.")
        return back_to(request, reverse("admin:alerts_alert_changelist"))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        own = {"may_acknowledge": may(request.user, "operator"), "here": request.get_full_path()}
        return super().changelist_view(request, own | (extra_context or {}))


def found_address(row: Alert) -> str:
    """The log at exactly what it found: its filters, its conversation, its time, nothing folded."""
    filters = dict(row.filters)
    if row.conversation_ref:
        filters["conversation"] = row.conversation_ref
    elif row.rule is not None and row.rule.threshold == 1:  # each conversation has its own: this one is of none
        filters.setdefault("conversation", Stream.ACCOUNT)
    span = {"at_after": instant(row.first_at), "at_before": instant(row.last_at + timedelta(microseconds=1))}
    return log_address(**{**filters, **span, "noise": "1"})


def _conversation(row: Alert, called: Mapping[str, str]) -> SafeString:
    if not row.conversation_ref:
        return NOTHING
    words = called.get(row.conversation_ref, row.conversation_ref)
    page = conversation_page(row.conversation_ref)
    return link(page, words) if page else code(words)


def _deliveries(row: Alert) -> str:
    return f"{reverse('admin:deliveries_delivery_changelist')}?{urlencode({'q': row.public_id})}"
