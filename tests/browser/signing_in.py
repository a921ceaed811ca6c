"""Who signs in, and how: by the form, as people do."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.console_process import ConsoleProcess

PASSWORD = "a long enough password"


def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    """Fills in the form that the page shows, and sends it."""
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def make_user(console: ConsoleProcess, name: str, *groups: str) -> str:
    """Somebody with these roles and marks and with PASSWORD, made once; returns the name."""
    lines = (
        "from django.contrib.auth.models import Group, User",
        f"user, _ = User.objects.get_or_create(username={name!r}, is_staff=True)",
        f"user.set_password({PASSWORD!r})",
        "user.save()",
        f"user.groups.set(Group.objects.filter(name__in={groups!r}))",
    )
    console.manage("shell", "-c", "\n".join(lines))
    return name
