"""What others show on the log's page: the log knows nothing of saved views, who keeps them says here what to offer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest

from echoadmin.log.pages.asked import Asked

Offer = Callable[[HttpRequest, Asked], dict[str, Any]]  # what the page's context gets; `beside`: a template to include

_offered: list[Offer] = []


def use_beside(offer: Offer) -> None:
    """Have this shown beside the log's own buttons."""
    _offered[:] = [offer]


def beside(request: HttpRequest, asked: Asked) -> dict[str, Any]:
    """What is shown there; nothing where nobody offers."""
    return _offered[0](request, asked) if _offered else {}
