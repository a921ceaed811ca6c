"""The four roles, each of which may do all that the ones before it may, and the scopes of a key.

auditor reads, hears and exports; operator also speaks, interrupts, joins and leaves; manager also creates, ends and
syncs, which costs money; admin also keeps users and keys, prunes, erases and sets faults. A role is a Django group.

So is the mark `reviewed`, which takes nothing from a role: what its bearer says waits for a second person.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, Group

AUDITOR, OPERATOR, MANAGER, ADMIN = ROLES = ("auditor", "operator", "manager", "admin")
REVIEWED = "reviewed"
SCOPES = ("read", "speak", "manage")
SCOPE_OF = {AUDITOR: "read", OPERATOR: "speak", MANAGER: "manage"}
"""The scope that a key needs for what the role may do. No scope gives a key what only an admin may do."""


def role_of(user: AbstractBaseUser | AnonymousUser | None) -> str | None:
    """The highest role of an active user, None for nobody; a superuser is an admin. One query per user object."""
    if user is None or not user.is_authenticated or not user.is_active:
        return None
    if getattr(user, "is_superuser", False):
        return ADMIN
    groups = _groups_of(user)
    return next((role for role in reversed(ROLES) if role in groups), None)


def is_reviewed(user: AbstractBaseUser | AnonymousUser | None) -> bool:
    """Whether what this user says waits for a second person; never a superuser's. By the query that `role_of` made."""
    if user is None or not user.is_authenticated or getattr(user, "is_superuser", False):
        return False
    return REVIEWED in _groups_of(user)


def forget_groups(user: AbstractBaseUser) -> None:
    """The groups of this user object have changed: ask again."""
    user.__dict__.pop("_group_names", None)


def _groups_of(user: AbstractBaseUser | AnonymousUser) -> set[str]:
    if "_group_names" not in user.__dict__:
        user.__dict__["_group_names"] = set(Group.objects.filter(user=user.pk).values_list("name", flat=True))
    names: set[str] = user.__dict__["_group_names"]
    return names


def includes(role: str | None, wanted: str) -> bool:
    """Whether who has `role` may do what `wanted` may."""
    return role is not None and ROLES.index(role) >= ROLES.index(wanted)


def may(user: AbstractBaseUser | AnonymousUser | None, wanted: str, scopes: Iterable[str] | None = None) -> bool:
    """Whether `user`, through a key with `scopes` (None: signed in, without a key), may do what role `wanted` may."""
    if not includes(role_of(user), wanted):
        return False
    return scopes is None or SCOPE_OF.get(wanted) in set(scopes)


def role_within(role: str | None, scopes: Iterable[str]) -> str | None:
    """The highest role that is left of `role` under a key's `scopes`."""
    left = [name for name, scope in SCOPE_OF.items() if scope in set(scopes) and includes(role, name)]
    return left[-1] if left else None
