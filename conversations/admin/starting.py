"""Start talking, by page: one button for all of it, and one for each step of an empty console."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect

from conversations.admin.page_parts import PagePart
from conversations.models import Conversation
from conversations.services import starting
from echoadmin.accounts.acting import actor
from echoadmin.form_tokens import make_once
from echoadmin.mirror.models import Mirrored
from echoadmin.pages import button
from echoadmin.read_only import address
from personas.forms import OnceForm
from personas.models import Persona


class StartingPart(PagePart):
    """The buttons that make what one needs before the first line."""

    def page_paths(self) -> list[Any]:
        """Of no conversation: it is made by them."""
        return [
            *super().page_paths(),
            ("start/", "start", self.start),
            ("start/persona/", "start_persona", self.start_persona),
            ("start/conversation/", "start_conversation", self.start_conversation),
        ]

    @button("manager", "start a conversation: it costs money")
    def start(self, request: HttpRequest) -> HttpResponseBase:
        """Persona, conversation and join at once; leads to where one speaks."""
        who = actor(request)
        made = self._once(request, Conversation, lambda ref: starting.start_talking(actor=who, public_id=ref))
        return redirect(address(made)) if made else redirect("admin:index")

    @button("manager", "make a persona")
    def start_persona(self, request: HttpRequest) -> HttpResponseBase:
        """The first step alone."""
        who = actor(request)
        self._once(request, Persona, lambda ref: starting.start_persona(actor=who, public_id=ref))
        return redirect("admin:index")

    @button("manager", "start a conversation: it costs money")
    def start_conversation(self, request: HttpRequest) -> HttpResponseBase:
        """The second step alone."""
        who = actor(request)
        self._once(request, Conversation, lambda ref: starting.start_conversation(actor=who, public_id=ref))
        return redirect("admin:index")

    def _once(self, request: HttpRequest, model: type[Mirrored], make: Callable[[str], Any]) -> Any:
        """What the button makes, or has made already; None, and the reasons at the top of the next page."""
        form = OnceForm(request.POST)
        made = make_once(request, form, model, make) if form.is_valid() else None
        for words in [] if made else form.errors.values():
            messages.error(request, " ".join(str(word) for word in words))
        return made
