"""The pages of users, roles and API keys."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from echoadmin.accounts import keys
from echoadmin.accounts.acting import actor
from echoadmin.accounts.models import ApiKey
from echoadmin.accounts.recording import record
from echoadmin.accounts.roles import REVIEWED, ROLES, SCOPES, forget_groups, may
from echoadmin.pages import button, draw, log_address, require_role
from echoadmin.read_only import Facts, ReadOnlyAdmin, address
from echoadmin.shown import code, link, state, when

admin.site.unregister(User)
admin.site.unregister(Group)

ROLE_WORDS = {
    "auditor": "auditor: reads, hears, exports",
    "operator": "operator: also speaks, interrupts, joins and leaves",
    "manager": "manager: also creates, ends and syncs, which costs money",
    "admin": "admin: also keeps users and keys, prunes and erases",
}
REVIEWED_WORDS = "what they say waits until a second person approves it"


class ForAdmins:
    """Only admins see and change these."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may(request.user, "admin")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request.user, "admin")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request.user, "admin")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request.user, "admin")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # a user is made inactive: the record goes on naming them


def set_role(user: User, role: str) -> None:
    """Give a user one role ("" takes it away), and with it the right to sign in to these pages."""
    user.groups.remove(*user.groups.filter(name__in=ROLES))
    if role:
        user.groups.add(Group.objects.get_or_create(name=role)[0])
    forget_groups(user)
    user.is_staff = bool(role) or user.is_superuser
    user.save(update_fields=["is_staff"])


def set_reviewed(user: User, reviewed: bool) -> None:
    """Put the mark on a user, or take it off; it is beside the role, and no role takes it away."""
    mark = Group.objects.get_or_create(name=REVIEWED)[0]
    if reviewed:
        user.groups.add(mark)
    else:
        user.groups.remove(mark)
    forget_groups(user)


class RoleField(forms.ChoiceField):
    """One role, or none."""

    def __init__(self) -> None:
        choices = [("", "no role: can't sign in here"), *ROLE_WORDS.items()]
        super().__init__(choices=choices, required=False, widget=UnfoldAdminSelectWidget)


class ReviewedField(forms.BooleanField):
    """The mark, beside the role."""

    def __init__(self, words: str) -> None:
        super().__init__(required=False, widget=UnfoldBooleanSwitchWidget, help_text=words)


class NewUserForm(UserCreationForm):
    """Name, password, role."""

    role = RoleField()
    reviewed = ReviewedField(f"{REVIEWED_WORDS.capitalize()}.")


class UserForm(UserChangeForm):
    """The user with their role."""

    role = RoleField()
    reviewed = ReviewedField(f"{REVIEWED_WORDS.capitalize()}.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        mine = set(self.instance.groups.values_list("name", flat=True)) if self.instance.pk else set()
        self.fields["role"].initial = next((role for role in reversed(ROLES) if role in mine), "")
        self.fields["reviewed"].initial = REVIEWED in mine
        if self.instance.is_superuser:
            self.fields["role"].initial = "admin"
            self.fields["role"].disabled = True
            self.fields["role"].help_text = "Made by createsuperuser or at the first start: always an admin."
            self.fields["reviewed"].disabled = True


@admin.register(User)
class UserAdmin(ForAdmins, DjangoUserAdmin, ModelAdmin):
    """People. A role is what they may do."""

    form = UserForm
    add_form = NewUserForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "shown_role", "shown_active", "shown_seen")
    list_filter = ("is_active", "groups")
    search_fields = ("username", "first_name", "last_name", "email")
    fieldsets = (
        (None, {"fields": ("username", "password", "role", "reviewed", "is_active")}),
        ("Who it is", {"fields": ("first_name", "last_name", "email")}),
    )
    add_fields = ("username", "role", "reviewed", "usable_password", "password1", "password2")
    add_fieldsets = ((None, {"classes": ("wide",), "fields": add_fields}),)
    filter_horizontal = ()
    actions = None
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("groups")

    @display(description="Role")
    def shown_role(self, row: User) -> str:
        """The highest one."""
        names = {group.name for group in row.groups.all()}
        return "admin" if row.is_superuser else next((role for role in reversed(ROLES) if role in names), "no role")

    @display(description="Can sign in", boolean=True, ordering="is_active")
    def shown_active(self, row: User) -> bool:
        """Whether the account is on."""
        return row.is_active and row.is_staff

    @display(description="Last sign-in", ordering="last_login")
    def shown_seen(self, row: User) -> SafeString:
        """When they last came."""
        return when(row.last_login)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The role, and the entry that tells who gave it."""
        super().save_related(request, form, formsets, change)
        role, reviewed = form.cleaned_data.get("role", ""), form.cleaned_data.get("reviewed", False)
        user = form.instance
        if not user.is_superuser:
            set_role(user, role)
            set_reviewed(user, reviewed)
        facts = {"user": user.get_username(), "role": role or None, "reviewed": reviewed, "is_active": user.is_active}
        record("user.changed" if change else "user.created", actor(request), facts)


@admin.register(Group)
class RoleAdmin(ForAdmins, ReadOnlyAdmin):
    """The four roles and the mark, to read: they are the product's, not the installation's."""

    list_display = ("name", "shown_words", "shown_users")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("user_set")

    @display(description="May")
    def shown_words(self, row: Group) -> str:
        """What it may do."""
        if row.name == REVIEWED:
            return f"no role, but a mark: {REVIEWED_WORDS}"
        return ROLE_WORDS.get(row.name, "nothing here").partition(": ")[2]

    @display(description="Users")
    def shown_users(self, row: Group) -> str:
        """Who has it."""
        return ", ".join(sorted(user.get_username() for user in row.user_set.all())[:20])

    def facts(self, request: HttpRequest, row: Group) -> Facts:
        return [("Role", row.name), ("May", self.shown_words(row)), ("Users", self.shown_users(row))]


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
            ("Reviewed", "yes: what is said with it waits for a second person" if row.reviewed else "no"),
            ("Made", when(row.created)),
            ("Made by", row.created_by),
            ("Expires", when(row.expiry_date)),
            ("Last used", when(row.last_used_at)),
            ("Revoked", when(row.revoked_at)),
            ("What it did", link(log_address(api_key=row.prefix), "its entries in the log")),
        ]

    def custom_paths(self) -> list[Any]:
        return [("<str:object_id>/change/revoke/", "revoke", self.revoke)]

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
            user = request.user
            assert isinstance(user, User)
            row, text = keys.create_key(
                user=user,
                label=form.cleaned_data["label"],
                scopes=form.cleaned_data["scopes"],
                reviewed=form.cleaned_data["reviewed"],
                actor=actor(request),
            )
            return draw(
                request, "accounts/new_key.html", context | {"key": text, "row": row, "row_address": address(row)}, 201
            )
        return draw(request, "accounts/new_key.html", context, 400 if form.errors else 200)

    @button("auditor", "revoke an API key")
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """End a key for good."""
        row = self.find(request, object_id)
        keys.revoke_key(row, actor=actor(request))
        messages.success(request, f"{row.name} opens nothing any more.")
        return redirect(address(row))
