"""DRF permissions by role: `permission_classes = [Operator]`."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from echoadmin.accounts.acting import limits_of
from echoadmin.accounts.models import ApiKey
from echoadmin.accounts.roles import ADMIN, AUDITOR, MANAGER, OPERATOR, SCOPE_OF, includes, may, role_of


class HasRole(BasePermission):
    """The user has the role, or one above it, and the key (if there is one) the scope that goes with it."""

    role = AUDITOR

    def has_permission(self, request: Request, view: Any) -> bool:
        """Sets `message` to what is missing and who can give it."""
        scopes = request.auth.scopes if isinstance(request.auth, ApiKey) else None
        if may(request.user, self.role, scopes):
            return self._is_within(request, view)
        if not includes(role_of(request.user), self.role):
            self.message = f"This needs the role {self.role}; an admin can give it to you."
        elif self.role in SCOPE_OF:
            self.message = f"This API key lacks the scope {SCOPE_OF[self.role]}. Use a key that has it."
        else:
            self.message = "No API key may do this; sign in as an admin."
        return False

    def _is_within(self, request: Request, view: Any) -> bool:
        """Whether a limited key may come here at all; raises NotFound for what is not part of it."""
        limits = limits_of(request)
        if limits is None:
            return True
        within = getattr(view, "within", None)
        if within is None:
            self.message = f"This API key is limited to {limits}; this address is about more than that."
            return False
        within(limits, request, view.kwargs)
        return True


class Auditor(HasRole):
    """Reads, hears, exports."""


class Operator(HasRole):
    """Speaks, interrupts, joins, leaves."""

    role = OPERATOR


class Manager(HasRole):
    """Creates, ends, syncs: money."""

    role = MANAGER


class Admin(HasRole):
    """Users, keys, pruning, erasing, faults."""

    role = ADMIN
