"""The pages of API keys: one's own, and for an admin everybody's."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from rest_framework_api_key.admin import APIKey as StockKey
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextInputWidget,
)

from echoadmin.accounts import keys
from echoadmin.accounts.acting import actor
from echoadmin.accounts.admin.people import ReviewedField
from echoadmin.accounts.limits import known_ids
from echoadmin.accounts.models import ApiKey
from echoadmin.accounts.roles import SCOPES, may
from echoadmin.pages import button, draw, log_address, require_role
from echoadmin.read_only import Facts, ReadOnlyAdmin, address
from echoadmin.shown import code, link, state, when

admin.site.unregister(StockKey)  # the package's own: nothing here is opened by those


class IdsField(forms.CharField):
    """Ids of rows, either kind, with blanks or commas between; cleaned to a list of ours."""

    def __init__(self, kind: str, words: str) -> None:
        self.kind = kind
        widget = UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false"})
        super().__init__(required=False, max_length=4000, widget=widget, help_text=words)

    def clean(self, value: Any) -> Any:
        """Raises ValidationError naming what is not there."""
        try:
            return known_ids(self.kind, super().clean(value).replace(",", " ").split())
        except ValidationError as error:
            raise ValidationError(error.messages) from None


class NewKeyForm(forms.Form):
    """A key for oneself; its text is shown once."""

    label = forms.CharField(
        max_length=50,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="What it is for, such as the program that uses it.",
    )
    scopes = forms.MultipleChoiceField(
        choices=[
            ("read", "read: see, hear, export"),
            ("speak", "speak: also say, interrupt, join, leave"),
            ("manage", "manage: also create, end, sync, which costs money"),
        ],
        initial=list(SCOPES),
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Never more than your own role allows.",
    )
    personas = IdsField("personas", "Ids, with blanks between. Only for these and their conversations; empty: for all.")
    conversations = IdsField("conversations", "Ids, with blanks between. For these too, or for these alone.")
    days = forms.IntegerField(
        label="Days",
        required=False,
        min_value=1,
        max_value=keys.LONGEST_DAYS,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="For how long it is valid; empty: until it is revoked.",
    )
    reviewed = ReviewedField("What is said with this key waits until a second person approves it.")


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """Keys for programs. Everybody sees and makes their own, an admin sees all."""

    list_display = ("name", "shown_state", "prefix", "shown_user", "shown_scopes", "shown_used", "shown_created")
    list_filter = ("revoked",)
    search_fields = ("name", "prefix")
    change_list_template = "admin/mirror_list.html"
    detail_template = "accounts/api_key.html"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request.user, "auditor")

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request).select_related("user")
        return rows if may(request.user, "admin") else rows.filter(user=request.user)

    def find(self, request: HttpRequest, object_id: str) -> ApiKey:
        row = self.get_queryset(request).filter(pk=object_id[:150]).first()
        if row is None:
            raise Http404(f"There is no API key {object_id[:40]!r} that you may see.")
        found: ApiKey = row
        return found

    @display(description="State")
    def shown_state(self, row: ApiKey) -> SafeString:
        """active, expired or revoked."""
        return state(row.state)

    @display(description="User", ordering="user__username")
    def shown_user(self, row: ApiKey) -> str:
        """Whose role it has."""
        return row.user.get_username()

    @display(description="Scopes")
    def shown_scopes(self, row: ApiKey) -> str:
        """What it may do of that."""
        return ", ".join(row.scopes)

    @display(description="Last used", ordering="last_used_at")
    def shown_used(self, row: ApiKey) -> SafeString:
        """When, to the minute."""
        return when(row.last_used_at)

    @display(description="Made", ordering="created")
    def shown_created(self, row: ApiKey) -> SafeString:
        """When it was made."""
        return when(row.created)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"add_words": "New API key"} | (extra_context or {}))

    def facts(self, request: HttpRequest, row: Any) -> Facts:
        return [
            ("State", self.shown_state(row)),
            ("Prefix", code(row.prefix)),
            ("User", self.shown_user(row)),
            ("Scopes", self.shown_scopes(row)),
            ("Limited to", str(row.limits) if row.limits else "nothing: all that its user may see"),
            ("Reviewed", "yes: what is said with it waits for a second person" if row.reviewed else "no"),
            ("Made", when(row.created)),
            ("Made by", row.created_by),
            ("Expires", when(row.expiry_date)),
            ("Replaced by", code(row.replaced_by) if row.replaced_by else ""),
            ("Last used", when(row.last_used_at)),
            ("Revoked", when(row.revoked_at)),
            ("What it did", link(log_address(api_key=row.prefix), "its entries in the log")),
        ]

    def custom_paths(self) -> list[Any]:
        return [
            ("<str:object_id>/change/revoke/", "revoke", self.revoke),
            ("<str:object_id>/change/rotate/", "rotate", self.rotate),
        ]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Make a key for oneself, and show it this once."""
        require_role(request, "auditor", "make an API key")
        form = NewKeyForm(request.POST or None)
        context: dict[str, Any] = {
            "title": "New API key",
            "crumb": ("API keys", reverse("admin:accounts_apikey_changelist")),
            "form": form,
        }
        if form.is_valid():
            return self._shown_once(request, context, *_make(request, form.cleaned_data))
        return draw(request, "accounts/new_key.html", context, 400 if form.errors else 200)

    def _shown_once(self, request: HttpRequest, context: dict[str, Any], row: ApiKey, text: str) -> HttpResponse:
        told = {"key": text, "row": row, "row_address": address(row)}
        return draw(request, "accounts/new_key.html", context | told, 201)

    @button("auditor", "rotate an API key")
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """A new text for a key, shown this once; the old one works for the stated time."""
        row = self.find(request, object_id)
        try:
            overlap = keys.overlap_of(request.POST.get("overlap", ""))
            fresh, text = keys.rotate_key(row, overlap=overlap, actor=actor(request))
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
            return redirect(address(row))
        context = {"title": f"{row.name}, rotated", "crumb": ("API keys", reverse("admin:accounts_apikey_changelist"))}
        return self._shown_once(request, context | {"old": ApiKey.objects.get(pk=row.pk)}, fresh, text)

    @button("auditor", "revoke an API key")
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """End a key for good."""
        row = self.find(request, object_id)
        keys.revoke_key(row, actor=actor(request))
        messages.success(request, f"{row.name} opens nothing any more.")
        return redirect(address(row))


def _make(request: HttpRequest, given: dict[str, Any]) -> tuple[ApiKey, str]:
    user = request.user
    assert isinstance(user, User)
    return keys.create_key(
        user=user,
        label=given["label"],
        scopes=given["scopes"],
        expires=timezone.now() + timedelta(days=given["days"]) if given["days"] else None,
        reviewed=given["reviewed"],
        personas=given["personas"],
        conversations=given["conversations"],
        actor=actor(request),
    )
