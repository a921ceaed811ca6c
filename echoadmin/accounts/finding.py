"""What the palette finds of access: keys by their prefix (one's own; an admin all), users by name (for admins)."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib.auth.models import User

from echoadmin.accounts.models import ApiKey
from echoadmin.accounts.roles import may
from echoadmin.palette import Asked, Hit, finds, rows


@finds()
def keys(asked: Asked) -> Iterator[Hit]:
    """By the prefix, also where the whole key was pasted: what comes after the point is not looked at."""
    prefix = asked.text.partition(".")[0][:64]
    found = ApiKey.objects.filter(prefix=prefix)
    found = found if may(asked.user, "admin") else found.filter(user=asked.user)
    yield from rows(found, Asked(prefix, asked.user), "prefix")


@finds("admin")
def users(asked: Asked) -> Iterator[Hit]:
    """By what they are called, or a part of it."""
    yield from rows(User.objects.filter(username__icontains=asked.text).order_by("username"), asked, "username")
