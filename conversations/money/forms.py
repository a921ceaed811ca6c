"""The forms of prices and budgets. The services judge what is typed."""

from __future__ import annotations

from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from conversations.models import Budget, Period, Price, Scope
from conversations.money.keeping import of_whom
from echoadmin.service_forms import ServiceForm

PLAIN = {"autocomplete": "off"}


def _text(**attributes: Any) -> UnfoldAdminTextInputWidget:
    return UnfoldAdminTextInputWidget(attrs={**PLAIN, **attributes})


class PriceForm(ServiceForm):
    """A price and its first moment."""

    valid_from = forms.CharField(
        label="From (UTC)",
        widget=_text(placeholder="2026-12-01T00:00:00Z", autofocus=True),
        help_text="A day, or a moment. In the past: what ended since is reckoned anew.",
    )
    per_minute = forms.CharField(label="A minute costs", widget=_text(inputmode="decimal"))
    currency = forms.CharField(required=False, widget=_text(), help_text="Empty: as the price that is in force.")
    minimum = forms.CharField(
        label="A conversation costs at least", required=False, widget=_text(inputmode="decimal"), help_text="Or empty."
    )

    @staticmethod
    def of_row(row: Price) -> dict[str, Any]:
        """A price as it would be typed."""
        return {
            "valid_from": row.valid_from.isoformat().replace("+00:00", "Z"),
            "per_minute": f"{row.per_minute.normalize():f}",
            "currency": row.currency,
            "minimum": "" if row.minimum is None else f"{row.minimum.normalize():f}",
        }


class BudgetForm(ServiceForm):
    """What counts, how much it may be, and what happens then."""

    name = forms.CharField(widget=_text(autofocus=True))
    scope = forms.ChoiceField(label="Counts", choices=Scope.choices, widget=UnfoldAdminSelectWidget)
    of = forms.CharField(
        label="Of whom",
        required=False,
        widget=_text(),
        help_text="The persona's id, the user's name or the key's prefix; empty for all conversations.",
    )
    period = forms.ChoiceField(
        choices=Period.choices, initial=Period.MONTH, widget=UnfoldAdminSelectWidget, help_text="Of UTC."
    )
    amount = forms.CharField(widget=_text(inputmode="decimal"))
    currency = forms.CharField(required=False, widget=_text(), help_text="Empty: as the price that is in force.")
    warns_at = forms.IntegerField(
        label="Warns at (percent)", initial=80, widget=UnfoldAdminIntegerFieldWidget, help_text="Once in a period."
    )
    stops = forms.BooleanField(
        label="Stops",
        required=False,
        initial=True,
        widget=UnfoldBooleanWidget,
        help_text="Refuses a conversation for which there is no room. What runs goes on.",
    )
    ends = forms.BooleanField(
        label="Ends what runs",
        required=False,
        widget=UnfoldBooleanWidget,
        help_text="Once it is reached, all that counts for it and runs is ended, within a minute.",
    )

    @staticmethod
    def of_row(row: Budget) -> dict[str, Any]:
        """A budget as it would be typed."""
        own = {
            name: getattr(row, name) for name in ("name", "scope", "period", "currency", "warns_at", "stops", "ends")
        }
        return {**own, "of": of_whom(row), "amount": f"{row.amount:.2f}"}
