"""Who is at the other end of a WebSocket, and what they may do; asked again while the connection lasts."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.utils.crypto import constant_time_compare

from echoadmin.accounts import second_factor
from echoadmin.accounts.acting import actor_of, scope_address
from echoadmin.accounts.authentication import bearer
from echoadmin.accounts.keys import KeyRefused, open_with
from echoadmin.accounts.models import ApiKey
from echoadmin.accounts.roles import AUDITOR, may
from echoadmin.accounts.wrong_keys import open_from
from echoadmin.actors import Actor, Limits
from echoadmin.api import limits
from echoadmin.api.problems import ApiError

NOT_KNOWN, NOT_ALLOWED, NOT_THERE, TOO_MANY = 4401, 4403, 4404, 4429
"""Close codes."""


class Unwelcome(Exception):
    """The connection is closed with `code`."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True)
class Visitor:
    """A user, by session or by key."""

    user: Any
    api_key: ApiKey | None
    key_text: str | None
    session_key: str | None = None

    def may(self, role: str) -> bool:
        """Whether they may do what `role` may."""
        return may(self.user, role, self.api_key.scopes if self.api_key else None)

    @property
    def limits(self) -> Limits | None:
        """What their key is limited to; None: nothing."""
        return self.api_key.limits if self.api_key else None

    def actor(self, request_id: str | None = None) -> Actor:
        """As the log names them."""
        return actor_of(self.user, self.api_key, source="websocket", request_id=request_id)


def recognise(scope: dict[str, Any]) -> Visitor:
    """By the Authorization header, else by the session's cookie. Raises Unwelcome. Queries the database."""
    header = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
    text = bearer(header) if header else None
    if text is not None:
        return _counted(_admitted(_by_key(text, scope_address(scope))))
    user = scope.get("user")
    if user is None or not user.is_authenticated:
        raise Unwelcome(NOT_KNOWN, "Send `Authorization: Bearer <key>`, or sign in.")
    return _counted(_admitted(_by_session(scope["session"].session_key, user.pk)))


def again(visitor: Visitor) -> Visitor:
    """The same one as they are now: keys get revoked, roles taken away, sessions ended. Raises Unwelcome."""
    if visitor.key_text:
        return _admitted(_by_key(visitor.key_text, None))
    return _admitted(_by_session(visitor.session_key, visitor.user.pk))


def _by_key(text: str, address: str | None) -> Visitor:
    """`address`: from where it comes; None for one that was let in before."""
    try:
        api_key = open_with(text) if address is None else open_from(address, text)
    except KeyRefused as refused:
        raise Unwelcome(NOT_KNOWN, str(refused)) from None
    except ApiError as refused:
        raise Unwelcome(TOO_MANY, refused.problem.message) from None
    return Visitor(api_key.user, api_key, text)


def _by_session(session_key: str | None, pk: int) -> Visitor:
    """The user, whose session must not have ended: by signing out, in time, or by a new password."""
    user = get_user_model().objects.filter(pk=pk, is_active=True).first()
    if user is None:
        raise Unwelcome(NOT_KNOWN, "This user is not active any more.")
    session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    signed = str(session.get(HASH_SESSION_KEY, ""))
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    if str(session.get(SESSION_KEY)) != str(pk) or not any(constant_time_compare(signed, one) for one in hashes):
        raise Unwelcome(NOT_KNOWN, "You are signed out. Sign in again.")
    if second_factor.is_missing(user):
        raise Unwelcome(NOT_ALLOWED, "Your role needs an authenticator. Set one up under /admin/second-factor/.")
    return Visitor(user, None, None, session_key)


def _admitted(visitor: Visitor) -> Visitor:
    if not visitor.may(AUDITOR):
        raise Unwelcome(NOT_ALLOWED, "This needs the role auditor, and for a key the scope read.")
    return visitor


def _counted(visitor: Visitor) -> Visitor:
    """A connection counts as a request does."""
    try:
        limits.charge(visitor.api_key, visitor.user)
    except ApiError as refused:
        raise Unwelcome(TOO_MANY, refused.problem.message) from None
    return visitor
