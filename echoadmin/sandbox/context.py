"""What every page of the sandbox shows more than the others: its banner."""

from __future__ import annotations

from django.http import HttpRequest


def sandbox(request: HttpRequest) -> dict[str, list[str]]:
    """`page_banners` names the templates that the pages' frame puts above everything; the other mode has none."""
    return {"page_banners": ["sandbox/banner.html"]}
