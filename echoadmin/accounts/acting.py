"""From a request to its actor: who it is, by which door, with how much of their role."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from echoadmin.accounts.models import ApiKey
from echoadmin.accounts.roles import role_of, role_within
from echoadmin.actors import Actor


def actor(request: Any, source: str | None = None) -> Actor:
    """The actor of an authenticated request, Django's or DRF's. `source`: page (default), rest (default with a key)."""
    api_key = getattr(request, "auth", None)
    api_key = api_key if isinstance(api_key, ApiKey) else None
    return actor_of(
        request.user,
        api_key,
        source=source or ("rest" if hasattr(request, "auth") else "page"),
        request_id=getattr(request, "request_id", None),
    )


def actor_of(user: Any, api_key: ApiKey | None, *, source: str, request_id: str | None = None) -> Actor:
    """The actor of a user, or of one of their keys."""
    role = role_of(user)
    name = user.get_username()
    if api_key is None:
        return Actor(name=name, user_id=user.pk, role=role, request_id=request_id, source=source)
    return Actor(
        name=f"{name} (key {api_key.label})",
        user_id=user.pk,
        api_key_ref=api_key.prefix,
        role=role_within(role, api_key.scopes),
        request_id=request_id,
        source=source,
    )


def client_address(request: HttpRequest) -> str:
    """The caller's IP address; X-Forwarded-For counts only from a proxy of ECHOADMIN_TRUSTED_PROXIES."""
    address = request.META.get("REMOTE_ADDR") or ""
    if not _is_trusted(address):
        return address
    for hop in reversed(request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")):
        if hop.strip() and not _is_trusted(hop.strip()):
            return hop.strip()[:64]
    return address


def _is_trusted(address: str) -> bool:
    try:
        ip = ip_address(address)
        return any(ip in ip_network(proxy, strict=False) for proxy in settings.TRUSTED_PROXIES)
    except ValueError:
        return False
