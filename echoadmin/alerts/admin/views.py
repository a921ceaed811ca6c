"""The pages of saved views: saved from the log, listed, renamed, shared, taken away."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.decorators import display

from echoadmin.accounts.acting import actor
from echoadmin.accounts.roles import ADMIN, may
from echoadmin.alerts import keeping
from echoadmin.alerts.admin.rows import PreparedAdmin, conversations_of, filter_words, named
from echoadmin.alerts.forms import ViewForm
from echoadmin.alerts.models import SavedView
from echoadmin.alerts.words import condition, rule_state
from echoadmin.log.naming import names
from echoadmin.log.pages.asked import Asked
from echoadmin.pages import button, log_address, require_role
from echoadmin.read_only import Facts, address
from echoadmin.service_forms import form_page
from echoadmin.shown import code, link, when

RULES = 50  # of a view, on its page


@admin.register(SavedView)
class SavedViewAdmin(PreparedAdmin):
    """One's own views of the log, and those that others share."""

    list_display = ("name", "shown_filters", "shown_shared", "owner", "shown_rules", "shown_log")
    search_fields = ("name", "owner")
    search_help_text = "Its name, or whose it is"
    change_list_template = "alerts/views.html"
    detail_template = "alerts/view.html"

    def get_queryset(self, request: HttpRequest) -> Any:
        """A view that is not shared is its owner's alone."""
        return keeping.visible_views(request.user.pk).annotate(rules_count=Count("rules"))

    def prepare(self, request: HttpRequest, rows: list[Any]) -> None:
        known = names(conversations_of(row.filters for row in rows))
        for row in rows:
            row.named = known

    @display(description="Filters")
    def shown_filters(self, row: Any) -> SafeString:
        """In words."""
        return filter_words(row.filters, row.named)

    @display(description="Seen by", ordering="shared")
    def shown_shared(self, row: SavedView) -> str:
        """Its owner, or everybody."""
        return "everybody" if row.shared else "you alone"

    @display(description="Rules", ordering="rules_count")
    def shown_rules(self, row: Any) -> str:
        """How many are on it."""
        return f"{row.rules_count:,}"

    @display(description="Log")
    def shown_log(self, row: SavedView) -> SafeString:
        """The log with these filters."""
        return link(log_address(**row.filters), "Open in the log")

    def facts(self, request: HttpRequest, row: SavedView) -> Facts:
        return [
            ("Shows", filter_words(row.filters, named(row.filters))),
            ("Seen by", self.shown_shared(row)),
            ("Owner", row.owner),
            ("Saved", when(row.created_at)),
            ("Changed", when(row.updated_at)),
            ("Id", code(row.public_id)),
        ]

    def more_context(self, request: HttpRequest, row: SavedView) -> dict[str, Any]:
        rules = row.rules.order_by("name", "id")[:RULES]
        return {
            "log": log_address(**row.filters),
            "may_change": _may_change(request, row),
            "may_add_rule": may(request.user, "operator"),
            "rules": [(rule, address(rule), rule_state(rule), condition(rule)) for rule in rules],
        }

    def custom_paths(self) -> list[Any]:
        one = "<str:object_id>/change/"
        return [(one + "edit/", "edit", self.edit_view), (one + "delete/", "take_away", self.take_away)]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Save the filters that the log's address had under a name, and go back there."""
        require_role(request, "auditor", "save a view")
        asked = Asked(request.POST if request.method == "POST" else request.GET)
        form = ViewForm(request.POST if request.method == "POST" else None)
        view = form.obey(lambda given: keeping.save_view(actor=actor(request), filters=asked.given, **given))
        if view is None:
            return form_page(
                request, form, "alerts/view_form.html", title="Save view", crumb=self.crumb(), back=asked.address(),
                button_words="Save view", filters=asked.given, words=filter_words(asked.given, named(asked.given)),
                has_times=asked.given.keys() & {"at_after", "at_before"},
            )  # fmt: skip
        messages.success(request, f"Saved as {view.name}.")
        return redirect(log_address(**view.filters))

    def edit_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Rename and share; its filters stay."""
        row = self.find(request, object_id)
        keeping.check_owner(actor(request), row)
        title = f"Edit {row.name}"
        form = ViewForm(
            request.POST if request.method == "POST" else None, initial={"name": row.name, "shared": row.shared}
        )
        saved = form.obey(lambda given: keeping.save_view(actor=actor(request), view=row, filters=row.filters, **given))
        if saved is not None:
            messages.success(request, f"{saved.name} is saved.")
            seen = saved.shared or saved.owner_id == request.user.pk  # an admin may have hidden another's
            return redirect(address(saved) if seen else "admin:alerts_savedview_changelist")
        back = address(row)
        return form_page(request, form, title=title, crumb=self.crumb(), back=back, button_words="Save")

    @button("auditor", "delete a view")
    def take_away(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """With its rules; alerts stay."""
        row = self.find(request, object_id)
        keeping.check_owner(actor(request), row)
        keeping.delete_view(actor=actor(request), view=row)
        messages.success(request, f"{row.name} is deleted.")
        return redirect("admin:alerts_savedview_changelist")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"log": reverse("admin:log_entry_changelist")} | (extra_context or {}))


def _may_change(request: HttpRequest, row: SavedView) -> bool:
    return row.owner_id == request.user.pk or may(request.user, ADMIN)
