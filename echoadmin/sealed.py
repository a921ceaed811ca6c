"""Secrets at rest: sealed with a key derived from ECHOADMIN_SECRET_KEY, in columns of their own."""

from __future__ import annotations

import base64
import logging
import secrets
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import models

logger = logging.getLogger(__name__)


class Unreadable(ValueError):
    """A sealed value was made with another ECHOADMIN_SECRET_KEY."""


@lru_cache(maxsize=4)
def _fernet(secret_key: str) -> Fernet:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"echoadmin sealed column").derive(
        secret_key.encode()
    )
    return Fernet(base64.urlsafe_b64encode(derived))


def seal(plain: str) -> str:
    """`plain` encrypted and authenticated; "" stays ""."""
    return _fernet(settings.SECRET_KEY).encrypt(plain.encode()).decode() if plain else ""


def unseal(sealed: str) -> str:
    """What was sealed; raises Unreadable when the secret key has changed since."""
    if not sealed:
        return ""
    try:
        return _fernet(settings.SECRET_KEY).decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise Unreadable("sealed with another ECHOADMIN_SECRET_KEY; put the old key back to read it") from error


class SealedField(models.TextField):
    """A text that the database knows sealed, and Python in clear. Nothing can be looked up by it.

    What was sealed with another ECHOADMIN_SECRET_KEY is read as a random text, which opens nothing: the error is
    logged, and who set the value can set it anew.
    """

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        """In clear."""
        if value is None:
            return None
        try:
            return unseal(value)
        except Unreadable as error:
            logger.error("%s can't be read: %s", self, error)
            return secrets.token_urlsafe(32)

    def get_prep_value(self, value: Any) -> Any:
        """Sealed."""
        return None if value is None else seal(str(value))
