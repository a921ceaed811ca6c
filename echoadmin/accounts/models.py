"""API keys, and the requests that are answered once however often they are sent."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from rest_framework_api_key.models import AbstractAPIKey, BaseAPIKeyManager

from echoadmin.accounts.roles import SCOPES
from echoadmin.actors import Limits


def all_scopes() -> list[str]:
    """What a new key may do unless told otherwise: all that its user may, but for what only admins do."""
    return list(SCOPES)


def check_scopes(scopes: Any) -> None:
    """Raises ValidationError for scopes that do not exist, and for none at all."""
    if not isinstance(scopes, list) or not scopes or set(scopes) - set(SCOPES):
        raise ValidationError(f"Scopes are one or more of {', '.join(SCOPES)}.")


class ApiKeyManager(BaseAPIKeyManager):
    """Makes keys whose primary key is the prefix: the stock one would put the key's hash into URLs."""

    def assign_key(self, obj: AbstractAPIKey) -> str:
        """A new random key for `obj`; returned here and never again."""
        key: str = super().assign_key(obj)
        obj.id = obj.prefix
        return key


class ApiKey(AbstractAPIKey):
    """A key of one user: kept as a hash, found by its prefix, never more than its user may, and perhaps less."""

    objects: ClassVar[ApiKeyManager] = ApiKeyManager()  # type: ignore[assignment]

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_keys")
    scopes = models.JSONField(default=all_scopes, validators=[check_scopes])
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_by = models.CharField(max_length=200, blank=True, default="", editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    reviewed = models.BooleanField(default=False, db_default=False)  # what is said with it waits for a second person
    only_personas = models.JSONField(null=True, blank=True)  # our ids; NULL in both: all there is
    only_conversations = models.JSONField(null=True, blank=True)
    lineage = models.CharField(max_length=16, default="", db_default="", editable=False)  # "": its own prefix
    replaced_by = models.CharField(max_length=16, default="", db_default="", editable=False)  # the prefix of its heir

    class Meta(AbstractAPIKey.Meta):
        verbose_name = "API key"
        verbose_name_plural = "API keys"

    @property
    def label(self) -> str:
        """What it is for, in its maker's words."""
        return self.name

    @property
    def limits(self) -> Limits | None:
        """What it is limited to; None: nothing."""
        if not self.only_personas and not self.only_conversations:
            return None
        return Limits(tuple(self.only_personas or ()), tuple(self.only_conversations or ()))

    @property
    def first_prefix(self) -> str:
        """Of the key that it goes back to by rotation: to who counts or remembers requests they are one."""
        return self.lineage or self.prefix

    @property
    def state(self) -> str:
        """active, expired or revoked."""
        if self.revoked:
            return "revoked"
        return "expired" if self.has_expired else "active"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Revoking is dated."""
        if self.revoked and self.revoked_at is None:
            self.revoked_at = timezone.now()
        super().save(*args, **kwargs)


class SignInAttempt(models.Model):
    """One try to sign in that failed, or is under way; kept for a quarter of an hour (see throttling.py)."""

    place = models.CharField(max_length=64)  # a keyed hash: of a name at an address, or of an address
    at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["place", "id"], name="sign_in_attempt_place"),
            models.Index(fields=["at"], name="sign_in_attempt_age"),
        ]

    def __str__(self) -> str:
        return f"a try at {self.at}"


class SecondFactor(models.Model):
    """A user's authenticator; in use once it is confirmed (see second_factor.py)."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="second_factor")
    sealed_seed = models.TextField()
    last_step = models.BigIntegerField(default=0)  # of the last code that was taken: none is taken twice
    backup_codes = models.JSONField(default=list)  # keyed hashes of those that are left
    created_at = models.DateTimeField(auto_now_add=True)
    confirmed_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"the authenticator of {self.user}"


class IdempotentRequest(models.Model):
    """A POST with an Idempotency-Key: what it was, what it makes, and what it was answered. Kept for 24 hours."""

    who = models.CharField(max_length=64)  # "user:3" or "key:Ab3dEf9h"
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=500)
    key = models.CharField(max_length=255)
    body_sha256 = models.CharField(max_length=64)
    ref = models.CharField(max_length=128)  # the id that the object it makes has from birth
    holder = models.CharField(max_length=300)  # host and process that are at it
    created_at = models.DateTimeField()
    status = models.IntegerField(null=True, blank=True)  # of the answer; NULL while there is none
    answer = models.TextField(blank=True, default="")  # its body, as sent, sealed: it may hold a secret

    class Meta:
        constraints = [models.UniqueConstraint(fields=["who", "method", "path", "key"], name="one_idempotent_request")]
        indexes = [models.Index(fields=["created_at"], name="idempotent_age")]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"
