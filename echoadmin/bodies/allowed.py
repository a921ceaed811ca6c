"""How much an address takes, and from whom."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.http import parse_cookie
from django.urls import Resolver404, resolve

from echoadmin.accounts.acting import scope_address
from echoadmin.accounts.authentication import bearer
from echoadmin.accounts.keys import KeyRefused
from echoadmin.accounts.wrong_keys import open_from
from echoadmin.request_threads import let_go

FREELY = 64_000  # bytes that are read whoever sends them: a form, most calls of the API
ANYBODYS = ("/webhooks/",)  # the secret is in the address; the limit is that of the view


def largest(path: str, content_type: str) -> int:
    """Bytes that the address takes in a body of this kind, as its view says by `largest_body`; else FREELY."""
    if path.startswith("/admin/"):
        return int(settings.LARGEST_PAGE_UPLOAD)
    for tried in (path, f"{path}/"):  # the API also answers where the last slash was forgotten
        try:
            view = resolve(tried).func
        except Resolver404:
            continue
        asked: Any = getattr(getattr(view, "cls", view), "largest_body", None)
        if asked is not None:
            return int(asked(content_type))
    return FREELY


def needs_to_be_known(path: str) -> bool:
    """Whether only a key or a session may send much there."""
    return not path.startswith(ANYBODYS)


async def is_known(scope: dict[str, Any]) -> bool:
    """Whether the key opens something, or the session is somebody's. Asks the database only where there is either.

    Raises ApiError (429) for a key from where too many wrong ones came."""
    headers = dict(scope["headers"])
    key = bearer(headers.get(b"authorization", b"").decode("latin-1"))
    cookie = parse_cookie(headers.get(b"cookie", b"").decode("latin-1")).get(settings.SESSION_COOKIE_NAME)
    if key is None and not cookie:
        return False
    return await sync_to_async(_is_known)(scope_address(scope), key, cookie)


def _is_known(address: str, key: str | None, cookie: str | None) -> bool:
    try:
        if key is not None:
            return open_from(address, key) is not None
        return SESSION_KEY in import_module(settings.SESSION_ENGINE).SessionStore(cookie)
    except KeyRefused:
        return False
    finally:
        let_go()
