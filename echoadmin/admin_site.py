"""The console's navigation and palette, as django-unfold reads them."""

from __future__ import annotations

UNFOLD = {
    "SITE_TITLE": "echoadmin",
    "SITE_HEADER": "echoadmin",
    "SITE_SYMBOL": "graphic_eq",
    "SHOW_HISTORY": False,
}
