"""What every page of the sandbox knows: that it is one."""

from __future__ import annotations

from django.http import HttpRequest


def sandbox(request: HttpRequest) -> dict[str, bool]:
    """`sandbox` is true in the templates of this mode, and absent in the other."""
    return {"sandbox": True}
