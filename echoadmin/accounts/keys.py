"""Making, checking and revoking API keys. Each change is an entry of the log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from echoadmin.accounts.limits import known_ids
from echoadmin.accounts.models import ApiKey, check_scopes
from echoadmin.accounts.recording import record
from echoadmin.accounts.roles import SCOPES
from echoadmin.actors import Actor

LONGEST_DAYS = 36_500  # of a key's life
USUAL_OVERLAP = timedelta(days=1)  # in which a rotated key's old text still works
LONGEST_OVERLAP = timedelta(days=30)
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
    personas: list[str] | None = None,
    conversations: list[str] | None = None,
) -> tuple[ApiKey, str]:
    """A new key of `user` and its text, which is shown now and never again.

    reviewed: what is said with it waits for a second person. personas, conversations: all that it is for, by either
    id; without both it is for everything. Raises ValidationError for scopes and ids that there are not.
    """
    chosen = [scope for scope in SCOPES if scope in set(scopes)] if set(scopes) <= set(SCOPES) else list(scopes)
    check_scopes(chosen)
    with transaction.atomic():
        api_key = ApiKey(user=user, name=label[:50], scopes=chosen, expiry_date=expires, created_by=actor.name)
        api_key.reviewed = reviewed
        api_key.only_personas = known_ids("personas", personas or []) or None
        api_key.only_conversations = known_ids("conversations", conversations or []) or None
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


def rotate_key(api_key: ApiKey, *, overlap: timedelta, actor: Actor) -> tuple[ApiKey, str]:
    """A key that takes this one's place, and its text; the old text works for `overlap` yet, and not past its own end.

    It may do the same, lives as long as the old one was to, and is the same to who remembers requests. Raises
    ValidationError for a key that is not active, or was rotated before.
    """
    if not timedelta() <= overlap <= LONGEST_OVERLAP:
        raise ValidationError({"overlap": [f"Is from 0 to {LONGEST_OVERLAP.total_seconds():.0f} seconds."]})
    with transaction.atomic():
        old = ApiKey.objects.select_for_update(of=("self",)).select_related("user").get(pk=api_key.pk)
        if old.state != "active" or old.replaced_by:
            gone = f"was rotated already, {old.replaced_by} has its place" if old.replaced_by else f"is {old.state}"
            raise ValidationError({"key": [f"This key {gone}; only one that is in use can be rotated."]})
        fresh, text = _heir(old, actor)
        old.replaced_by = fresh.prefix
        old.expiry_date = min(filter(None, [old.expiry_date, timezone.now() + overlap]))
        old.save()
        more = {"replaces": old.prefix, "old_one_works_until": old.expiry_date.isoformat()}
        record("api_key.rotated", actor, facts_of(fresh) | more)
    return fresh, text


def _heir(old: ApiKey, actor: Actor) -> tuple[ApiKey, str]:
    same = ("user_id", "name", "scopes", "reviewed", "only_personas", "only_conversations")
    fresh = ApiKey(**{name: getattr(old, name) for name in same}, lineage=old.first_prefix, created_by=actor.name)
    fresh.expiry_date = timezone.now() + (old.expiry_date - old.created) if old.expiry_date else None
    text = ApiKey.objects.assign_key(fresh)
    fresh.save(force_insert=True)
    return fresh, text


def overlap_of(text: str) -> timedelta:
    """From seconds in a form or a body; a day where nothing is said. Raises ValidationError."""
    if text == "":
        return USUAL_OVERLAP
    if not (text.isascii() and text.isdigit() and len(text) < 9):
        raise ValidationError({"overlap": ["Is a number of seconds."]})
    return timedelta(seconds=int(text))


def facts_of(api_key: ApiKey) -> dict[str, object]:
    """What the log says about a key: never the key, nor its hash."""
    return {
        "prefix": api_key.prefix,
        "label": api_key.name,
        "user": api_key.user.get_username(),
        "scopes": api_key.scopes,
        "reviewed": api_key.reviewed,
        "limits": asdict(api_key.limits) if api_key.limits else None,
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
