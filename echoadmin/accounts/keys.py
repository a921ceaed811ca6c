"""Making, checking and revoking API keys. Each change is an entry of the log."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from echoadmin.accounts.models import ApiKey, check_scopes
from echoadmin.accounts.recording import record
from echoadmin.accounts.roles import SCOPES
from echoadmin.actors import Actor

USE_IS_WRITTEN_EVERY = timedelta(minutes=1)


class KeyRefused(ValueError):
    """A key that opens nothing; the message says why, in words that help only who holds the whole key."""


def create_key(
    *,
    user: User,
    label: str,
    actor: Actor,
    scopes: Iterable[str] = SCOPES,
    expires: datetime | None = None,
    reviewed: bool = False,
) -> tuple[ApiKey, str]:
    """A new key of `user` and its text, which is shown now and never again. Raises ValidationError for bad scopes.

    reviewed: what is said with it waits for a second person.
    """
    chosen = [scope for scope in SCOPES if scope in set(scopes)] if set(scopes) <= set(SCOPES) else list(scopes)
    check_scopes(chosen)
    with transaction.atomic():
        api_key = ApiKey(user=user, name=label[:50], scopes=chosen, expiry_date=expires, created_by=actor.name)
        api_key.reviewed = reviewed
        text = ApiKey.objects.assign_key(api_key)
        api_key.save(force_insert=True)
        record("api_key.created", actor, facts_of(api_key))
    return api_key, text


def revoke_key(api_key: ApiKey, *, actor: Actor) -> None:
    """Ends a key for good. Nothing happens to one that is revoked already."""
    if api_key.revoked:
        return
    with transaction.atomic():
        api_key.revoked = True
        api_key.save()
        record("api_key.revoked", actor, facts_of(api_key))


def facts_of(api_key: ApiKey) -> dict[str, object]:
    """What the log says about a key: never the key, nor its hash."""
    return {
        "prefix": api_key.prefix,
        "label": api_key.name,
        "user": api_key.user.get_username(),
        "scopes": api_key.scopes,
        "reviewed": api_key.reviewed,
        "expires": api_key.expiry_date.isoformat() if api_key.expiry_date else None,
    }


def open_with(text: str) -> ApiKey:
    """The valid key that `text` is, with its user, and its use noted. Raises KeyRefused. One query, at times two."""
    prefix, _, secret = text.partition(".")
    found = ApiKey.objects.select_related("user").filter(prefix=prefix).first() if secret else None
    if found is None or not found.is_valid(text):
        raise KeyRefused("This API key is not known here. Check that it was copied whole, and from this console.")
    if found.revoked:
        raise KeyRefused("This API key was revoked. Use another one, or have one made.")
    if found.has_expired:
        raise KeyRefused("This API key has expired. Have a new one made.")
    if not found.user.is_active:
        raise KeyRefused("The user of this API key is not active any more.")
    _note_use(found)
    return found


def _note_use(api_key: ApiKey) -> None:
    """At most once a minute: a busy client must not write a row for each of its requests."""
    now = timezone.now()
    if api_key.last_used_at and now - api_key.last_used_at < USE_IS_WRITTEN_EVERY:
        return
    unused = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - USE_IS_WRITTEN_EVERY)
    ApiKey.objects.filter(unused, pk=api_key.pk).update(last_used_at=now)
    api_key.last_used_at = now
