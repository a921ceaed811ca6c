"""The form of a subscription. The service judges what is typed."""

from __future__ import annotations

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextInputWidget

from echoadmin.deliveries.publishing import EVENT_TYPES, families
from echoadmin.service_forms import ServiceForm


class SubscriptionForm(ServiceForm):
    """Where to, and what."""

    url = forms.CharField(
        label="URL",
        widget=UnfoldAdminTextInputWidget(
            attrs={"autocomplete": "off", "spellcheck": "false", "inputmode": "url", "placeholder": "https://…"}
        ),
        help_text="What happens here is POSTed to it, signed.",
    )
    event_types = forms.MultipleChoiceField(
        label="Event types",
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="None ticked: all of them, those that come with later versions too.",
    )
    conversation = forms.CharField(
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false", "placeholder": "cv_…"}),
        help_text="Only what is of this conversation, by this console’s own id. Empty: of all.",
    )
    persona = forms.CharField(
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false", "placeholder": "pe_…"}),
        help_text="Only what is of this persona’s conversations. Empty: of all.",
    )
    description = forms.CharField(
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="For people, such as who reads it.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["event_types"]
        assert isinstance(field, forms.MultipleChoiceField)
        whole = [(name, f"{name}: all that begin so, later ones too") for name in families()]
        field.choices = [*whole, *((name, f"{name}: {what}") for name, what in sorted(EVENT_TYPES.items()))]
