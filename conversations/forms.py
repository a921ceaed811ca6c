"""The form that starts a paid conversation."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from personas.forms import OnceForm, ReplicaChoice, card_choices, json_object, ready_replicas
from personas.models import Persona

PERSONAS = 200  # offered in the list; others by ?persona=<either id>


class PersonaChoice(forms.ChoiceField):
    """A persona by its Tavus id; one that is not listed is fine when upstream knows it."""

    def valid_value(self, value: object) -> bool:
        return True


class NewConversationForm(OnceForm):
    """Persona, replica and limits; `body()` is what Tavus is sent."""

    persona = PersonaChoice(widget=UnfoldAdminSelectWidget, help_text="Only an echo persona says what you send.")
    name = forms.CharField(
        required=False,
        max_length=300,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="For people; may be empty.",
    )
    replica = ReplicaChoice(required=False, help_text="Who is seen and heard.")
    minutes = forms.IntegerField(
        label="Ends by itself after (minutes)",
        min_value=1,
        max_value=1440,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="The vendor's own clock: a limit to the cost even if this console is away.",
    )
    left_timeout = forms.IntegerField(
        label="Ends when everybody has left for (seconds)",
        min_value=0,
        max_value=86_400,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="With 0, a restart of this console would end the conversation.",
    )
    test_mode = forms.BooleanField(
        label="Dry run",
        required=False,
        widget=UnfoldBooleanWidget,
        help_text="Tavus checks the request and ends the conversation at once: no replica comes, nothing is billed.",
    )
    more = forms.CharField(
        label="More fields, as JSON",
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4, "spellcheck": "false"}),
        help_text='Merged into the body that Tavus is sent, such as {"audio_only": true}.',
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.replicas = ready_replicas()
        self._choices("replica", card_choices(self.replicas, "The persona's own"))
        self._choices("persona", self._personas())
        self.fields["minutes"].initial = settings.MAX_CALL_DURATION // 60
        self.fields["left_timeout"].initial = settings.PARTICIPANT_LEFT_TIMEOUT

    def _choices(self, name: str, choices: Any) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def _personas(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Echo personas first, one's own before the stock ones; then the others."""
        rows = Persona.objects.filter(state="live", upstream_id__isnull=False).order_by("-persona_type", "-id")
        listed = [(str(row.upstream_id), str(row), row.is_echo) for row in rows[:PERSONAS]]
        asked = self.initial.get("persona") or self.data.get("persona")
        if asked and asked not in {upstream_id for upstream_id, _, _ in listed}:
            listed.append((asked, asked, False))
        echo = [(upstream_id, words) for upstream_id, words, is_echo in listed if is_echo]
        others = [(upstream_id, words) for upstream_id, words, is_echo in listed if not is_echo]
        groups = [("Echo personas: say what you send", echo), ("Others: talk by themselves", others)]
        return [group for group in groups if group[1]]

    @property
    def has_personas(self) -> bool:
        """Whether there is anything to pick."""
        field = self.fields["persona"]
        return isinstance(field, forms.ChoiceField) and bool(field.choices)

    def clean_more(self) -> dict[str, Any]:
        """The further fields as a dict."""
        return json_object(self.cleaned_data["more"]) if self.cleaned_data["more"] else {}

    def body(self) -> dict[str, Any]:
        """What Tavus is sent."""
        given = self.cleaned_data
        body: dict[str, Any] = dict(given["more"])
        properties = dict(body.get("properties") or {}) if isinstance(body.get("properties") or {}, dict) else {}
        properties |= {"max_call_duration": given["minutes"] * 60, "participant_left_timeout": given["left_timeout"]}
        body |= {"persona_id": given["persona"], "properties": properties}
        if given["replica"]:
            body["replica_id"] = given["replica"]
        if given["name"]:
            body["conversation_name"] = given["name"]
        if given["test_mode"]:
            body["test_mode"] = True
        return body

    def field_of(self, upstream_name: str) -> str | None:
        """Upstream's names for the limits, beside those of every form."""
        own = {"max_call_duration": "minutes", "participant_left_timeout": "left_timeout"}
        return own.get(upstream_name.rsplit(".", 1)[-1]) or super().field_of(upstream_name)
