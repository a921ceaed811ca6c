"""The forms of the persona pages: an echo persona by its name, any other by its JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from echoadmin.tavus.errors import TavusError
from personas.models import READY, Replica

CARDS = 60  # replicas shown as cards; more are found by search

UPSTREAM_NAMES = {
    "persona_name": "name", "pal_name": "name", "conversation_name": "name",
    "default_replica_id": "replica", "default_face_id": "replica", "replica_id": "replica", "face_id": "replica",
    "replica_uuid": "replica", "persona_id": "persona", "pal_id": "persona",
}  # fmt: skip
"""Upstream's field → the form's."""


class OnceForm(forms.Form):
    """A form that is obeyed once: its hidden token names the one thing that it makes."""

    token = forms.CharField(widget=forms.HiddenInput, max_length=64)

    def blame(self, error: Exception) -> None:
        """Put upstream's words, or a refusal of ours, beside the fields they are about; the rest at the top."""
        from echoadmin.pages import words_of

        message, way_out = words_of(error)
        named: dict[str, list[str]] = dict(getattr(error, "fields", None) or {})
        field = str(getattr(error, "field", ""))
        if field and not named:
            named = {field: [message]}
        for name, wrongs in named.items():
            own = self.field_of(name)
            for wrong in wrongs:
                self.add_error(own, wrong if own else f"{name}: {wrong}")
        if not named or isinstance(error, TavusError):
            self.add_error(None, " ".join(part for part in (message, way_out) if part))

    def field_of(self, upstream_name: str) -> str | None:
        """The form's field that stands for upstream's `a` or `properties.a`; None when there is none."""
        last = upstream_name.rsplit(".", 1)[-1]
        for candidate in (UPSTREAM_NAMES.get(last), last):
            if candidate in self.fields:
                return candidate
        return None


def ready_replicas() -> list[Replica]:
    """Replicas that a conversation can be had with, one's own first."""
    rows = Replica.objects.filter(state="live", status__in=READY, upstream_id__isnull=False)
    return list(rows.order_by("-replica_type", "name")[:CARDS])


class ReplicaChoice(forms.ChoiceField):
    """One replica, picked from cards; the value is its Tavus id. One that is on no card is fine: upstream judges."""

    widget = forms.RadioSelect

    def valid_value(self, value: object) -> bool:
        return True  # upstream judges: a replica may be newer than our last sync


def card_choices(replicas: Iterable[Replica], none: str) -> list[tuple[str, str]]:
    """Choices for the cards, with the one for "none" first when it has words."""
    return ([("", none)] if none else []) + [(str(row.upstream_id), str(row)) for row in replicas]


class EchoPersonaForm(OnceForm):
    """One name, one replica: the pipeline mode and the transport layer are set right by the console."""

    name = forms.CharField(
        max_length=300,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "autofocus": True}),
        help_text="Also the replica's name in the room.",
    )
    replica = ReplicaChoice(label="Default replica", required=False, help_text="A conversation may name another one.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.replicas = ready_replicas()
        choice = self.fields["replica"]
        assert isinstance(choice, forms.ChoiceField)
        choice.choices = card_choices(self.replicas, "")
        if self.replicas:
            choice.initial = self.replicas[0].upstream_id


EXAMPLE = {
    "persona_name": "Interviewer",
    "pipeline_mode": "full",
    "system_prompt": "You are an interviewer. Ask one question at a time.",
    "default_replica_id": "re8e740a42",
}


class JsonPersonaForm(OnceForm):
    """Any persona: the body that Tavus is sent, as JSON."""

    body = forms.CharField(
        label="Body",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 16, "spellcheck": "false"}),
        help_text="Forwarded as it is to POST /v2/personas. Field names of both vocabularies are read.",
    )

    def clean_body(self) -> dict[str, Any]:
        """The body as a dict; says where the JSON breaks."""
        return json_object(self.cleaned_data["body"])

    def field_of(self, upstream_name: str) -> str | None:
        return None


class PatchPersonaForm(OnceForm):
    """A JSON Patch (RFC 6902) for a persona."""

    operations = forms.CharField(
        label="JSON Patch",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6, "spellcheck": "false"}),
        help_text='RFC 6902, such as [{"op": "replace", "path": "/persona_name", "value": "New name"}].',
    )

    def clean_operations(self) -> list[dict[str, Any]]:
        """The operations as a list of objects."""
        value = parsed(self.cleaned_data["operations"])
        if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
            raise forms.ValidationError("A JSON Patch is a list of objects with op, path and mostly value.")
        return value

    def field_of(self, upstream_name: str) -> str | None:
        return "operations"


def parsed(text: str) -> Any:
    """JSON, or a ValidationError that says in which line it breaks."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise forms.ValidationError(
            f"This is no JSON: {error.msg} in line {error.lineno}, column {error.colno}."
        ) from error
    except RecursionError as error:
        raise forms.ValidationError("This JSON is nested too deeply.") from error


def json_object(text: str) -> dict[str, Any]:
    """A JSON object, or a ValidationError."""
    value = parsed(text)
    if not isinstance(value, dict):
        raise forms.ValidationError("The body must be a JSON object: { … }.")
    return value
