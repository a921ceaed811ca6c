"""Secrets at rest: sealed with a key derived from ECHOADMIN_SECRET_KEY, in columns of their own."""

from __future__ import annotations

import base64
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


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
