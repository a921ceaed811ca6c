"""The pages of prices, of budgets, and of what it all comes to."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display

from conversations.models import Budget, Price
from conversations.models.price import read_rates
from conversations.money import keeping
from conversations.money.asking import month_asked
from conversations.money.budgets import Standing, standings
from conversations.money.forms import BudgetForm, PriceForm
from conversations.money.page import money_context
from conversations.money.rows import csv_of
from echoadmin.accounts.acting import actor
from echoadmin.accounts.recording import record
from echoadmin.accounts.roles import may
from echoadmin.pages import button, draw, require_role
from echoadmin.read_only import Facts, ReadOnlyAdmin, address
from echoadmin.service_forms import form_page
from echoadmin.shown import NOTHING, code, money, state, when
from echoadmin.streaming import streamed


class KeptAdmin(ReadOnlyAdmin):
    """Rows that managers keep by forms of their own; each change is in the log."""

    change_list_template = "admin/mirror_list.html"
    detail_template = "conversations/money/kept.html"
    add_words, one = "", ""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request.user, "manager")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"add_words": self.add_words} | (extra_context or {}))

    def more_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}"
        return {
            "may_change": may(request.user, "manager"),
            "one": self.one,
            "edit_address": reverse(f"{name}_edit", args=[row.public_id]),
            "delete_address": reverse(f"{name}_take_away", args=[row.public_id]),
        }

    def custom_paths(self) -> list[Any]:
        each = "<str:object_id>/change/"
        return [(each + "edit/", "edit", self.edit_view), (each + "delete/", "take_away", self.take_away)]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """A new one."""
        require_role(request, "manager", f"make a {self.one}")
        return self._form(request, None)

    def edit_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Another amount, another time."""
        require_role(request, "manager", f"change a {self.one}")
        return self._form(request, self.find(request, object_id))

    def _form(self, request: HttpRequest, row: Any) -> HttpResponse:
        form = self.form_for(request.POST if request.method == "POST" else None, row)
        saved = form.obey(lambda given: self.save(actor(request), row, given))
        if saved is not None:
            messages.success(request, f"{saved} is saved.")
            return redirect(address(saved))
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"
        title, back = (f"Edit {row}", address(row)) if row else (f"New {self.one}", reverse(name))
        return form_page(request, form, back=back, title=title, button_words="Save", crumb=self.crumb())

    def form_for(self, posted: Any, row: Any) -> Any:
        """The form, filled with a row's own values."""
        raise NotImplementedError

    def save(self, who: Any, row: Any, given: dict[str, Any]) -> Any:
        """What the form makes."""
        raise NotImplementedError

    def delete(self, who: Any, row: Any) -> None:
        """Take it away."""
        raise NotImplementedError

    @button("manager", "delete it")
    def take_away(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """The button behind the question."""
        row = self.find(request, object_id)
        self.delete(actor(request), row)
        messages.success(request, f"{row} is deleted.")
        return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")


@admin.register(Price)
class PriceAdmin(KeptAdmin):
    """What a minute costs, from when on; and the page that says what it came to."""

    list_display = ("shown_from", "shown_price", "shown_minimum", "created_by", "shown_made")
    list_display_links = ("shown_from",)
    ordering = ("-valid_from",)
    add_words, one = "New price", "price"

    @display(description="From", ordering="valid_from")
    def shown_from(self, row: Price) -> SafeString:
        """Its first moment."""
        return when(row.valid_from)

    @display(description="A minute", ordering="per_minute")
    def shown_price(self, row: Price) -> str:
        """Exactly."""
        return f"{row.per_minute.normalize():f} {row.currency}"

    @display(description="At least", ordering="minimum")
    def shown_minimum(self, row: Price) -> Any:
        """Of any conversation."""
        return NOTHING if row.minimum is None else f"{row.minimum.normalize():f} {row.currency}"

    @display(description="Made", ordering="created_at")
    def shown_made(self, row: Price) -> SafeString:
        """When somebody wrote it."""
        return when(row.created_at)

    def facts(self, request: HttpRequest, row: Any) -> Facts:
        return [
            ("From", when(row.valid_from)),
            ("A minute", self.shown_price(row)),
            ("A conversation, at least", self.shown_minimum(row)),
            ("Made by", row.created_by),
            ("Made", when(row.created_at)),
            ("Id", code(row.public_id)),
        ]

    def form_for(self, posted: Any, row: Any) -> Any:
        return PriceForm(posted, initial=PriceForm.of_row(row) if row else {})

    def save(self, who: Any, row: Any, given: dict[str, Any]) -> Any:
        return keeping.save_price(actor=who, price=row, **given)

    def delete(self, who: Any, row: Any) -> None:
        keeping.delete_price(actor=who, price=row)

    def custom_paths(self) -> list[Any]:
        own = [("money/", "money", self.money_view), ("money/export/", "export", self.export_view)]
        return [*super().custom_paths(), *own]

    def money_view(self, request: HttpRequest) -> HttpResponse:
        """What it all comes to: today, the month, by day, persona and creator, the budgets, and what runs."""
        require_role(request, "auditor", "see costs")
        days = month_asked(_month(request))
        return draw(request, "conversations/money/money.html", {"title": "Money", **money_context(request, days)})

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """The month as CSV, streamed."""
        require_role(request, "auditor", "see costs")
        days = month_asked(_month(request))
        record("costs.exported", actor(request), {"month": f"{days[0]:%Y-%m}"})
        name = f"costs-{days[0]:%Y-%m}.csv"
        headers = {
            "Content-Type": "text/csv; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        }
        return streamed(request, csv_of(days, read_rates()), 200, headers)


@admin.register(Budget)
class BudgetAdmin(KeptAdmin):
    """How much may be spent, and what happens then."""

    list_display = ("name", "whose", "period", "shown_amount", "warns_at", "stops", "ends")
    list_select_related = ("persona", "user", "key")
    add_words, one = "New budget", "budget"

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("persona", "user", "key")

    @display(description="Amount", ordering="amount")
    def shown_amount(self, row: Budget) -> str:
        """In its own currency."""
        return f"{row.amount:,.2f} {row.currency}"

    def facts(self, request: HttpRequest, row: Any) -> Facts:
        [standing] = standings([row], read_rates(), timezone.now())
        return [("State", state(standing.state)), *standing_facts(standing), ("Id", code(row.public_id))]

    def form_for(self, posted: Any, row: Any) -> Any:
        return BudgetForm(posted, initial=BudgetForm.of_row(row) if row else {})

    def save(self, who: Any, row: Any, given: dict[str, Any]) -> Any:
        return keeping.save_budget(actor=who, budget=row, **given)

    def delete(self, who: Any, row: Any) -> None:
        keeping.delete_budget(actor=who, budget=row)


def standing_facts(standing: Standing) -> Facts:
    """A budget in words."""
    row = standing.budget
    then = ["refuses further conversations"] if row.stops else ["only warns"]
    return [
        ("Counts", row.whose),
        ("Amount", f"{row.amount:,.2f} {row.currency} a {row.period}"),
        ("Spent", f"{money(standing.spent, row.currency)}, {standing.percent} %"),
        ("Left", money(standing.left, row.currency)),
        ("Running", standing.running),
        ("They will cost yet, at most", money(standing.still, row.currency)),
        ("Warns at", f"{row.warns_at} %"),
        ("When it is reached it", " and ".join(then + (["ends what runs"] if row.ends else []))),
        ("Since", when(standing.since)),
        ("Until", when(standing.until)),
        ("Made by", row.created_by),
    ]


def _month(request: HttpRequest) -> str:
    text = request.GET.get("month", "")
    try:
        month_asked(text)
    except ValidationError:  # an address that was typed: this month is a good answer
        return ""
    return text
