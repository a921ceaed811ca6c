"""The server that DATABASE_URL names; the database in it need not be there: the tests make their own."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from django.conf import settings


def on_server(database: str) -> str:
    """The address of this database on the same server."""
    return urlunsplit(urlsplit(settings.DATABASE_URL)._replace(path=f"/{database}"))
