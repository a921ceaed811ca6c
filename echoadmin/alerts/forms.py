"""The forms of saved views and of rules. The services judge what is typed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from echoadmin.alerts.models import SavedView
from echoadmin.service_forms import ServiceForm


class ViewForm(ServiceForm):
    """A view's name, and who sees it."""

    name = forms.CharField(widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "autofocus": True}))
    shared = forms.BooleanField(
        label="Shared",
        required=False,
        widget=UnfoldBooleanWidget,
        help_text="Everybody here sees it, and may put rules on it. Only you, or an admin, change it.",
    )


class RuleForm(ServiceForm):
    """When a view's entries raise an alert."""

    view = forms.ChoiceField(widget=UnfoldAdminSelectWidget, help_text="Entries that it shows are what counts.")
    name = forms.CharField(
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}), help_text="What an alert is called."
    )
    threshold = forms.IntegerField(
        label="Entries",
        initial=1,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="1: any entry raises an alert, each conversation its own. More: so many of them within the window, "
        "over all conversations.",
    )
    window = forms.IntegerField(
        label="Window (seconds)",
        initial=300,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="What comes within it after an alert is counted in that alert, until somebody acknowledges it.",
    )
    enabled = forms.BooleanField(
        label="Enabled",
        required=False,
        initial=True,
        widget=UnfoldBooleanWidget,
        help_text="It begins with the entries that come from then on.",
    )

    def __init__(self, *args: Any, views: Iterable[SavedView], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.views = {view.public_id: view for view in views}
        field = self.fields["view"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(key, view.name) for key, view in self.views.items()]

    def clean_view(self) -> SavedView:
        """The view itself."""
        return self.views[self.cleaned_data["view"]]
