"""The pages of rules: which entries raise an alert, when the rule last looked, and why it can't."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.defaultfilters import truncatechars
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from unfold.decorators import display

from echoadmin.accounts.acting import actor
from echoadmin.accounts.roles import may
from echoadmin.alerts import keeping
from echoadmin.alerts.admin.rows import PreparedAdmin, filter_words, named
from echoadmin.alerts.forms import RuleForm
from echoadmin.alerts.models import Rule, SavedView
from echoadmin.alerts.words import condition, rule_state, span
from echoadmin.pages import button, require_role
from echoadmin.read_only import Facts, address, known
from echoadmin.service_forms import form_page
from echoadmin.shown import code, link, when

FIELDS = ("name", "threshold", "window", "enabled")


@admin.register(Rule)
class RuleAdmin(PreparedAdmin):
    """What raises alerts."""

    list_display = ("name", "shown_state", "shown_view", "shown_condition", "shown_looked", "shown_error")
    list_filter = ("enabled",)
    search_fields = ("name", "view__name")
    search_help_text = "Its name, or its view’s"
    change_list_template = "admin/mirror_list.html"
    detail_template = "alerts/rule.html"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request.user, "operator")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("view")

    def prepare(self, request: HttpRequest, rows: list[Any]) -> None:
        for row in rows:
            row.view_address = _view_address(request, row.view)

    @display(description="State", ordering="enabled")
    def shown_state(self, row: Rule) -> SafeString:
        """active, off or error."""
        return rule_state(row)

    @display(description="View", ordering="view__name")
    def shown_view(self, row: Any) -> SafeString | str:
        """A link, where the visitor may see it."""
        return link(row.view_address, row.view.name) if row.view_address else row.view.name

    @display(description="Raises an alert at")
    def shown_condition(self, row: Rule) -> str:
        """In words."""
        return condition(row)

    @display(description="Last looked", ordering="looked_at")
    def shown_looked(self, row: Rule) -> SafeString:
        """When."""
        return when(row.looked_at)

    @display(description="Can’t look because")
    def shown_error(self, row: Rule) -> str:
        """The start of it."""
        return truncatechars(row.error, 80)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"add_words": "New rule"} | (extra_context or {}))

    def facts(self, request: HttpRequest, row: Any) -> Facts:
        view_address = _view_address(request, row.view)
        told: Facts = [
            ("State", rule_state(row)),
            ("View", link(view_address, row.view.name) if view_address else row.view.name),
            ("Shows", filter_words(row.view.filters, named(row.view.filters))),
            ("Raises an alert at", condition(row)),
            ("Which takes in", f"what comes within {span(row.window)} after"),
            ("Last looked", when(row.looked_at)),
            ("Can’t look because", row.error),
            ("Made", when(row.created_at)),
            ("Made by", row.created_by),
            ("Id", code(row.public_id)),
        ]
        return known(told)

    def more_context(self, request: HttpRequest, row: Rule) -> dict[str, Any]:
        alerts = reverse("admin:alerts_alert_changelist")
        return {
            "may_change": may(request.user, "operator"),
            "alerts": f"{alerts}?{urlencode({'rule': row.public_id, 'state': 'all'})}",
        }

    def custom_paths(self) -> list[Any]:
        one = "<str:object_id>/change/"
        return [(one + "edit/", "edit", self.edit_view), (one + "delete/", "take_away", self.take_away)]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """A rule on a view; `?view=` names it."""
        require_role(request, "operator", "make a rule")
        views = keeping.visible_views(request.user.pk)
        posted = request.POST if request.method == "POST" else None
        form = RuleForm(posted, views=views, initial={"view": request.GET.get("view", "")})
        rule = form.obey(lambda given: keeping.save_rule(actor=actor(request), **given))
        if rule is not None:
            messages.success(request, f"{rule.name} looks from now on." if rule.enabled else f"{rule.name} is saved.")
            return redirect(address(rule))
        back = reverse("admin:alerts_rule_changelist")
        words = {"title": "New rule", "button_words": "Make the rule", "back": back, "crumb": self.crumb()}
        return form_page(request, form, "alerts/rule_form.html", **words)

    def edit_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Another view, name, threshold, window; on or off."""
        require_role(request, "operator", "change a rule")
        row = self.find(request, object_id)
        before = {name: getattr(row, name) for name in FIELDS}
        posted = request.POST if request.method == "POST" else None
        form = RuleForm(posted, views=_offered(request, row), initial={"view": row.view.public_id, **before})
        saved = form.obey(lambda given: keeping.save_rule(actor=actor(request), rule=row, **given))
        if saved is not None:
            messages.success(request, f"{saved.name} is saved.")
            return redirect(address(saved))
        words = {"title": f"Edit {before['name']}", "button_words": "Save", "back": address(row), "crumb": self.crumb()}
        return form_page(request, form, "alerts/rule_form.html", **words)

    @button("operator", "delete a rule")
    def take_away(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Its alerts stay."""
        row = self.find(request, object_id)
        keeping.delete_rule(actor=actor(request), rule=row)
        messages.success(request, f"{row.name} is deleted. Its alerts stay.")
        return redirect("admin:alerts_rule_changelist")


def _view_address(request: HttpRequest, view: SavedView) -> str:
    """Its page; empty for another's that is not shared."""
    return address(view) if view.shared or view.owner_id == request.user.pk else ""


def _offered(request: HttpRequest, row: Rule) -> list[SavedView]:
    """The views that the rule may be put on; the one that it is on, whosever that is."""
    mine = list(keeping.visible_views(request.user.pk))
    return mine if row.view in mine else [row.view, *mine]
