"""The pages of users and roles."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldBooleanSwitchWidget,
)

from echoadmin.accounts import second_factor
from echoadmin.accounts.acting import actor
from echoadmin.accounts.recording import record
from echoadmin.accounts.roles import REVIEWED, ROLES, forget_groups, may
from echoadmin.read_only import Facts, ReadOnlyAdmin
from echoadmin.shown import when

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
    authenticator = forms.BooleanField(
        required=False, widget=UnfoldBooleanSwitchWidget, help_text="Take it away for who has lost theirs."
    )
    reviewed = ReviewedField(f"{REVIEWED_WORDS.capitalize()}.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        mine = set(self.instance.groups.values_list("name", flat=True)) if self.instance.pk else set()
        self.fields["role"].initial = next((role for role in reversed(ROLES) if role in mine), "")
        self.fields["reviewed"].initial = REVIEWED in mine
        self.fields["authenticator"].initial = (
            self.instance.pk is not None and second_factor.of(self.instance) is not None
        )
        self.fields["authenticator"].disabled = not self.fields["authenticator"].initial
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
        (None, {"fields": ("username", "password", "role", "reviewed", "is_active", "authenticator")}),
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
        row = second_factor.of(user) if change and not form.cleaned_data.get("authenticator") else None
        if row is not None:
            second_factor.remove(row, actor=actor(request))
        facts = {"user": user.get_username(), "role": role or None, "reviewed": reviewed, "is_active": user.is_active}
        record("user.changed" if change else "user.created", actor(request), facts)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """Django's own page; the log says that it was done."""
        answer: HttpResponse = super().user_change_password(request, id, form_url)
        if request.method == "POST" and answer.status_code == 302:
            record("password.changed", actor(request), {"user": str(self.get_object(request, id))})
        return answer


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
