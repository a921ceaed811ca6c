"""Forms whose judge is a service: what it refuses is told beside the field that it is about, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse

from echoadmin.pages import draw

T = TypeVar("T")


class ServiceForm(forms.Form):
    """Reads what was typed; whether it can be, the service says."""

    def obey(self, do: Callable[[dict[str, Any]], T]) -> T | None:
        """What `do` makes of the form's values; None where the form was not sent, or was refused."""
        if not self.is_valid():
            return None
        try:
            return do(self.cleaned_data)
        except ValidationError as error:
            self.blame(error)
            return None

    def blame(self, error: ValidationError) -> None:
        """Puts the words beside the fields they name; those of no field of this form at its top, with the name."""
        named = error.message_dict if hasattr(error, "error_dict") else {"": error.messages}
        for name, words in named.items():
            own = name in self.fields
            for word in words:
                self.add_error(name if own else None, word if own or not name else f"{name}: {word}")


def form_page(
    request: HttpRequest, form: forms.Form, template: str = "echoadmin/form.html", **context: Any
) -> HttpResponse:
    """The page of such a form. context: title, crumb, button_words, back (an address)."""
    return draw(request, template, {"form": form, **context}, 400 if form.errors else 200)
