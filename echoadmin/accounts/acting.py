"""From a request to its actor: who it is, by which door, with how much of their role."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.http import HttpRequest

from echoadmin.accounts.models import ApiKey
from echoadmin.accounts.roles import is_reviewed, may, role_of, role_within
from echoadmin.actors import Actor, Limits


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


def limits_of(request: Any) -> Limits | None:
    """What the key of an authenticated request is limited to; None: nothing."""
    api_key = getattr(request, "auth", None)
    return api_key.limits if isinstance(api_key, ApiKey) else None


def actor_of(user: Any, api_key: ApiKey | None, *, source: str, request_id: str | None = None) -> Actor:
    """The actor of a user, or of one of their keys; reviewed where either is."""
    role, reviewed = role_of(user), is_reviewed(user)
    name = user.get_username()
    if api_key is None:
        return Actor(name, user.pk, role=role, request_id=request_id, source=source, reviewed=reviewed)
    return Actor(
        name=f"{name} (key {api_key.label})",
        user_id=user.pk,
        api_key_ref=api_key.prefix,
        role=role_within(role, api_key.scopes),
        request_id=request_id,
        source=source,
        reviewed=reviewed or api_key.reviewed,
        limits=api_key.limits,
    )


def reviewed_now(user_id: int | None, api_key_ref: str | None) -> bool:
    """Whether who asked for something that is done later is reviewed by then, themselves or their key. Asks the
    database."""
    user = get_user_model().objects.filter(pk=user_id).first() if user_id is not None else None
    return is_reviewed(user) or ApiKey.objects.filter(prefix=api_key_ref or "", reviewed=True).exists()


def still_may(actor: Actor, wanted: str) -> bool:
    """Whether who asked for something that is done later may do what role `wanted` may by then: their own role, and
    their key, as they are now. What no user asked for (a command, the console itself) may. Asks the database."""
    if actor.user_id is None:
        return True
    user = get_user_model().objects.filter(pk=actor.user_id).first()
    if actor.api_key_ref is None:
        return may(user, wanted)
    key = ApiKey.objects.filter(prefix=actor.api_key_ref, user=actor.user_id).first()
    return key is not None and key.state == "active" and may(user, wanted, key.scopes)


def client_address(request: HttpRequest) -> str:
    """The caller's IP address; X-Forwarded-For counts only from a proxy of ECHOADMIN_TRUSTED_PROXIES."""
    return _behind(request.META.get("REMOTE_ADDR") or "", request.META.get("HTTP_X_FORWARDED_FOR", ""))


def scope_address(scope: Mapping[str, Any]) -> str:
    """The same of an ASGI scope."""
    forwarded = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for").decode("latin-1")
    return _behind((scope.get("client") or ("",))[0], forwarded)


def _behind(address: str, forwarded: str) -> str:
    if not _is_trusted(address):
        return address
    for hop in reversed(forwarded.split(",")):
        if hop.strip() and not _is_trusted(hop.strip()):
            return hop.strip()[:64]
    return address


def _is_trusted(address: str) -> bool:
    try:
        ip = ip_address(address)
        return any(ip in ip_network(proxy, strict=False) for proxy in settings.TRUSTED_PROXIES)
    except ValueError:
        return False
