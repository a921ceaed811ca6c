"""`Authorization: Bearer <key>`, for the REST API and wherever else a key opens something."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from echoadmin.accounts.acting import client_address
from echoadmin.accounts.models import ApiKey
from echoadmin.accounts.wrong_keys import WrongKey, open_from


class ApiKeyAuthentication(BaseAuthentication):
    """Sets `request.user` to the key's user and `request.auth` to the key. Other schemes are left to the next class."""

    def authenticate(self, request: Request) -> tuple[Any, ApiKey] | None:
        """Raises AuthenticationFailed (401) for a Bearer key that opens nothing, ApiError (429) after too many."""
        text = bearer(request.META.get("HTTP_AUTHORIZATION", ""))
        if text is None:
            return None
        try:
            api_key = open_from(client_address(request._request), text)
        except WrongKey as refused:
            request._request.rate = refused.standing  # type: ignore[attr-defined]
            raise AuthenticationFailed(str(refused)) from None
        return api_key.user, api_key

    def authenticate_header(self, request: Request) -> str:
        """What a 401 asks for."""
        return 'Bearer realm="echoadmin"'


def bearer(header: str) -> str | None:
    """The key of an Authorization header, None when it holds another scheme."""
    scheme, _, text = header.strip().partition(" ")
    return text.strip() if scheme.lower() == "bearer" else None


class ApiKeyScheme(OpenApiAuthenticationExtension):
    """How the OpenAPI document tells it."""

    target_class = "echoadmin.accounts.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """HTTP bearer."""
        return {"type": "http", "scheme": "bearer", "description": "A key made by `manage.py create_api_key`."}
